//! Access keys and organizations.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::harness::{DONE, REFUSED, Served, alone, read};

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
    for words in [["device", "get", "lamp/d0"], ["product", "get", "lamp"]] {
        let field = format!("{}Secret", words[0]);
        let secret = served.json(&words)[&field].as_str().unwrap().to_owned();
        let shown = as_reader(&[words[0], words[1], words[2], "--json"]).code(DONE).json();
        assert_eq!(shown[&field], json!(null), "{secret} is not a reader's");
    }
    as_reader(&["simulate", "--product", "lamp"])
        .code(REFUSED)
        .complains("requireSecret");
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

#[test]
fn without_signatures_keys_and_organizations_cannot_be_managed() {
    let served = Served::start_with(&["--no-auth"]);
    for words in [
        &["key", "list"][..],
        &["key", "create", "--role", "admin"],
        &["org", "list"],
        &["org", "create", "north"],
    ] {
        let unsigned: Vec<_> = words
            .iter()
            .chain(&["--key-file", "/nowhere", "--org", "default"])
            .copied()
            .collect();
        served.run(&unsigned).code(REFUSED).complains("99403");
        served.run(words).code(DONE);
    }
}

#[test]
fn a_lost_admin_key_is_replaced_while_the_server_is_stopped() {
    let served = Served::start();
    let data = served.path("data");
    let lost = read(served.key_file());
    let reset = ["key", "reset-admin", "--data-dir", &data, "--json"];
    alone(&reset).code(REFUSED).complains("in use by another process");
    assert_eq!(read(served.key_file()), lost);

    let folder = served.stop();
    let elsewhere = folder.path().join("nothing");
    alone(&["key", "reset-admin", "--data-dir", elsewhere.to_str().unwrap()])
        .code(REFUSED)
        .complains("expected data directory of a server that was started before");
    assert!(!elsewhere.exists());
    alone(&[&reset[..], &["--for", "nowhere"]].concat())
        .code(REFUSED)
        .complains("organization: nowhere does not exist");
    let made = alone(&reset).code(DONE).json();
    let file = folder.path().join("data/admin-key.json");
    assert_eq!(made["keyFile"], json!(file));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(read(file.with_extension("json.old")), lost);

    let served = Served::start_in(folder, &[]);
    served
        .run(&["key", "list"])
        .code(DONE)
        .says(made["appKey"].as_str().unwrap())
        .says("made by aldis key reset-admin")
        .says("first key");
}
