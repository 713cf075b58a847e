//! `device import`.

use crate::harness::{DONE, REFUSED, Served, USAGE, read};

fn registered(served: &Served) -> usize {
    served.json(&["device", "list", "--all"]).as_array().unwrap().len()
}

#[test]
fn a_file_with_every_column_is_registered_as_it_says() {
    let served = Served::with_devices(0);
    let csv = served.file(
        "d.csv",
        "\u{feff}deviceKey,productKey,deviceSecret,assetId,deviceName,timezone,deviceDesc,deviceTags.floor,deviceAttributes.room\n\
         # a remark\n\
         d1,lamp,secret-1,asset-1,\"Lamp, one\",Asia/Shanghai,first,2,kitchen\n\
         \n\
         d2,lamp,,,,,,,\n",
    );
    let out = served.path("out.csv");
    served
        .run(&["device", "import", &csv, "--output", &out])
        .code(DONE)
        .says("2 of 2 devices registered");
    let d1 = served.json(&["device", "get", "asset-1"]);
    let field = |name: &str| d1[name].as_str().unwrap().to_owned();
    assert_eq!(
        (field("deviceKey"), field("timezone")),
        ("d1".into(), "Asia/Shanghai".into())
    );
    assert_eq!(d1["deviceName"]["defaultValue"], "Lamp, one");
    assert_eq!(
        (&d1["deviceTags"]["floor"], &d1["deviceAttributes"]["room"]),
        (&"2".into(), &"kitchen".into())
    );
    let written = read(&out);
    assert!(
        written.starts_with("productKey,deviceKey,deviceSecret,assetId\nlamp,d1,secret-1,asset-1\nlamp,d2,"),
        "{written}"
    );
}

#[test]
fn a_mistake_in_the_file_is_named_and_nothing_is_registered() {
    let served = Served::with_devices(0);
    for (text, told) in [
        (
            "productKey,deviceKey\n,d1\nlamp,d2\n,d3\n",
            "line 4: productKey is missing",
        ),
        ("productKey,colour\nlamp,red\n", "unknown column `colour`"),
        (
            "productKey,deviceKey\nlamp,d1\n\nlamp,d2,too,many\n",
            "line 4: 2 columns expected, found 4",
        ),
    ] {
        let csv = served.file("d.csv", text);
        served
            .run(&["device", "import", &csv])
            .code(USAGE)
            .complains(told)
            .complains("nothing was registered");
        assert_eq!(registered(&served), 0, "{told}");
    }
    served
        .run(&["device", "import", "/nowhere/d.csv"])
        .code(USAGE)
        .complains("/nowhere/d.csv");
}

#[test]
fn lines_that_the_server_refuses_are_named_and_the_others_stand() {
    let served = Served::with_devices(0);
    let text = "deviceKey,deviceAttributes.room\nd1,hall\nd/2,hall\nd3,\nd1,cellar\n";
    let told = served
        .run_with_input(&["device", "import", "-", "--product", "lamp"], text)
        .code(REFUSED);
    assert!(told.err.contains("line 3:") && told.err.contains("line 5:"), "{told:?}");
    told.says("2 of 4 devices registered");
    assert_eq!(registered(&served), 2);
}

#[test]
fn more_devices_than_one_call_takes_are_all_registered() {
    let served = Served::with_devices(0);
    let rows: String = (0..2500).map(|n| format!("d{n}\n")).collect();
    let csv = served.file("d.csv", &format!("deviceKey\n{rows}"));
    let entries = served.json(&["device", "import", &csv, "--product", "lamp"]);
    assert_eq!(entries.as_array().unwrap().len(), 2500);
    assert_eq!(entries[2499]["data"]["deviceKey"], "d2499");
    assert_eq!(registered(&served), 2500);
}
