//! The payload of a command on its way down (docs/device-protocol.md, "Commands").
//!
//! All devices of a job get the same bytes but for the id, so these are prepared once and only the id is filled in.

use aldis_core::command::Command;
use aldis_core::ids::WireId;
use serde_json::{Map, Value, json};

use crate::topic::service_path;

const HEAD: &[u8] = b"{\"id\":\"";
const ID_BYTES: usize = 19;

/// Everything of a command's payload that does not depend on the device or the attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandBody {
    /// From the quote after the id to the end.
    tail: Vec<u8>,
}

impl CommandBody {
    /// Prepares a command for sending. It is written as it is: whether it fits the thing model was decided before.
    #[must_use]
    pub fn prepare(command: &Command) -> Self {
        let method = Value::from(method(command));
        let params = Value::from(params(command));
        let tail = format!("\",\"version\":\"1.0\",\"method\":{method},\"params\":{params}}}");
        Self {
            tail: tail.into_bytes(),
        }
    }

    /// Appends the payload of one attempt: compact JSON in UTF-8.
    pub fn encode(&self, wire: WireId, into: &mut Vec<u8>) {
        into.extend_from_slice(HEAD);
        into.extend_from_slice(wire.to_string().as_bytes());
        into.extend_from_slice(&self.tail);
    }

    /// How long every payload of this command is, in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        HEAD.len() + ID_BYTES + self.tail.len()
    }
}

/// The method name that goes with a command's topic.
#[must_use]
pub fn method(command: &Command) -> String {
    format!("thing.service.{}", service_path(command).replace('/', "."))
}

fn params(command: &Command) -> Map<String, Value> {
    match command {
        Command::InvokeService { input, .. } => input.clone(),
        Command::SetMeasurepoint { measurepoint_id, value } => {
            Map::from_iter([(measurepoint_id.clone(), json!(value))])
        }
    }
}

#[cfg(test)]
mod tests {
    use aldis_core::ids::{AttemptNo, TaskNo};

    use super::*;

    fn text(command: &Command) -> String {
        let body = CommandBody::prepare(command);
        let mut payload = Vec::new();
        body.encode(WireId::new(TaskNo(1), AttemptNo(2)), &mut payload);
        assert_eq!(payload.len(), body.encoded_len());
        String::from_utf8(payload).unwrap()
    }

    fn invoke(service_id: &str, input: Value) -> Command {
        let Value::Object(input) = input else {
            panic!("inputs are objects")
        };
        Command::InvokeService {
            service_id: service_id.to_owned(),
            input,
        }
    }

    #[test]
    fn a_service_invocation_has_all_four_keys() {
        let expected = r#"{"id":"1000000000000004098","version":"1.0","method":"thing.service.multiply","params":{"left":6,"right":7}}"#;
        assert_eq!(text(&invoke("multiply", json!({"left": 6, "right": 7}))), expected);
    }

    #[test]
    fn params_are_there_without_any_input() {
        assert!(text(&invoke("reboot", json!({}))).ends_with(r#""method":"thing.service.reboot","params":{}}"#));
    }

    #[test]
    fn a_set_names_the_point_and_its_value() {
        let set = Command::SetMeasurepoint {
            measurepoint_id: "temp".to_owned(),
            value: json!({"value": 30.5}),
        };
        let expected = r#"{"id":"1000000000000004098","version":"1.0","method":"thing.service.measurepoint.set","params":{"temp":{"value":30.5}}}"#;
        assert_eq!(text(&set), expected);
    }

    #[test]
    fn any_name_and_text_makes_valid_json() {
        let command = invoke("a\"b\\泵", json!({"\"": "line\nbreak\u{0}泵"}));
        let read: Value = serde_json::from_str(&text(&command)).unwrap();
        assert_eq!(read["method"], "thing.service.a\"b\\泵");
        assert_eq!(read["params"], json!({"\"": "line\nbreak\u{0}泵"}));
    }
}
