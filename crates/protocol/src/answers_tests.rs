use super::*;

const EMPTY: &str = "{}";

fn ask(topic: &str, payload: &str) -> Option<(String, Value)> {
    let answer = answer(
        &Upstream::parse(topic)?,
        &Envelope::read(payload.as_bytes()),
        "pk",
        "dk",
    )?;
    Some((answer.topic, serde_json::from_slice(&answer.payload).unwrap()))
}

/// Code and data of the answer to a request; checks what all answers have in common.
fn outcome(path: &str, params: &str) -> (u64, String) {
    let topic = match path.starts_with("combine/") {
        true => format!("/ext/session/pk/dk/{path}"),
        false => format!("/sys/pk/dk/{path}"),
    };
    let request = format!("{{\"id\":\"17\",\"version\":\"1.0\",\"method\":\"anything\",\"params\":{params}}}");
    let (answered_on, answer) = ask(&topic, &request).unwrap();
    assert_eq!(answered_on, format!("{topic}_reply"));
    assert_eq!(answer["id"], "17", "{path}");
    assert_eq!(answer.as_object().unwrap().len(), 4, "{path}");
    let code = answer["code"].as_u64().unwrap();
    assert_eq!(code == 200, answer["message"] == "", "{path}");
    (code, answer["data"].to_string())
}

#[test]
fn what_devices_post_and_query_is_accepted_with_an_empty_object() {
    for path in [
        "thing/measurepoint/post",
        "thing/measurepoint/post/batch",
        "thing/measurepoint/resume",
        "thing/measurepoint/resume/batch",
        "thing/event/overheat/post",
        "thing/attribute/update",
        "thing/attribute/query",
        "thing/attribute/delete",
        "thing/tag/update",
        "thing/tag/query",
        "thing/tag/delete",
        "ota/device/inform",
        "ota/device/progress",
        "ota/device/request",
        "thing/log/post",
        "network/status/report",
        "connection/state/post",
        "something/quite/unknown",
    ] {
        assert_eq!(outcome(path, EMPTY), (200, EMPTY.to_owned()), "{path}");
    }
}

#[test]
fn list_of_versions_is_empty_but_a_list() {
    assert_eq!(outcome("ota/device/getversion", EMPTY), (200, "[]".to_owned()));
}

#[test]
fn foreign_keys_have_no_permission() {
    for topic in [
        "/sys/pk/other/thing/measurepoint/post",
        "/sys/other/dk/thing/measurepoint/post",
        "/ext/session/pk/other/combine/login",
        "/sys/pk/integration/measurepoint/post",
    ] {
        let (answered_on, answer) = ask(topic, r#"{"id":"1"}"#).unwrap();
        assert_eq!(answered_on, format!("{topic}_reply"));
        assert_eq!(answer["code"], 1009, "{topic}");
    }
}

#[test]
fn a_numeric_id_comes_back_as_a_string() {
    let id = |id: &str| {
        let request = format!("{{\"id\":{id}}}");
        ask("/sys/pk/dk/thing/tag/query", &request).map(|(_, answer)| answer["id"].clone())
    };
    assert_eq!(id("7"), Some(json!("7")));
    assert_eq!(id("\"a\\\"\\u6cf5\""), Some(json!("a\"泵")));
    assert_eq!(id("null"), None);
    assert_eq!(id("{}"), None);
}

#[test]
fn without_an_id_there_is_nothing_to_answer() {
    for payload in ["", "{}", "[]", "not json", r#"{"id":"1"#] {
        assert_eq!(ask("/sys/pk/dk/thing/measurepoint/post", payload), None, "{payload}");
    }
}

#[test]
fn replies_are_never_answered() {
    for topic in [
        "/sys/pk/dk/thing/service/x_reply",
        "/sys/pk/dk/thing/service/measurepoint/set_reply",
        "/sys/pk/dk/thing/measurepoint/post_reply",
        "/sys/pk/dk/thing/service/x_reply_reply",
        "/sys/pk/other/thing/service/x_reply",
        "/sys/pk/dk/thing/service/x",
        "/sys/pk/dk/rrpc/response/1",
        "/sys/pk/dk/traffic/control",
        "/sys/pk/dk/thing/model/up_raw_reply",
    ] {
        assert_eq!(ask(topic, r#"{"id":"1"}"#), None, "{topic}");
    }
}

#[test]
fn raw_bytes_are_answered_with_empty_bytes() {
    let topic = Upstream::parse("/sys/pk/dk/thing/model/up_raw").unwrap();
    let expected = AnswerMessage {
        topic: "/sys/pk/dk/thing/model/up_raw_reply".to_owned(),
        payload: Vec::new(),
    };
    assert_eq!(answer(&topic, &Envelope::read(b"\xff\x00"), "pk", "dk"), Some(expected));
    let foreign = Upstream::parse("/sys/pk/other/thing/model/up_raw").unwrap();
    assert_eq!(answer(&foreign, &Envelope::read(b"\xff\x00"), "pk", "dk"), None);
}

#[test]
fn an_integration_channel_posts_for_its_product_and_does_nothing_else() {
    let code = |topic: &str, channel_of| {
        let upstream = Upstream::parse(topic).unwrap();
        let request = Envelope::read(br#"{"id":7,"params":[{"deviceKey":"d1"}]}"#);
        let answer = answer_guest(&upstream, &request, channel_of).unwrap();
        assert_eq!(answer.topic, format!("{topic}_reply"));
        let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
        assert_eq!((&answer["id"], &answer["data"]), (&json!("7"), &json!({})));
        answer["code"].as_u64().unwrap()
    };
    let post = "/sys/pk/integration/measurepoint/post";
    assert_eq!(code(post, Some("pk")), 200);
    assert_eq!(code(post, Some("pk2")), 1009);
    assert_eq!(code(post, None), 1009);
    assert_eq!(code("/sys/pk/dk/thing/measurepoint/post", Some("pk")), 1009);
    let raw = Upstream::parse("/sys/pk/integration/model/up_raw").unwrap();
    assert_eq!(
        answer_guest(&raw, &Envelope::read(b"\0"), Some("pk")).unwrap().payload,
        b""
    );
    assert_eq!(answer_guest(&raw, &Envelope::read(b"\0"), None), None);
}
