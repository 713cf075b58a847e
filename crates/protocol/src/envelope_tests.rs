use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::*;

fn of(payload: &str) -> [Option<String>; 5] {
    let envelope = Envelope::read(payload.as_bytes());
    let raw = |value: Option<&str>| value.map(str::to_owned);
    [
        envelope.id(),
        raw(envelope.code()),
        raw(envelope.data()),
        raw(envelope.message()),
        raw(envelope.params()),
    ]
}

fn id_and_code(payload: &str) -> (Option<String>, Option<String>) {
    let [id, code, ..] = of(payload);
    (id, code)
}

#[test]
fn envelope_with_keys_in_any_order_repeated_or_unknown_is_read() {
    let [id, code, data, message, params] = of(r#" {"x":[{}],"data":1,"id":"7","data":2,"\u0063ode":200} "#);
    assert_eq!(id.as_deref(), Some("7"));
    assert_eq!(code.as_deref(), Some("200"));
    assert_eq!(data.as_deref(), Some("2"));
    assert_eq!((message, params), (None, None));
}

#[test]
fn envelope_of_a_payload_without_object_is_empty() {
    for payload in ["", "[]", "null", "OK", "{", "{}", "\"text\"", "id:7,code:200", "}{"] {
        assert_eq!(of(payload), [const { None }; 5], "{payload}");
    }
}

#[test]
fn envelope_of_spoiled_json_has_id_and_code() {
    for payload in [
        r#"{"id":"7","code":200,}"#,
        r#"{,"id":"7",,"code":200}"#,
        r#"{'id':'7','code':200,'data':{'it':"it's"}}"#,
        r#"{'id': '7', 'message': None, 'ok': True, 'code': 200}"#,
        r#"{id:"7",code:200}"#,
        "{id=7, code=200, data={result=42}}",
        r#"{"id" => "7", "code" => 200}"#,
        "{\"id\":\"7\",\"code\":200}{\"id\":\"8\",\"code\":500}",
        "{\"id\":\"7\",\"code\":200}garbage",
        "{\"id\":\"7\",\"code\":200}}",
        "noise {\"id\":\"7\",\"code\":200}",
        "{}{\"log\":{}}\n{\"id\":\"7\",\"code\":200}",
        "[{\"id\":\"7\",\"code\":200}]",
        "{\"id\":\"7\",\"code\":200,\"data\":{\"t\":NaN,\"u\":-Infinity}}",
        "{\"data\":{\"t\":NaN,\"u\":-Infinity},\"id\":\"7\",\"code\":200}",
        "{\"id\":\"7\",\"message\":\"two\nlines\u{1}\",\"code\":200}",
        "{\"message\":\"two\nlines\u{1}\",\"id\":\"7\",\"code\":200}",
        "{ // first\n\"id\":/* the id */\"7\",\n# last\n\"code\":200}",
        "{\"id\":\"7\",\"code\":200,\"data\":{\"a\":[1,2",
        "{\"id\":\"7\",\"code\":200,\"data\":\"cut of",
        "{\"id\":\"7\",\"code\":200,",
        "{\"id\":\"7\",\"code\":200,\"dat",
        "{\"code\":200 \"id\":\"7\"}",
        "{\"id\":\"7\" \"code\":200}",
        "{\"id\":\"7\"\n\"code\":200\n}",
        "{\"id\":\"7\",\"message\":\"sensor \"A\" is fine\",\"code\":200}",
        "{\"id\":\"7\",\"message\":\"said \"yes\", then \"no\"\",\"code\":200}",
        "{\"id\":\"7\",\"data\":.5,\"code\":200}",
        "{\"id\":\"7\",\"data\":,\"code\":200}",
        "{\"id\":\"7\",\"message\":\"\\q\\ud800\",\"code\":200}",
        r#""{\"id\":\"7\",\"code\":200}""#,
        r#"b'{"id":"7","code":200}'"#,
        r#""{"id":"7","code":200}""#,
        r#"{\"id\":\"7\",\"code\":200}"#,
        r#""id":"7","code":200,"data":{"a":1}}"#,
        "{\u{200b}\"id\":\u{3000}\"7\",\u{2028}\"code\":200\u{feff}}",
        "callback({\"id\":\"7\",\"code\":200});",
        r#"{"id":"7",OK,"code":200}"#,
    ] {
        let (id, code) = id_and_code(payload);
        assert_eq!((id.as_deref(), code.as_deref()), (Some("7"), Some("200")), "{payload}");
    }
}

#[test]
fn envelope_that_is_cut_off_has_no_value_that_may_have_been_longer() {
    assert_eq!(id_and_code("{\"id\":\"7\",\"code\":20"), (Some("7".to_owned()), None));
    assert_eq!(id_and_code("{\"code\":200,\"id\":\"7"), (None, Some("200".to_owned())));
    assert_eq!(id_and_code("{\"code\":200,\"id\":7"), (None, Some("200".to_owned())));
}

#[test]
fn envelope_has_no_id_from_inside_of_a_text_or_of_nested_data() {
    for payload in [
        r#"{"data":{"id":"7"},"code":200}"#,
        r#"{"data":[{"id":"7"}],"code":200}"#,
        r#"{"message":"{\"id\":\"7\"}","code":200}"#,
        r#"{"message":"the "id":"7" is unknown","code":200}"#,
        r#"{"message":"said "hi","id":"7","code":200}"#,
        r#"{"data":"id":"7"},"code":200}"#,
        r#"{"data":{"a":1,"id":"7","#,
        r#"{"data":{"a":[1},"id":"7"}"#,
        r#"{"data":{"a":"x},"id":"7"},"code":200}"#,
        r#"{"message":'it's","id":"7","code":200}"#,
        r#"{"x" "y":1,"id":"7"}"#,
        r#"{"message":"C:\","id":"7"}"#,
        r#"{"code":200}x"{"id":"7""#,
        r#"["{'id':'7','code':200}"]"#,
        r#""note {'id':'7','code':200}""#,
        r#""reply":{"id":"7","code":200}"#,
        r#"{\"message\":\"{\\\"id\\\":\\\"7\\\"}\"}"#,
        r#"[[{"id":"7","code":200}]]"#,
        "{\"data\":{\"a\":{\n# \"b\":{\"c\":1},\n},\n\"id\":\"7\"\n}},\"code\":200}",
        "{\"data\":{\"a\":1 /* { */},\"id\":\"7\"}",
    ] {
        let [id, ..] = of(payload);
        assert_eq!(id, None, "{payload}");
    }
}

#[test]
fn codes_that_are_guessed_and_differ_are_none() {
    let (id, code) = id_and_code(r#"{"id":"7","message":"wanted ","code":200,"x":" but it is "it"","code":500}"#);
    assert_eq!(
        (id.as_deref(), code),
        (Some("7"), None),
        "the first stands inside of what was a text"
    );
    let (_, code) = id_and_code(r#"{"id":"7","message":"an "x" y","code":200,"z":"u "v" w","code":500}"#);
    assert_eq!(code, None);
}

#[test]
fn envelope_of_hostile_payloads_is_read_in_bounded_work() {
    for part in [
        "[", "{", "{\"", "\"", "'", "\\", "/*", "//", "#", "\"a\":", "\",", "\" ", "{}", "\"\"", ":", ",", "a", "a=",
        "{a=", "[\"", "\"/", "\\\"", "\",a", "\",\"", " ",
    ] {
        let long = part.repeat(512 * 1024 / part.len());
        let _any = of(&format!("{{\"x\":{long}"));
        let _any = of(&format!("{{{long}"));
        let _any = of(&long);
    }
    let deep = format!(
        "{{\"x\":{0}{1},\"id\":\"7\"}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert_eq!(of(&deep)[0].as_deref(), Some("7"));
}

/// Any JSON, with texts and keys that look like what is looked for.
fn any_value() -> impl Strategy<Value = Value> {
    let decoy = prop::sample::select(vec![
        "DECOY",
        "\"id\":\"DECOY\"",
        "\",\"id\":\"DECOY\",\"x\":\"",
        "\",id:\"DECOY\",x:\"",
        "{\"id\":\"DECOY\"}",
        "},\"id\":\"DECOY\"",
        "\\",
        "'",
        "a b, c: d",
        "//",
        "#",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        decoy.prop_map(Value::from),
        Just(json!({"id": "DECOY", "code": 1})),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let key = prop_oneof![any::<String>(), Just("id".to_owned()), Just("x,y".to_owned())];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_member() -> impl Strategy<Value = (String, Value)> {
    let key = prop_oneof![
        Just("data".to_owned()),
        Just("message".to_owned()),
        Just("params".to_owned()),
        any::<String>().prop_filter("id and code stand once", |key| key != "id" && key != "code"),
    ];
    (key, any_value())
}

fn any_message() -> impl Strategy<Value = String> {
    let before = prop::collection::vec(any_member(), 0..3);
    let after = prop::collection::vec(any_member(), 0..3);
    (before, after, any::<bool>()).prop_map(|(before, after, pretty)| {
        let mut members: Vec<(String, Value)> = before;
        members.push(("id".to_owned(), json!("REAL")));
        members.push(("code".to_owned(), json!(200)));
        members.extend(after);
        let mut seen = BTreeMap::new();
        members.retain(|(key, _)| seen.insert(key.clone(), ()).is_none());
        let text = |value: &Value| {
            let text = if pretty {
                serde_json::to_string_pretty(value)
            } else {
                serde_json::to_string(value)
            };
            text.unwrap_or_default()
        };
        let members: Vec<String> = members
            .iter()
            .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), text(value)))
            .collect();
        format!("{{{}}}", members.join(","))
    })
}

proptest! {
    #[test]
    fn envelope_of_valid_json_is_what_any_reader_reads(message in any_message()) {
        let raw: BTreeMap<String, &RawValue> = serde_json::from_str(&message).unwrap();
        let expected = |name: &str| raw.get(name).map(|raw| raw.get().to_owned()).filter(|raw| raw != "null");
        let [id, code, data, text, params] = of(&message);
        prop_assert_eq!(id.as_deref(), Some("REAL"));
        prop_assert_eq!(code.as_deref(), Some("200"));
        prop_assert_eq!(data, expected("data"));
        prop_assert_eq!(text, expected("message"));
        prop_assert_eq!(params, expected("params"));
    }

    #[test]
    fn id_of_a_spoiled_message_is_its_own_or_none(message in any_message(), spoilings in spoilings()) {
        let spoiled = spoil(message.into_bytes(), &spoilings);
        let id = Envelope::read(&spoiled).id();
        let looked_for = id.is_none_or(|id| !id.contains("DECOY"));
        prop_assert!(looked_for, "{}", String::from_utf8_lossy(&spoiled));
    }

    #[test]
    fn envelope_of_any_bytes_is_read_without_harm(payload: Vec<u8>) {
        let _any = Envelope::read(&payload);
    }

    #[test]
    fn envelope_of_marks_in_any_order_is_read_without_harm(marks in "[\\{\\}\\[\\]:,\"'\\\\=/*# a1\\n]{0,60}") {
        let _any = Envelope::read(marks.as_bytes());
    }
}

#[derive(Debug, Clone)]
enum Spoiling {
    Cut(prop::sample::Index),
    Delete(prop::sample::Index),
    Insert(prop::sample::Index, u8),
}

fn spoilings() -> impl Strategy<Value = Vec<Spoiling>> {
    let at = any::<prop::sample::Index>;
    let byte = prop_oneof![any::<u8>(), prop::sample::select(&b"{}[],:\"'\\/#=\0 \xff"[..])];
    let one = prop_oneof![
        at().prop_map(Spoiling::Cut),
        at().prop_map(Spoiling::Delete),
        (at(), byte).prop_map(|(at, byte)| Spoiling::Insert(at, byte)),
    ];
    prop::collection::vec(one, 1..2)
}

fn spoil(mut message: Vec<u8>, spoilings: &[Spoiling]) -> Vec<u8> {
    for spoiling in spoilings {
        let length = message.len().max(1);
        match spoiling {
            Spoiling::Cut(at) => message.truncate(at.index(length)),
            Spoiling::Delete(at) if !message.is_empty() => drop(message.remove(at.index(length))),
            Spoiling::Delete(_) => {}
            Spoiling::Insert(at, byte) => message.insert(at.index(length).min(message.len()), *byte),
        }
    }
    message
}
