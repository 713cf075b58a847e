//! What a device replied to a command, read tolerantly (docs/device-protocol.md, "Replies").
//!
//! Each field is read for itself: an unreadable one is missing and the others count. Whether the reply fits an attempt
//! that was sent is not decided here.

use aldis_core::ids::WireId;
use aldis_core::task::Reply;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::envelope::{Envelope, id_text, is_shallow};

/// A reply and the attempt that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyMessage {
    /// The attempt; `None` if there is no id, or none that this server can have given out.
    pub wire: Option<WireId>,
    /// What the device says about it.
    pub reply: Reply,
}

/// Reads a reply's payload. What is no JSON object has neither id nor code.
///
/// The output is always JSON text that any reader takes: data that is nested too deep, or that not every reader would
/// understand, is kept as a JSON string of its text. Data that is null counts as absent.
#[must_use]
pub fn decode(payload: &[u8]) -> ReplyMessage {
    let envelope = Envelope::read(payload).unwrap_or_default();
    ReplyMessage {
        wire: envelope.id.and_then(id_text).and_then(|id| id.parse().ok()),
        reply: Reply {
            code: envelope.code.and_then(code),
            message: envelope.message.and_then(message),
            output: envelope.data.and_then(output),
        },
    }
}

/// A number, or a string that is one: Python devices say "1101". A fraction of zeros changes nothing.
fn code(raw: &RawValue) -> Option<i64> {
    let text = id_text(raw)?;
    let text = text.trim();
    let whole = match text.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0') => whole,
        _ => text,
    };
    whole.parse().ok()
}

fn message(raw: &RawValue) -> Option<String> {
    match raw.get() {
        "null" => None,
        text => Some(serde_json::from_str(text).unwrap_or_else(|_| text.to_owned())),
    }
}

fn output(raw: &RawValue) -> Option<String> {
    let text = raw.get();
    if text == "null" {
        return None;
    }
    if is_shallow(text) && serde_json::from_str::<Value>(text).is_ok() {
        return Some(text.to_owned());
    }
    Some(Value::from(text).to_string())
}

#[cfg(test)]
mod tests {
    use aldis_core::ids::{AttemptNo, TaskNo};

    use super::*;

    fn decoded(payload: &str) -> ReplyMessage {
        decode(payload.as_bytes())
    }

    fn code_of(json: &str) -> Option<i64> {
        decoded(&format!("{{\"code\":{json}}}")).reply.code
    }

    fn output_of(json: &str) -> Option<String> {
        decoded(&format!("{{\"data\":{json}}}")).reply.output
    }

    #[test]
    fn the_replies_of_all_four_libraries_are_understood() {
        let wire = Some(WireId::new(TaskNo(1), AttemptNo(2)));
        let cases = [
            (
                r#"{"id": "1000000000000004098", "code": 200, "data": {"result": 42}, "message": ""}"#,
                Some(200),
                Some(r#"{"result": 42}"#),
                Some(""),
            ),
            (
                r#"{"id": "1000000000000004098", "code": "500", "data": {}, "message": "command handler execution failed\u6cf5"}"#,
                Some(500),
                Some("{}"),
                Some("command handler execution failed泵"),
            ),
            (
                r#"{"id":"1000000000000004098","code":200,"data":{"result":42}}"#,
                Some(200),
                Some(r#"{"result":42}"#),
                None,
            ),
            (
                r#"{"code":200,"id":"1000000000000004098","message":""}"#,
                Some(200),
                None,
                Some(""),
            ),
        ];
        for (payload, code, output, message) in cases {
            let reply = Reply {
                code,
                message: message.map(str::to_owned),
                output: output.map(str::to_owned),
            };
            assert_eq!(decoded(payload), ReplyMessage { wire, reply }, "{payload}");
        }
    }

    #[test]
    fn a_code_is_a_number_or_a_string_that_is_one() {
        assert_eq!(code_of("0"), Some(0));
        assert_eq!(code_of("\"1101\""), Some(1101));
        assert_eq!(code_of("\" 500 \""), Some(500));
        assert_eq!(code_of("200.0"), Some(200));
        assert_eq!(code_of("-7"), Some(-7));
        for json in [
            "null",
            "true",
            "\"\"",
            "\"ok\"",
            "1.5",
            "1.",
            "\"1.\"",
            "[200]",
            "{}",
            "1e400",
            "99999999999999999999",
        ] {
            assert_eq!(code_of(json), None, "{json}");
        }
    }

    #[test]
    fn an_id_that_was_never_given_out_names_no_attempt() {
        for id in ["", "\"id\":null,", "\"id\":\"7\",", "\"id\":[],", "\"id\":\"\\ud800\","] {
            let found = decoded(&format!("{{{id}\"code\":200}}"));
            assert_eq!((found.wire, found.reply.code), (None, Some(200)), "{id}");
        }
        let number = decoded("{\"id\":1000000000000004098}");
        assert_eq!(number.wire, Some(WireId::new(TaskNo(1), AttemptNo(2))));
    }

    #[test]
    fn data_of_any_type_is_kept_as_it_came() {
        for json in ["{}", "[1, 2]", "\"text\"", "42", "true", "\"\"", "{\"a\":1.10}"] {
            assert_eq!(output_of(json).as_deref(), Some(json));
        }
        assert_eq!(output_of("null"), None);
    }

    #[test]
    fn data_that_readers_stumble_over_is_kept_as_text() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        for json in ["\"\\ud800\"", "{\"a\":1e999}", deep.as_str()] {
            let kept: String = serde_json::from_str(&output_of(json).unwrap()).unwrap();
            assert_eq!(kept, json);
        }
    }

    #[test]
    fn a_message_that_is_no_text_is_kept_as_it_came() {
        assert_eq!(decoded("{\"message\":[1]}").reply.message.as_deref(), Some("[1]"));
        assert_eq!(decoded("{\"message\":null}").reply.message, None);
    }

    #[test]
    fn what_is_no_object_says_nothing() {
        for payload in [&b""[..], b"OK", b"[]", b"{", b"\xff\xfe", b"{\"code\":200"] {
            let nothing = Reply {
                code: None,
                message: None,
                output: None,
            };
            let expected = ReplyMessage {
                wire: None,
                reply: nothing,
            };
            assert_eq!(decode(payload), expected, "{payload:?}");
        }
    }
}
