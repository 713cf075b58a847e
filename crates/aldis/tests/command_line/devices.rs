//! Devices one at a time, and the simulator.

use serde_json::json;

use crate::harness::{DONE, REFUSED, Served, USAGE, until};

#[test]
fn a_device_lives_through_every_command() {
    let served = Served::with_devices(0);
    let words = [
        "device",
        "create",
        "--product",
        "lamp",
        "--key",
        "d1",
        "--attribute",
        "room=kitchen",
        "--tag",
        "floor=2",
    ];
    served.run(&words).code(DONE).says("d1").says("secret");
    let shown = served.json(&["device", "get", "lamp/d1"]);
    assert_eq!(
        (&shown["deviceAttributes"]["room"], &shown["deviceTags"]["floor"]),
        (&json!("kitchen"), &json!("2"))
    );
    assert_eq!(shown["status"], "inactive");
    let asset = shown["assetId"].as_str().unwrap();
    served.run(&["device", "get", asset]).code(DONE).says("kitchen");
    served
        .run(&["device", "list", "--product", "lamp", "--status", "inactive"])
        .code(DONE)
        .says("d1");

    served
        .run(&["device", "update", "lamp/d1", "--name", "Over the stove"])
        .code(DONE)
        .says("updated");
    assert_eq!(
        served.json(&["device", "get", asset])["deviceName"]["defaultValue"],
        "Over the stove"
    );
    served
        .run(&["device", "update", "lamp/d1", "--timezone", "-03:30"])
        .code(DONE)
        .says("updated");
    let changed = served.json(&["device", "get", asset]);
    assert_eq!(
        (&changed["timezone"], &changed["deviceName"]["defaultValue"]),
        (&"-03:30".into(), &"Over the stove".into())
    );
    served
        .run(&["device", "disable", "lamp/d1"])
        .code(DONE)
        .says("disabled");
    assert_eq!(served.json(&["device", "get", "lamp/d1"])["status"], "disabled");
    served
        .run(&["device", "disable", "lamp/d1"])
        .code(REFUSED)
        .complains("11721")
        .complains("aldis explain 11721");
    served.run(&["device", "enable", "lamp/d1"]).code(DONE).says("enabled");
    served
        .run(&["device", "replace", "lamp/d1", "d2"])
        .code(DONE)
        .says("d2")
        .says(asset);
    served.run(&["device", "get", "lamp/d1"]).code(REFUSED);
    served.run(&["device", "delete", "lamp/d2"]).code(DONE).says("deleted");
    assert_eq!(served.json(&["device", "list"]), json!([]));
    served
        .run(&["device", "get", "lamp/"])
        .code(USAGE)
        .complains("PRODUCT/DEVICE");
}

#[test]
fn a_list_says_what_it_leaves_out() {
    let served = Served::with_devices(12);
    let some = served.run(&["device", "list", "--limit", "5", "--json"]).code(DONE);
    assert_eq!(some.json().as_array().unwrap().len(), 5);
    some.complains("5 of 12 shown");
    assert_eq!(served.json(&["device", "list", "--all"]).as_array().unwrap().len(), 12);
    let where_ = [
        "device",
        "list",
        "--where",
        "deviceKey in ('d1', 'd2') or deviceKey = 'd3'",
        "--product",
        "lamp",
    ];
    assert_eq!(served.json(&where_).as_array().unwrap().len(), 3);
    served
        .run(&["device", "list", "--where", "deviceKey ="])
        .code(REFUSED)
        .complains("99400");
}

#[test]
fn the_simulator_registers_what_is_missing_and_reports_what_happened() {
    let served = Served::with_devices(0);
    let words = ["simulate", "--product", "lamp", "--count", "3", "--for", "2"];
    served.run(&words).code(USAGE).complains("--register");
    let words: Vec<_> = words.iter().copied().chain(["--register", "--json"]).collect();
    let told = served.run(&words).code(DONE).json();
    assert_eq!((&told["accepted"], &told["connected"]), (&json!(3), &json!(3)));
    let gone = until("devices to be offline", || {
        let offline = served.json(&["device", "list", "--status", "offline"]);
        (offline.as_array().unwrap().len() == 3).then_some(offline)
    });
    assert_ne!(gone[0]["lastOnlineTime"], json!(null));
    let again = served
        .run(&["simulate", "--product", "lamp", "--for", "1", "--json"])
        .code(DONE);
    assert_eq!(
        again.json()["accepted"],
        3,
        "devices of an earlier simulation are simulated again"
    );
}

#[test]
fn the_simulator_leaves_devices_alone_that_are_in_use() {
    let served = Served::with_devices(3);
    let fleet = served.simulate(3, &[]);
    let sessions = || {
        let devices = served.json(&["device", "list", "--status", "online"]);
        let devices = devices.as_array().unwrap().iter();
        devices
            .map(|device| device["lastOnlineTime"].as_i64().unwrap())
            .collect::<Vec<_>>()
    };
    let before = sessions();
    for more in [&[][..], &["--count", "2"]] {
        let words = ["simulate", "--product", "lamp", "--for", "1"]
            .iter()
            .chain(more)
            .copied();
        let words: Vec<_> = words.collect();
        served
            .run(&words)
            .code(USAGE)
            .complains("3 are online")
            .complains(if more.is_empty() { "--take-over" } else { "--register" });
    }
    assert_eq!(sessions(), before);
    drop(fleet);
    until("devices to be offline", || {
        let offline = served.json(&["device", "list", "--status", "offline"]);
        (offline.as_array().unwrap().len() == 3).then_some(())
    });
    let alone = ["simulate", "--product", "lamp", "--for", "1"];
    served
        .run(&alone)
        .code(USAGE)
        .complains("3 were activated by something else");
    let words: Vec<_> = alone.iter().copied().chain(["--take-over", "--json"]).collect();
    let told = served.run(&words).code(DONE).complains("warning");
    assert_eq!(told.json()["accepted"], 3);
    let words: Vec<_> = alone
        .iter()
        .copied()
        .chain(["--count", "2", "--register", "--json"])
        .collect();
    assert_eq!(served.run(&words).code(DONE).json()["accepted"], 2);
}

#[test]
fn what_happened_to_a_device_is_told() {
    let served = Served::with_devices(1);
    let _fleet = served.simulate(1, &[]);
    served
        .run(&["command", "invoke", "lamp/d0", "blink", "--input", r#"{"times": 3}"#])
        .code(DONE);
    served
        .run(&["device", "trace", "lamp/d0"])
        .code(DONE)
        .says("CONNECTED")
        .says("REPLIED");
    served
        .run(&["device", "trace", "lamp/none"])
        .code(REFUSED)
        .complains("99404");
}
