//! Access keys and organizations.

use serde_json::json;

use crate::harness::{DONE, REFUSED, Served};

#[test]
fn a_reader_key_reads_and_nothing_else_until_it_is_disabled() {
    let served = Served::with_devices(1);
    let made = served.json(&["key", "create", "--role", "reader", "--name", "dashboard"]);
    let app_key = made["appKey"].as_str().unwrap().to_owned();
    let file = served.file("reader.json", &made.to_string());
    let as_reader = |words: &[&str]| {
        let words: Vec<_> = words.iter().copied().chain(["--key-file", &file]).collect();
        served.run(&words)
    };
    as_reader(&["device", "list"]).code(DONE).says("d0");
    let create = [
        "job",
        "create",
        "--point",
        "brightness",
        "--value",
        "1",
        "--device",
        "lamp/d0",
    ];
    as_reader(&create)
        .code(REFUSED)
        .complains("99403")
        .complains("aldis explain 99403");

    served
        .run(&["key", "list"])
        .code(DONE)
        .says(&app_key)
        .says("dashboard")
        .says("reader");
    served.run(&["key", "disable", &app_key]).code(DONE).says("disabled");
    as_reader(&["device", "list"])
        .code(REFUSED)
        .complains("not authorized")
        .complains("--key-file");
    served.run(&["key", "enable", &app_key]).code(DONE);
    as_reader(&["device", "list"]).code(DONE);
    served.run(&["key", "delete", &app_key]).code(DONE);
    as_reader(&["device", "list"]).code(REFUSED);
}

#[test]
fn an_organization_sees_only_its_own() {
    let served = Served::with_devices(1);
    served
        .run(&["org", "create", "north", "--name", "North"])
        .code(DONE)
        .says("north created");
    let key = served.json(&["key", "create", "--role", "operator", "--for", "north"]);
    let file = served.file("north.json", &key.to_string());
    let devices = served
        .run(&["device", "list", "--json", "--key-file", &file])
        .code(DONE);
    assert_eq!(devices.json(), json!([]));
    served
        .run(&["device", "get", "lamp/d0", "--key-file", &file])
        .code(REFUSED);

    served.run(&["org", "list"]).code(DONE).says("north").says("default");
    served
        .run(&["key", "list", "--of", "north"])
        .code(DONE)
        .says(key["appKey"].as_str().unwrap());
    served.run(&["org", "disable", "north"]).code(DONE);
    served.run(&["device", "list", "--key-file", &file]).code(REFUSED);
    served.run(&["org", "enable", "north"]).code(DONE);
    served.run(&["device", "list", "--key-file", &file]).code(DONE);
}

#[test]
fn without_signatures_an_organization_is_enough() {
    let served = Served::start_with(&["--no-auth"]);
    let unsigned = |words: &[&str]| {
        let words: Vec<_> = words
            .iter()
            .copied()
            .chain(["--key-file", "/nowhere", "--org", "o1"])
            .collect();
        served.run(&words)
    };
    unsigned(&["device", "list"]).code(DONE);
    unsigned(&["product", "create", "--name", "P", "--model", "none"])
        .code(REFUSED)
        .complains("11699");
}
