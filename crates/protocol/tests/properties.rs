//! Whatever arrives, reading it does not panic, and what we write we can read.

use aldis_core::command::Command;
use aldis_core::ids::{ATTEMPT_MAX, AttemptNo, TASK_NO_MAX, TaskNo, WireId};
use aldis_protocol::answers::answer;
use aldis_protocol::api_signature::SignedCall;
use aldis_protocol::envelope::Envelope;
use aldis_protocol::keys::{check_device_key, check_product_key};
use aldis_protocol::login::Login;
use aldis_protocol::payload::CommandBody;
use aldis_protocol::reply::decode;
use aldis_protocol::report;
use aldis_protocol::sub_devices::{Outcome, Refused, Request};
use aldis_protocol::subscription::coverage;
use aldis_protocol::topic::{Meaning, REPLY_SUFFIX, Upstream, command_path};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Text made of what topics, logins and JSON are made of, so that it often comes close to being right.
fn nearly_right() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "/sys/",
        "/ext/session/",
        "pk",
        "dk",
        "/",
        "thing/service/",
        "measurepoint/set",
        "_reply",
        "integration",
        "+",
        "#",
        "|",
        "&",
        "=",
        ",",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "\\",
        "\\u",
        "id",
        "code",
        "data",
        "message",
        "params",
        ":",
        "200",
        "-1",
        "1e9",
        "null",
        "compress",
        "combine/login",
        "thing/topo/add",
        "productKey",
        "sign",
        "timestamp",
        "securemode",
        "%",
        "泵",
        "\0",
        " ",
    ];
    let piece = prop_oneof![8 => prop::sample::select(PIECES).prop_map(str::to_owned), 1 => any::<String>()];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn key() -> impl Strategy<Value = String> {
    "[^/+#&|%\\p{Cc}]{1,5}"
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..4)
                .prop_map(|members| Value::from(Map::from_iter(members))),
        ]
    })
}

fn command() -> impl Strategy<Value = Command> {
    let input = prop::collection::vec((any::<String>(), json_value()), 0..4).prop_map(Map::from_iter);
    prop_oneof![
        ("[^/+#\\p{Cc}\\s]{1,12}", input).prop_map(|(service_id, input)| Command::InvokeService { service_id, input }),
        (any::<String>(), json_value())
            .prop_map(|(measurepoint_id, value)| Command::SetMeasurepoint { measurepoint_id, value }),
    ]
}

fn wire() -> impl Strategy<Value = WireId> {
    (0..=TASK_NO_MAX, 0..=ATTEMPT_MAX).prop_map(|(task, attempt)| WireId::new(TaskNo(task), AttemptNo(attempt)))
}

/// Any value of any type where a gateway's request should have something.
fn gateway_request() -> impl Strategy<Value = (&'static str, Value)> {
    const PATHS: [&str; 7] = [
        "/ext/session/pk/dk/combine/login",
        "/ext/session/pk/dk/combine/login/batch",
        "/ext/session/pk/dk/combine/logout",
        "/sys/pk/dk/thing/topo/add",
        "/sys/pk/dk/thing/topo/get",
        "/sys/pk/dk/thing/topo/delete",
        "/sys/pk/dk/thing/device/register",
    ];
    const NAMES: [&str; 12] = [
        "productKey",
        "deviceKey",
        "clientId",
        "timestamp",
        "signMethod",
        "secureMode",
        "cleanSession",
        "sign",
        "subDevices",
        "deviceName",
        "deviceAttributes",
        "timezone",
    ];
    let object = prop::collection::vec((prop::sample::select(&NAMES[..]), json_value()), 0..9).prop_map(|members| {
        Value::from(Map::from_iter(
            members.into_iter().map(|(name, value)| (name.to_owned(), value)),
        ))
    });
    let object = object.boxed();
    let list = prop::collection::vec(object.clone(), 0..3).prop_map(Value::from);
    let params = prop_oneof![object, list, json_value()];
    (prop::sample::select(&PATHS[..]), params)
}

proptest! {
    #[test]
    fn whatever_a_gateway_asks_is_answered_in_the_shape_of_its_request((topic, params) in gateway_request(), signed: bool) {
        let mut params = params;
        if signed && let Some(fields) = params.as_object_mut() {
            for name in ["productKey", "deviceKey", "clientId", "timestamp", "sign"] {
                fields.insert(name.to_owned(), json!("1"));
            }
        }
        let payload = json!({"id": "1", "params": params}).to_string();
        let request = Request::read(&Upstream::parse(topic).unwrap(), &Envelope::read(payload.as_bytes())).unwrap();
        let answer = request.answer(&Outcome::Refused(Refused::Unavailable));
        prop_assert_eq!(answer.topic, format!("{topic}{REPLY_SUFFIX}"));
        let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
        let lists = topic.ends_with("topo/get") || topic.ends_with("register");
        prop_assert_eq!(answer["data"].is_array(), lists, "{}", answer);
        if topic.ends_with("login") || topic.ends_with("logout") {
            prop_assert!(answer["data"]["deviceKey"].is_string(), "{}", answer);
        }
    }

    #[test]
    fn no_text_makes_a_reader_panic(one in nearly_right(), other in nearly_right(), bytes: Vec<u8>) {
        let _login = Login::parse(&one, &other).map(|login| login.verify(&bytes, &other));
        let _covered = coverage(&one, "pk", "dk");
        let _checked = (check_product_key(&one), check_device_key(&one));
        let _decoded = (decode(one.as_bytes()), decode(&bytes));
        let call = SignedCall { token: &one, query: &other, body: &bytes, timestamp: &one };
        prop_assert!(call.verify(&one, &call.sign(&one)));
        if let Some(upstream) = Upstream::parse(&one) {
            prop_assert_eq!(&upstream.to_topic(), &one);
            let other = Envelope::read(other.as_bytes());
            let _asked = Request::read(&upstream, &other);
            let _reported = report::read(&upstream, &other);
            let answered = answer(&upstream, &other, "pk", "dk");
            prop_assert!(answered.is_none() || !one.ends_with(REPLY_SUFFIX));
        }
    }

    #[test]
    fn the_reply_topic_of_a_command_leads_back_to_it(pk in key(), dk in key(), command in command()) {
        let topic = format!("/sys/{pk}/{dk}/{}{REPLY_SUFFIX}", command_path(&command));
        let upstream = Upstream::parse(&topic).unwrap();
        prop_assert!(upstream.is_of(&pk, &dk));
        prop_assert_eq!(upstream.to_topic(), topic.as_str());
        let expected = match &command {
            Command::InvokeService { service_id, .. } => Meaning::ServiceReply(service_id),
            Command::SetMeasurepoint { .. } => Meaning::SetReply,
        };
        prop_assert_eq!(upstream.meaning(), expected);
        prop_assert_eq!(answer(&upstream, &Envelope::read(b"{\"id\":\"1\"}"), &pk, &dk), None);
    }

    #[test]
    fn a_payload_carries_id_and_input_unchanged(command in command(), wire in wire()) {
        let mut payload = Vec::new();
        CommandBody::prepare(&command).encode(wire, &mut payload);
        let payload: Value = serde_json::from_slice(&payload).unwrap();
        prop_assert_eq!(&payload["id"], &Value::from(wire.to_string()));
        let params = match command {
            Command::InvokeService { input, .. } => Value::from(input),
            Command::SetMeasurepoint { measurepoint_id, value } => json!({ measurepoint_id: value }),
        };
        prop_assert_eq!(&payload["params"], &params);
        prop_assert_eq!(payload.as_object().unwrap().len(), 4);
    }

    #[test]
    fn a_reply_says_what_the_device_said(wire in wire(), code: i64, data in json_value(), text: String, quoted: bool) {
        let code_json = if quoted { json!(code.to_string()) } else { json!(code) };
        let reply = json!({"id": wire.to_string(), "code": code_json, "data": data, "message": text});
        let read = decode(reply.to_string().as_bytes());
        prop_assert_eq!(read.wire, Some(wire));
        prop_assert_eq!(read.reply.code, Some(code));
        prop_assert_eq!(read.reply.message, Some(text));
        let output = read.reply.output.map_or(Value::Null, |output| serde_json::from_str(&output).unwrap());
        prop_assert_eq!(output, data);
    }

    #[test]
    fn whatever_output_is_kept_is_json(data in nearly_right()) {
        let read = decode(format!("{{\"data\":{data}}}").as_bytes());
        if let Some(output) = read.reply.output {
            prop_assert!(serde_json::from_str::<Value>(&output).is_ok(), "{}", output);
        }
    }
}
