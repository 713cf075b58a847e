//! Thing models and products.

use serde_json::json;

use crate::harness::{DONE, REFUSED, Served, USAGE};

#[test]
fn a_thing_model_is_created_shown_found_changed_and_deleted() {
    let served = Served::with_devices(0);
    served
        .run(&["model", "get", "lamp"])
        .code(DONE)
        .says("Lamp")
        .says("blink");
    let shown = served.json(&["model", "get", "lamp"]);
    assert_eq!(shown["services"]["blink"]["inputData"][0]["identifier"], "times");
    served.run(&["model", "list"]).code(DONE).says("MODEL").says("lamp");
    assert_eq!(served.json(&["model", "search", "--name", "am"])[0]["modelId"], "lamp");
    assert_eq!(served.json(&["model", "search", "--name", "nothing"]), json!([]));

    let other = served.file(
        "other.json",
        r#"{"modelId": "other", "name": {"defaultValue": "Other"}}"#,
    );
    served
        .run(&["model", "create", &other])
        .code(DONE)
        .says("other created");
    let change = r#"{"name": {"defaultValue": "Renamed"}}"#;
    served
        .run_with_input(&["model", "update", "-", "--id", "other"], change)
        .code(DONE);
    assert_eq!(
        served.json(&["model", "get", "other"])["name"]["defaultValue"],
        "Renamed"
    );
    served
        .run(&["model", "delete", "other"])
        .code(DONE)
        .says("other deleted");
    served.run(&["model", "get", "other"]).code(REFUSED);
    served
        .run(&["model", "delete", "lamp"])
        .code(REFUSED)
        .complains("99400");
}

#[test]
fn a_product_is_created_shown_found_changed_and_deleted() {
    let served = Served::with_devices(0);
    let words = [
        "product",
        "create",
        "--name",
        "Torch",
        "--model",
        "lamp",
        "--tag",
        "colour=red",
    ];
    let key = served.run(&words).code(DONE).line().to_owned();
    let shown = served.json(&["product", "get", &key]);
    assert_eq!(
        (&shown["productName"]["defaultValue"], &shown["modelId"]),
        (&json!("Torch"), &json!("lamp"))
    );
    assert_eq!(shown["productTags"]["colour"], "red");
    served
        .run(&["product", "get", &key])
        .code(DONE)
        .says("Torch")
        .says("colour=red");
    served
        .run(&["product", "list"])
        .code(DONE)
        .says("PRODUCT")
        .says(&key)
        .says("lamp");
    let found = served.json(&["product", "list", "--name", "Tor"]);
    assert_eq!(found.as_array().unwrap().len(), 1);
    served
        .run(&[
            "product",
            "update",
            &key,
            "--desc",
            "for the cellar",
            "--dynamic-activation",
            "true",
        ])
        .code(DONE);
    let changed = served.json(&["product", "get", &key]);
    assert_eq!(
        (&changed["productDesc"], &changed["productName"]["defaultValue"]),
        (&json!("for the cellar"), &json!("Torch"))
    );
    assert_eq!(changed["dynamicActivateEnabled"], true);
    served.run(&["product", "delete", &key]).code(DONE);
    let strict = [
        "product",
        "create",
        "--name",
        "Safe",
        "--model",
        "lamp",
        "--key",
        "safe",
        "--certificates",
    ];
    served.run(&strict).code(DONE);
    assert_eq!(served.json(&["product", "get", "safe"])["biDirectionalAuth"], true);
    served
        .run(&["product", "get", &key])
        .code(REFUSED)
        .complains("aldis explain ");
}

#[test]
fn product_update_sets_what_its_flags_name() {
    let served = Served::with_devices(0);
    let update = |flags: &[&str]| served.run(&[&["product", "update", "lamp"], flags].concat()).code(DONE);
    let shown = || served.json(&["product", "get", "lamp"]);
    let before = shown();
    update(&[
        "--dynamic-activation",
        "true",
        "--certificates",
        "true",
        "--gateway-register",
        "true",
    ]);
    update(&["--command-qos", "0"]);
    update(&["--name", "Lantern", "--desc", "for the cellar", "--tag", "colour=red"]);
    let changed = shown();
    for (field, value) in [
        ("dynamicActivateEnabled", json!(true)),
        ("biDirectionalAuth", json!(true)),
        ("gatewayRegisterEnabled", json!(true)),
        ("commandQos", json!(0)),
        ("productDesc", json!("for the cellar")),
        ("productTags", json!({"colour": "red"})),
    ] {
        assert_eq!(changed[field], value, "{field}");
        assert_ne!(before[field], value, "{field}");
    }
    assert_eq!(changed["productName"]["defaultValue"], "Lantern");
    update(&[
        "--dynamic-activation",
        "false",
        "--certificates",
        "false",
        "--gateway-register",
        "false",
        "--no-tags",
    ]);
    let back = shown();
    assert_eq!(
        (&back["biDirectionalAuth"], &back["productTags"]),
        (&json!(false), &json!({}))
    );
    assert_eq!(back["dynamicActivateEnabled"], false);
    assert_eq!(back["gatewayRegisterEnabled"], false);
}

#[test]
fn device_update_can_remove_all_labels_and_attributes() {
    let served = Served::with_devices(1);
    let update = |flags: &[&str]| {
        served
            .run(&[&["device", "update", "lamp/d0"], flags].concat())
            .code(DONE)
    };
    update(&["--tag", "floor=1", "--attribute", "watts=5"]);
    let shown = served.json(&["device", "get", "lamp/d0"]);
    assert_eq!(
        (&shown["deviceTags"], &shown["deviceAttributes"]),
        (&json!({"floor": "1"}), &json!({"watts": 5}))
    );
    update(&["--no-tags", "--no-attributes"]);
    let shown = served.json(&["device", "get", "lamp/d0"]);
    assert_eq!(
        (&shown["deviceTags"], &shown["deviceAttributes"]),
        (&json!({}), &json!({}))
    );
}

#[test]
fn a_secret_is_rotated_and_the_record_says_who_did_it() {
    let served = Served::with_devices(1);
    let before = served.json(&["device", "get", "lamp/d0"])["deviceSecret"].clone();
    let rotated = served.json(&["device", "rotate-secret", "lamp/d0", "--grace", "60"]);
    assert_ne!(rotated["deviceSecret"], before);
    assert!(rotated["formerSecretUntil"].is_i64());
    assert_eq!(
        served.json(&["device", "get", "lamp/d0"])["deviceSecret"],
        rotated["deviceSecret"]
    );
    let words = [
        "device",
        "rotate-secret",
        "lamp/d0",
        "--grace",
        "0",
        "--secret",
        "s3cret",
    ];
    served.run(&words).code(DONE).says("s3cret");
    served
        .run(&["product", "rotate-secret", "lamp", "--secret", "of-all"])
        .code(DONE)
        .says("of-all")
        .says("old secret until");
    assert_eq!(served.json(&["product", "get", "lamp"])["productSecret"], "of-all");
    served
        .run(&["device", "rotate-secret", "lamp/d0", "--grace", "2592001"])
        .code(REFUSED)
        .complains("graceSeconds");
    let records = served.json(&["audit", "--action", "device.rotateSecret"]);
    let asset = rotated["assetId"].clone();
    let records = records.as_array().unwrap();
    assert_eq!(records.len(), 2);
    assert!(records.iter().all(|record| record["object"] == asset), "{records:?}");
    assert_eq!(records[0]["address"], "127.0.0.1");
    served
        .run(&["audit", "--object", "lamp", "--limit", "1"])
        .code(DONE)
        .says("ACTION")
        .says("product.rotateSecret");
    served
        .run(&["audit", "--from", "1700000000"])
        .code(USAGE)
        .complains("'--from <MOMENT>': expected epoch milliseconds, found 1700000000, which are seconds");
}

#[test]
fn devices_are_put_under_a_gateway_and_taken_away() {
    let served = Served::with_devices(0);
    let product = ["product", "create", "--name", "Box", "--model", "lamp", "--gateway"];
    let boxes = served.run(&product).code(DONE).line().to_owned();
    let gateway = format!("{boxes}/g1");
    for (product, key) in [(boxes.as_str(), "g1"), ("lamp", "s1"), ("lamp", "s2")] {
        served
            .run(&["device", "create", "--product", product, "--key", key])
            .code(DONE);
    }
    served
        .run(&["gateway", "add", &gateway, "lamp/s1", "lamp/s2"])
        .code(DONE)
        .says("2 under");
    served
        .run(&["gateway", "list", &gateway])
        .code(DONE)
        .says("s1")
        .says("s2");
    let found = served.json(&["gateway", "list", &gateway, "--where", "deviceKey = 's2'"]);
    assert_eq!(found.as_array().unwrap().len(), 1);
    served.run(&["gateway", "of", "lamp/s1"]).code(DONE).says("g1");
    served.run(&["gateway", "remove", &gateway, "lamp/s1"]).code(DONE);
    served
        .run(&["gateway", "of", "lamp/s1"])
        .code(DONE)
        .says("under no gateway");
    served
        .run(&["gateway", "remove", &gateway, "lamp/s1"])
        .code(REFUSED)
        .complains("11795");
}
