use super::*;

const PY: &str = "9681ec4e389b97467cb85b827895be4801ba1ffedb0feab06ac6f819d3f3fd1f";
const JV: &str = "a53fd4490b3898f0cc725b6e6fbe9bd76c959690bad712ec0148de8d8a9c1e5e";
const ND: &str = "A76639B7302F0611AE92350EAD2BBC8F85DFC968C2511492BC529052B2A0654A";
const C: &str = "527FCDB37A8098D0288C30C076AB1E0D2471112B48668234D3B05857C604A307";
/// As ND, but `cleanSession` with the value `true` is signed too.
const CLEAN: &str = "234fddb30015831229d7e4a671ec1124aec19068b6f34f3f21b1e00c2d25d45e";
/// As ND, with SHA-1.
const SHA1: &str = "E5D2528B6C0C2D91F5AAE6EB96FA802FA00AA1A4";
const BATCH: &str = "4b60f788ead406294b7d7930052cdbf56d051dad871fca79572e8b90b957bb04";
const TOPOLOGY_C: &str = "5425F98A6D3FA45AFA9317C81883B851F88A508E3690E5220BF0E51996B8B04A";

fn read(path: &str, params: &str) -> Request {
    let topic = match path.starts_with("combine/") {
        true => format!("/ext/session/pk/dk/{path}"),
        false => format!("/sys/pk/dk/{path}"),
    };
    let payload = format!("{{\"id\":\"17\",\"version\":\"1.0\",\"method\":\"anything\",\"params\":{params}}}");
    Request::read(&Upstream::parse(&topic).unwrap(), &Envelope::read(payload.as_bytes())).unwrap()
}

fn login(params: &str) -> Result<SubLogin, Refused> {
    match read("combine/login", params).asks {
        GatewayRequest::Login(login) => Ok(login),
        GatewayRequest::Senseless(refused) => Err(refused),
        other => panic!("{other:?}"),
    }
}

fn sub_device_keys() -> DeviceKeys {
    DeviceKeys {
        product_key: "spk".into(),
        device_key: "sdk".into(),
    }
}

/// Code, data and message of an answer; checks what all have in common.
fn answered(request: &Request, outcome: &Outcome) -> (u64, String, String) {
    let AnswerMessage { topic, payload } = request.answer(outcome);
    assert!(topic.ends_with(REPLY_SUFFIX), "{topic}");
    let answer: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!((answer.as_object().unwrap().len(), &answer["id"]), (4, &json!("17")));
    let code = answer["code"].as_u64().unwrap();
    assert_eq!(code == 200, answer["message"] == "", "{answer}");
    (
        code,
        answer["data"].to_string(),
        answer["message"].as_str().unwrap().to_owned(),
    )
}

#[test]
fn the_logins_of_all_libraries_are_read_and_verified() {
    let cases = [
        (
            "Python",
            r#"{"productKey": "spk", "deviceKey": "sdk", "clientId": "spksdk1700000000000", "timestamp": "1700000000000",
                "signMethod": "hmacsha256", "secureMode": "2", "cleanSession": "False", "sign": "SIGN"}"#,
            PY,
        ),
        (
            "Java",
            r#"{"productKey":"spk","deviceKey":"sdk","clientId":"spk.sdk.1700000000000","timestamp":"1700000000000",
                "signMethod":"sha256","secureMode":"2","cleanSession":"true","sign":"SIGN"}"#,
            JV,
        ),
        (
            "Node.js",
            r#"{"productKey":"spk","deviceKey":"sdk","clientId":"sdk","timestamp":1700000000000,"signMethod":"sha256",
                "sign":"SIGN"}"#,
            ND,
        ),
        (
            "C",
            r#"{"productKey":"spk","deviceKey":"sdk","clientId":"spksdk","timestamp":"86400123","signMethod":"Sha256",
                "cleanSession":"true","sign":"SIGN"}"#,
            C,
        ),
        (
            "the documentation",
            r#"{"productKey":"spk","deviceKey":"sdk","clientId":"sdk","timestamp":1700000000000,"signMethod":"sha256",
                "secureMode":2,"cleanSession":true,"sign":"SIGN"}"#,
            CLEAN,
        ),
        (
            "an older one",
            r#"{"ProductKey":"spk","devicekey":"sdk","clientId":"sdk","timestamp":1.7e12,"signmethod":"hmacsha1",
                "securemode":null,"sign":"SIGN"}"#,
            SHA1,
        ),
    ];
    for (library, params, sign) in cases {
        let login = login(&params.replace("SIGN", sign)).unwrap();
        assert_eq!(login.keys(), sub_device_keys(), "{library}");
        assert!(login.verify("s1"), "{library}");
        assert!(!login.verify("s2"), "{library}");
        assert!(!login.is_by_product(), "{library}");
    }
}

#[test]
fn the_product_may_sign_for_its_device() {
    let mode = |mode: &str| {
        let params =
            r#"{"productKey":"spk","deviceKey":"sdk","clientId":"sdk","timestamp":"1","sign":"0","secureMode":MODE}"#;
        login(&params.replace("MODE", mode)).map(|login| login.is_by_product())
    };
    for (given, expected) in [
        ("3", Ok(true)),
        ("\"3\"", Ok(true)),
        ("\" 2 \"", Ok(false)),
        ("null", Ok(false)),
        ("4", Err(Refused::Malformed)),
        ("\"\"", Err(Refused::Malformed)),
        ("[3]", Ok(false)),
    ] {
        assert_eq!(mode(given), expected, "{given}");
    }
}

#[test]
fn a_batch_has_one_client_id_and_timestamp_for_all() {
    let device =
        |key: &str, sign: &str| format!(r#"{{"productKey":"spk","deviceKey":"{key}","secureMode":2,"sign":"{sign}"}}"#);
    let devices = [
        device("sdk", BATCH),
        device("other", BATCH),
        r#"{"productKey":"spk","deviceKey":"unsigned"}"#.to_owned(),
    ];
    let params = format!(
        r#"{{"clientId": "login.batch", "timestamp": "1700000000.25", "signMethod": "hmacsha256", "subDevices": [{}]}}"#,
        devices.join(",")
    );
    let GatewayRequest::LoginAll(logins, unread) = read("combine/login/batch", &params).asks else {
        panic!("a batch")
    };
    let verified: Vec<bool> = logins.iter().map(|login| login.verify("s1")).collect();
    assert_eq!(verified, [true, false]);
    assert_eq!(unread[0].device_key.as_str(), "unsigned");
}

#[test]
fn an_element_that_cannot_be_read_keeps_no_other_out() {
    let common = r#""clientId":"login.batch","timestamp":"1","signMethod":"sha256""#;
    let batch = |elements: &str| {
        read(
            "combine/login/batch",
            &format!(r#"{{{common},"subDevices":[{elements}]}}"#),
        )
    };
    let request = batch(r#"{"productKey":"spk","deviceKey":"sdk","sign":"00"},{"productKey":"spk"},7"#);
    let GatewayRequest::LoginAll(logins, unread) = &request.asks else {
        panic!("{request:?}")
    };
    assert_eq!((logins.len(), unread.len()), (1, 2));
    let failed = unread.iter().map(|keys| (keys.clone(), Refused::Malformed));
    let (code, data, message) = answered(&request, &Outcome::LoggedInAll(vec![], failed.collect()));
    assert_eq!(
        (code, data.as_str()),
        (723, r#"{"failedSubDevices":[],"loginedSubDevices":[]}"#)
    );
    assert!(message.starts_with("2 refused; one without keys: "), "{message}");
    for nothing in [r#"{"productKey":"spk"}"#, "7,[]"] {
        assert_eq!(
            batch(nothing).asks,
            GatewayRequest::Senseless(Refused::Malformed),
            "{nothing}"
        );
    }
}

#[test]
fn a_request_on_a_topic_of_another_is_refused_in_the_shape_of_its_answer() {
    let refused = |path: &str| {
        let upstream = Upstream::parse(path).unwrap();
        let answer = Request::refuse(&upstream, &Envelope::read(br#"{"id":7,"params":"whatever"}"#))?;
        let answer: serde_json::Value = serde_json::from_slice(&answer.payload).unwrap();
        Some((answer["code"].as_u64().unwrap(), answer["data"].to_string()))
    };
    let lists = r#"{"failedSubDevices":[],"loginedSubDevices":[]}"#;
    let cases = [
        ("/sys/pk/dk/thing/topo/get", "[]"),
        ("/sys/pk/dk/thing/device/register", "[]"),
        ("/sys/pk/dk/thing/topo/add", "{}"),
        ("/ext/session/pk/dk/combine/login/batch", lists),
    ];
    for (topic, data) in cases {
        assert_eq!(refused(topic), Some((1009, data.to_owned())), "{topic}");
    }
    assert_eq!(refused("/sys/pk/dk/thing/tag/query"), None);
}

#[test]
fn additions_to_the_topology_are_signed_like_logins() {
    let params = format!(
        r#"[{{"productKey":"spk","deviceKey":"sdk","clientId":"spk.sdk","timestamp":"86400123","signmethod":"hmacSha256","sign":"{TOPOLOGY_C}"}}]"#
    );
    let GatewayRequest::AddToTopology(logins, unread) = read("thing/topo/add", &params).asks else {
        panic!("an addition")
    };
    assert!(logins[0].verify("s1") && unread.is_empty());
}

#[test]
fn what_makes_no_sense_is_told_apart() {
    let many = format!("[{}]", vec!["{}"; 1001].join(","));
    let cases = [
        ("combine/login", "null", 1251),
        ("combine/login", "[]", 1220),
        ("combine/login", "{}", 1220),
        (
            "combine/login",
            r#"{"productKey":"spk","deviceKey":"","clientId":"c","timestamp":"1","sign":"0"}"#,
            1220,
        ),
        (
            "combine/login",
            r#"{"productKey":"spk","deviceKey":"sdk","clientId":"c","sign":"0"}"#,
            1220,
        ),
        (
            "combine/login",
            r#"{"productKey":"spk","deviceKey":"sdk","clientId":"c","timestamp":"1","sign":"0","signMethod":"crc"}"#,
            1220,
        ),
        ("combine/login/batch", r#"{"clientId":"c","timestamp":"1"}"#, 1220),
        (
            "combine/login/batch",
            r#"{"clientId":"c","timestamp":"1","subDevices":[]}"#,
            1220,
        ),
        ("combine/logout", r#"{"productKey":"spk"}"#, 1220),
        ("thing/topo/add", r#"{"productKey":"spk"}"#, 1220),
        ("thing/topo/delete", "[7]", 1220),
        ("thing/topo/delete", &many, 1008),
        ("thing/device/register", r#"[{"deviceName":"n"}]"#, 1220),
        (
            "thing/device/register",
            r#"[{"productKey":"spk","deviceName":{}}]"#,
            1220,
        ),
        (
            "thing/device/register",
            r#"[{"productKey":"spk","deviceAttributes":[]}]"#,
            1220,
        ),
    ];
    for (path, params, code) in cases {
        let request = read(path, params);
        let GatewayRequest::Senseless(refused) = request.asks else {
            panic!("{path} {params}: {request:?}")
        };
        assert_eq!(
            answered(&request, &Outcome::Refused(refused)).0,
            code,
            "{path} {params}"
        );
    }
}

#[test]
fn a_request_needs_a_topic_of_these_and_an_id() {
    let of = |topic: &str, payload: &str| {
        Request::read(&Upstream::parse(topic).unwrap(), &Envelope::read(payload.as_bytes())).is_some()
    };
    assert!(of("/sys/pk/dk/thing/topo/get", r#"{"id":7}"#));
    assert!(!of("/sys/pk/dk/thing/topo/get", "{}"));
    assert!(!of("/sys/pk/dk/thing/topo/get", "no json"));
    assert!(!of("/sys/pk/dk/combine/login", r#"{"id":"7","params":{}}"#));
    assert!(!of("/ext/session/pk/dk/thing/topo/get", r#"{"id":"7"}"#));
    assert!(!of("/sys/pk/dk/thing/measurepoint/post", r#"{"id":"7"}"#));
}

#[test]
fn a_registration_takes_names_in_either_form() {
    let params = r#"[{"productKey":"spk","deviceKey":"sdk"},
        {"productKey":"spk","deviceName":{"defaultValue":"Pump","i18nValue":{}},"deviceAttributes":{"a":1},"timezone":"+08:00"},
        {"productKey":"spk","deviceName":"Pump","deviceDesc":"d","deviceKey":""}]"#;
    let GatewayRequest::Register(devices, 0) = read("thing/device/register", params).asks else {
        panic!("a registration")
    };
    let names: Vec<Option<&str>> = devices
        .iter()
        .map(|new| new.name.as_ref().map(|name| name.default_value.as_str()))
        .collect();
    assert_eq!(names, [None, Some("Pump"), Some("Pump")]);
    assert_eq!(
        (devices[0].device_key.as_deref(), devices[2].device_key.as_deref()),
        (Some("sdk"), None)
    );
    assert_eq!(
        (devices[1].attributes.len(), devices[1].timezone.as_deref()),
        (1, Some("+08:00"))
    );
}

#[test]
fn answers_have_the_shape_that_libraries_insist_on() {
    let known = SubDeviceInfo {
        asset_id: "a1".to_owned(),
        keys: sub_device_keys(),
        secret: Some("hush".into()),
    };
    let plain = SubDeviceInfo {
        secret: None,
        ..known.clone()
    };
    let signed = format!(r#"{{"productKey":"spk","deviceKey":"sdk","clientId":"sdk","timestamp":"1","sign":"{ND}"}}"#);
    let batch = format!(r#"{{"subDevices":[{signed}]}}"#);
    let keys = r#"{"deviceKey":"sdk","productKey":"spk"}"#;
    let asset = r#"{"assetId":"a1","deviceKey":"sdk","productKey":"spk"}"#;
    let with_secret = r#"{"assetId":"a1","deviceKey":"sdk","deviceSecret":"hush","productKey":"spk"}"#;
    let no = Refused::NotASubDevice;
    let cases = [
        (
            "combine/login",
            signed.as_str(),
            Outcome::LoggedIn(plain.clone()),
            200,
            asset.to_owned(),
        ),
        (
            "combine/login",
            &signed,
            Outcome::LoggedIn(known.clone()),
            200,
            with_secret.to_owned(),
        ),
        ("combine/login", &signed, Outcome::Refused(no), 740, keys.to_owned()),
        (
            "combine/login",
            "{}",
            Outcome::Refused(Refused::Malformed),
            1220,
            r#"{"deviceKey":"","productKey":""}"#.to_owned(),
        ),
        ("combine/logout", keys, Outcome::LoggedOut, 200, keys.to_owned()),
        (
            "combine/login/batch",
            &batch,
            Outcome::LoggedInAll(vec![plain], vec![]),
            200,
            format!(r#"{{"failedSubDevices":[],"loginedSubDevices":[{asset}]}}"#),
        ),
        (
            "combine/login/batch",
            &batch,
            Outcome::LoggedInAll(vec![], vec![(sub_device_keys(), no)]),
            723,
            format!(r#"{{"failedSubDevices":[{keys}],"loginedSubDevices":[]}}"#),
        ),
        (
            "combine/login/batch",
            &batch,
            Outcome::Refused(Refused::Unavailable),
            500,
            format!(r#"{{"failedSubDevices":[{keys}],"loginedSubDevices":[]}}"#),
        ),
        ("thing/topo/add", "[]", Outcome::Added(vec![]), 200, "{}".to_owned()),
        (
            "thing/topo/add",
            "[]",
            Outcome::Added(vec![(sub_device_keys(), no)]),
            1255,
            "{}".to_owned(),
        ),
        (
            "thing/topo/delete",
            "[]",
            Outcome::Removed(vec![(sub_device_keys(), no)]),
            1256,
            "{}".to_owned(),
        ),
        (
            "thing/topo/get",
            "{}",
            Outcome::Topology(vec![sub_device_keys()]),
            200,
            format!("[{keys}]"),
        ),
        (
            "thing/device/register",
            "[]",
            Outcome::Registered(vec![known.clone()], None),
            200,
            format!("[{with_secret}]"),
        ),
        (
            "thing/device/register",
            "[]",
            Outcome::Registered(vec![known], Some(Refused::Taken)),
            702,
            format!("[{with_secret}]"),
        ),
        (
            "thing/device/register",
            "[]",
            Outcome::Refused(Refused::NotPermitted),
            1009,
            "[]".to_owned(),
        ),
    ];
    for (path, params, outcome, code, data) in cases {
        let (found, shape, _) = answered(&read(path, params), &outcome);
        assert_eq!((found, shape), (code, data), "{path} {outcome:?}");
    }
    let (_, _, message) = answered(
        &read("thing/topo/add", "[]"),
        &Outcome::Added(vec![(sub_device_keys(), no); 2]),
    );
    assert_eq!(
        message,
        "2 refused; spk/sdk: the device is not a sub-device of this gateway"
    );
}

#[test]
fn gateways_are_told_with_one_object_and_a_long_id() {
    for (change, word) in [
        (LifecycleChange::Enabled, "enable"),
        (LifecycleChange::Disabled, "disable"),
        (LifecycleChange::Deleted, "delete"),
    ] {
        let told = change.notification(117_000_000_000_000_001, "pk", "dk", &sub_device_keys());
        assert_eq!(told.topic, format!("/ext/session/pk/dk/combine/{word}"));
        let payload: Value = serde_json::from_slice(&told.payload).unwrap();
        let expected = json!({"id": "117000000000000001", "version": "1.0", "method": format!("combine.{word}"),
            "params": {"productKey": "spk", "deviceKey": "sdk"}});
        assert_eq!(payload, expected);
        let reply = format!("{}{REPLY_SUFFIX}", told.topic);
        assert!(Request::read(&Upstream::parse(&reply).unwrap(), &Envelope::read(&told.payload)).is_none());
    }
}

#[test]
fn device_that_cannot_be_read_keeps_no_other_out_of_a_list() {
    let list = r#"[{"productKey":"spk","deviceKey":"a"},{"productKey":NaN,"deviceKey":"b"},7,{'productKey':'spk','deviceKey':'c'},]"#;
    let GatewayRequest::RemoveFromTopology(keys, unread) = read("thing/topo/delete", list).asks else {
        panic!("a removal")
    };
    let keys: Vec<&str> = keys.iter().map(|keys| keys.device_key.as_str()).collect();
    assert_eq!((keys, unread.len()), (vec!["a", "c"], 2));
    let GatewayRequest::Register(devices, unread) = read("thing/device/register", list).asks else {
        panic!("a registration")
    };
    assert_eq!((devices.len(), unread), (2, 2));
    let cut = read("thing/topo/delete", r#"[{"productKey":"spk","deviceKey":"a"}]"#);
    assert!(matches!(cut.asks, GatewayRequest::RemoveFromTopology(..)));
}

#[test]
fn request_that_is_spoiled_is_answered() {
    let upstream = Upstream::parse("/ext/session/pk/dk/combine/logout").unwrap();
    for (payload, asks) in [
        (
            "{\"id\":\"7\",\"params\":{\"productKey\":\"spk\",\"deviceKey\":\"sdk\"}}\0",
            true,
        ),
        (
            "\u{feff}{'id':7,'params':{'productKey':'spk','deviceKey':'sdk',},}",
            true,
        ),
        (
            "{\"id\":\"7\",\"params\":{\"productKey\":\"spk\",\"deviceKey\":\"sd",
            false,
        ),
        ("{\"note\":\"a \"b\" c\",\"params\":7,\"id\":\"7\"}", false),
    ] {
        let request = Request::read(&upstream, &Envelope::read(payload.as_bytes())).unwrap();
        assert_eq!(matches!(request.asks, GatewayRequest::Logout(_)), asks, "{payload}");
        let answer = request.answer(&Outcome::Refused(Refused::Malformed));
        assert!(answer.payload.starts_with(b"{\"id\":\"7\",\"code\":1220,"), "{payload}");
    }
}
