//! What a device replied to a command, read tolerantly (docs/device-protocol.md, "Replies").
//!
//! Each field is read for itself: an unreadable one is missing and the others count. Whether the reply fits an attempt
//! that was sent is not decided here.

use aldis_core::ids::WireId;
use aldis_core::number;
use aldis_core::task::Reply;
use serde_json::Value;

use crate::envelope::{Envelope, id_text};
use crate::lenient::{plain, unquoted};
use crate::text::is_json;

/// Kept of a reply that could not be taken apart: enough to see what the device's program writes.
const RAW_MAX_BYTES: usize = 16 * 1024;

/// A reply and the attempt that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyMessage {
    /// The attempt; `None` if there is no id, or none that this server can have given out.
    pub wire: Option<WireId>,
    /// Without one: the only id that the payload mentions anywhere, if it is no valid JSON. It may be the answer to
    /// that attempt if this is out.
    pub mentioned: Option<WireId>,
    /// What the device says about it.
    pub reply: Reply,
}

/// Reads a reply's payload. What holds no object has neither id nor code.
///
/// The output is always JSON text that any reader takes: data that is nested too deep, or that not every reader would
/// understand, is kept as a JSON string of its text. Data that is null counts as absent. Where no data can be told and
/// the payload is no valid JSON, its beginning is the output, as a JSON string.
#[must_use]
pub fn decode(payload: &[u8]) -> ReplyMessage {
    let envelope = Envelope::read(payload);
    let wire = envelope.id().and_then(|id| wire(trimmed(&id)));
    ReplyMessage {
        wire,
        mentioned: mentioned(envelope.text()).filter(|_| wire.is_none()),
        reply: Reply {
            code: envelope.code().and_then(code),
            message: envelope.message().map(|message| unquoted(message).into_owned()),
            output: envelope.data().map(output).or_else(|| raw(envelope.text())),
        },
    }
}

/// Some programs write the id as a number with a fraction of zeros.
fn wire(id: &str) -> Option<WireId> {
    let whole = || number::whole_text(id)?.to_string().parse().ok();
    id.parse().ok().or_else(whole)
}

/// What is valid JSON has its id at the top level or none.
fn mentioned(text: &str) -> Option<WireId> {
    let digits = text.split(|c: char| !c.is_ascii_digit());
    let mut ids = digits.filter_map(|digits| digits.parse().ok());
    let first = ids.next()?;
    (ids.all(|other: WireId| other == first) && !is_json(text)).then_some(first)
}

/// A whole number, or a text that is one: Python devices say "1101".
fn code(raw: &str) -> Option<i64> {
    number::whole_text(trimmed(&id_text(raw)?))
}

/// Programs in C put the NUL that ends a text into it.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c.is_control())
}

fn output(raw: &str) -> String {
    if plain(raw).is_some() {
        return raw.to_owned();
    }
    Value::from(raw).to_string()
}

fn raw(text: &str) -> Option<String> {
    if text.is_empty() || is_json(text) {
        return None;
    }
    let mut end = text.len().min(RAW_MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Some(Value::from(&text[..end]).to_string())
}

#[cfg(test)]
mod tests {
    use aldis_core::ids::{AttemptNo, TaskNo};
    use proptest::prelude::*;

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
            let message = ReplyMessage {
                wire,
                mentioned: None,
                reply,
            };
            assert_eq!(decoded(payload), message, "{payload}");
        }
    }

    #[test]
    fn a_code_is_a_number_or_a_string_that_is_one() {
        assert_eq!(code_of("0"), Some(0));
        assert_eq!(code_of("\"1101\""), Some(1101));
        assert_eq!(code_of("\" 500 \""), Some(500));
        assert_eq!(code_of("200.0"), Some(200));
        assert_eq!(code_of("-7"), Some(-7));
        assert_eq!(code_of("\"200.0\""), Some(200));
        assert_eq!(code_of("2e2"), Some(200));
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
            "\"200 OK\"",
            "NaN",
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
    fn reply_without_an_object_says_nothing() {
        for payload in [&b""[..], b"OK", b"[]", b"{", b"\xff\xfe", b"\0"] {
            let found = decode(payload);
            assert_eq!((found.wire, found.reply.code), (None, None), "{payload:?}");
        }
    }

    #[test]
    fn reply_that_is_spoiled_is_a_success_with_its_data() {
        let utf16: Vec<u8> = r#"{"id":"1000000000000004098","code":200,"data":{"a":1}}"#
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let cases: [(&[u8], &str); 12] = [
            (
                b"{\"id\":\"1000000000000004098\",\"code\":200,\"data\":{\"a\":1}}\0",
                r#"{"a":1}"#,
            ),
            (
                b"\xef\xbb\xbf{\"id\":\"1000000000000004098\",\"code\":200,\"data\":{\"a\":1}}",
                r#"{"a":1}"#,
            ),
            (&utf16, r#"{"a":1}"#),
            (
                b"{\"id\":\"1000000000000004098\",\"code\":200,\"data\":\"\xb5\x5c\"}",
                "\"\u{fffd}\"",
            ),
            (
                b"{\"id\":\"1000000000000004098\",\"code\":200,\"data\":\"caf\xe9\"}",
                "\"caf\u{fffd}\"",
            ),
            (
                b"{\"id\":\"1000000000000004098\",\"code\":200,\"data\":{\"a\":NaN}}",
                r#""{\"a\":NaN}""#,
            ),
            (
                b"{\"id\":\"1000000000000004098\",\"code\":200,\"data\":{\"a\":1},}",
                r#"{"a":1}"#,
            ),
            (
                b"{'id':'1000000000000004098','code':200,'data':{'a':1}}",
                r#""{'a':1}""#,
            ),
            (b"{\"id\":1000000000000004098.0,\"code\":200.0,\"data\":1}x", "1"),
            (
                b"{\"id\":\" 1000000000000004098\0\",\"code\":\"200.0\0\",\"data\":1}",
                "1",
            ),
            (
                b"{\"id\":\"1000000000000004098\",\"code\":200,\"data\":{\"a\":",
                r#""{\"id\":\"1000000000000004098\",\"code\":200,\"data\":{\"a\":""#,
            ),
            (
                b"{\"id\":\"1000000000000004098\",\"code\":200,}",
                r#""{\"id\":\"1000000000000004098\",\"code\":200,}""#,
            ),
        ];
        for (payload, output) in cases {
            let found = decode(payload);
            let shown = String::from_utf8_lossy(payload);
            assert_eq!(found.wire, Some(WireId::new(TaskNo(1), AttemptNo(2))), "{shown}");
            assert_eq!(found.reply.code, Some(200), "{shown}");
            assert_eq!(found.reply.output.as_deref(), Some(output), "{shown}");
        }
    }

    #[test]
    fn reply_with_only_an_id_names_its_attempt_without_a_code() {
        for payload in [
            r#"{"id":"1000000000000004098","code":20"#,
            r#"{"id":"1000000000000004098","code":NaN}"#,
            r#"{"id":"1000000000000004098""#,
            r#"{"id":"1000000000000004098",OK}"#,
        ] {
            let found = decoded(payload);
            assert!(found.wire.is_some() && found.reply.code.is_none(), "{payload}");
            assert!(found.reply.output.is_some(), "{payload}");
        }
    }

    #[test]
    fn id_that_is_mentioned_is_told_if_it_is_the_only_one_and_the_payload_no_json() {
        let id = "1000000000000004098";
        let other = "1000000000000008194";
        for payload in [
            format!(r#"{{"data":"{{"a":1}}","id":"{id}","code":200}}"#),
            format!(r#"{{"message":"C:\dir\","id":"{id}","code":200}}"#),
            format!(r#"{{"code":200,"id":"{id}"#),
            format!(r#"{{"id":"{id}";"code":200}}"#),
            format!("id={id}&code=200"),
            format!("<reply><id>{id}</id><also>{id}</also></reply>"),
        ] {
            let found = decoded(&payload);
            let wire = Some(WireId::new(TaskNo(1), AttemptNo(2)));
            assert_eq!((found.wire, found.mentioned), (None, wire), "{payload}");
        }
        for payload in [
            format!(r#"{{"data":{{"id":"{id}"}},"code":200}}"#),
            format!(r#"{{"message":"{{\"id\":\"{id}\"}}","code":200}}"#),
            format!("id={id}&of={other}"),
            format!("id=7{id}"),
            format!("id={id}7"),
            "OK".to_owned(),
            format!(r#"{{"id":"{other}","code":200,"message":"behind "{id}""#),
        ] {
            assert_eq!(decoded(&payload).mentioned, None, "{payload}");
        }
    }

    #[test]
    fn code_at_the_end_of_a_reply_counts_unless_it_may_have_been_cut() {
        for (end, code) in [
            ("200", Some(200)),
            ("500", Some(500)),
            ("20", None),
            ("2", None),
            ("20x", None),
        ] {
            let found = decoded(&format!("{{\"id\":\"1000000000000004098\",\"code\":{end}"));
            assert_eq!((found.wire.is_some(), found.reply.code), (true, code), "{end}");
        }
    }

    #[test]
    fn raw_text_of_a_reply_is_bounded() {
        let long = format!(
            "{{\"id\":\"1000000000000004098\",\"code\":200,\"data\":\"{}",
            "é".repeat(200_000)
        );
        let kept: String = serde_json::from_str(&decoded(&long).reply.output.unwrap()).unwrap();
        assert!(kept.len() <= RAW_MAX_BYTES && long.starts_with(&kept));
    }

    proptest! {
        #[test]
        fn output_of_any_reply_is_json(payload: Vec<u8>) {
            let output = decode(&payload).reply.output;
            prop_assert!(output.is_none_or(|output| serde_json::from_str::<Value>(&output).is_ok()));
        }
    }
}
