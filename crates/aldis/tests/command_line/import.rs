//! `device import`.

use std::process::Stdio;

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
        written.starts_with("\u{feff}productKey,deviceKey,deviceSecret,assetId\nlamp,d1,secret-1,asset-1\nlamp,d2,"),
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
            "line 4: expected 2 columns, found 4",
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
    let text = "deviceKey,deviceAttributes.room\nd1,hall\nd/2,hall\nd3,\nd1,cellar\n,\n";
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

const SIM: &str = r#"{"modelId": "sim", "name": {"defaultValue": "Sim"}, "measurepoints": {}, "services": {}, "events": {},
    "attributes": {
        "iccid": {"identifier": "iccid", "name": {"defaultValue": "iccid"}, "dataType": "STRING"},
        "power": {"identifier": "power", "name": {"defaultValue": "power"}, "dataType": "DOUBLE"},
        "old": {"identifier": "old", "name": {"defaultValue": "old"}, "dataType": "BOOL"}}}"#;

fn with_sims() -> Served {
    let served = Served::with_devices(0);
    let model = served.file("sim.json", SIM);
    served.run(&["model", "create", &model]).code(DONE);
    let words = ["product", "create", "--name", "Sim", "--model", "sim", "--key", "sim"];
    served.run(&words).code(DONE);
    served
}

#[test]
fn cells_are_read_as_the_model_has_them_and_keep_their_digits() {
    let served = with_sims();
    let csv = served.file(
        "d.csv",
        "productKey,deviceKey,deviceAttributes.iccid,deviceAttributes.power,deviceAttributes.old,deviceAttributes.colour\n\
         sim,d1,89860012345678901234,12E4,TRUE,007\n\
         sim,d2,12E4,89860012345678901234,0,\n",
    );
    let told = served.run(&["device", "import", &csv]).code(DONE);
    assert_eq!(told.err.matches("colour").count(), 1, "{told:?}");
    let shown = |device: &str| {
        served
            .run(&["device", "get", device, "--json"])
            .code(DONE)
            .out
            .replace(' ', "")
    };
    let first = shown("sim/d1");
    for part in [
        r#""iccid":"89860012345678901234""#,
        r#""power":12e+4"#,
        r#""old":true"#,
        r#""colour":"007""#,
    ] {
        assert!(first.contains(part), "{part}: {first}");
    }
    let second = shown("sim/d2");
    assert!(
        second.contains(r#""iccid":"12E4""#) && second.contains(r#""power":89860012345678901234"#),
        "{second}"
    );

    let wrong = served.file("w.csv", "productKey,deviceKey,deviceAttributes.power\nsim,d3,\"1,5\"\n");
    served
        .run(&["device", "import", &wrong])
        .code(USAGE)
        .complains("line 2: deviceAttributes.power: expected DOUBLE")
        .complains("nothing was registered");
    assert_eq!(registered(&served), 2);
}

#[test]
fn files_in_other_encodings_and_with_other_separators_are_refused_with_help() {
    let served = Served::with_devices(0);
    let wide: Vec<u8> = "\u{feff}deviceKey\nd1\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for (bytes, told) in [
        (wide.as_slice(), "UTF-16"),
        (b"deviceKey,deviceName\nd1,M\xFCller\n", "line 2: the byte 0xFC"),
        (b"deviceKey;deviceName\nd1;n\n", "semicolons"),
        (b"deviceKey,deviceKey\nd1,d2\n", "twice"),
    ] {
        let path = served.path("d.csv");
        std::fs::write(&path, bytes).unwrap();
        served
            .run(&["device", "import", &path, "--product", "lamp"])
            .code(USAGE)
            .complains(told);
    }
    assert_eq!(registered(&served), 0);
}

#[test]
fn no_row_vanishes_and_no_empty_row_becomes_a_device() {
    let served = Served::with_devices(0);
    let csv = served.file("d.csv", "deviceName,deviceKey\n#1 pump,d1\n# pump,d2\n,\nplain,d3\n");
    served
        .run(&["device", "import", &csv, "--product", "lamp"])
        .code(DONE)
        .says("3 of 3 devices registered")
        .complains("1 line without any content");
    assert_eq!(registered(&served), 3);
}

#[test]
fn secrets_are_written_to_a_new_file_of_its_owner_and_none_is_overwritten() {
    use std::os::unix::fs::PermissionsExt as _;
    let served = Served::with_devices(0);
    let csv = served.file("d.csv", "deviceKey,deviceSecret\nd1, s 1 \n");
    let out = served.path("out.csv");
    let words = ["device", "import", &csv, "--product", "lamp", "--output", &out];
    served.run(&words).code(DONE);
    assert!(read(&out).contains("lamp,d1, s 1 ,"), "{}", read(&out));
    assert_eq!(std::fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    let before = read(&out);
    let csv = served.file("d.csv", "deviceKey\nd2\n");
    served
        .run(&["device", "import", &csv, "--product", "lamp", "--output", &out])
        .code(USAGE)
        .complains("exists already");
    assert_eq!((read(&out), registered(&served)), (before, 1));
}

#[test]
fn a_dry_run_registers_nothing_and_existing_devices_can_be_passed_over() {
    let served = Served::with_devices(2);
    let csv = served.file("d.csv", "deviceKey\nd0\nd1\nd2\nd3\n");
    served
        .run(&["device", "import", &csv, "--product", "lamp", "--dry-run"])
        .code(REFUSED)
        .says("2 of 4 devices would be registered")
        .complains("line 2: the device is registered already");
    assert_eq!(registered(&served), 2);
    let doubled = served.file("twice.csv", "deviceKey\nd8\nd8\n");
    served
        .run(&["device", "import", &doubled, "--product", "lamp", "--dry-run"])
        .code(REFUSED)
        .complains("line 3: an earlier line has the same deviceKey");
    served
        .run(&[
            "device",
            "import",
            &doubled,
            "--product",
            "lamp",
            "--dry-run",
            "--skip-existing",
        ])
        .code(REFUSED)
        .says("1 of 2");
    served
        .run(&[
            "device",
            "import",
            &csv,
            "--product",
            "lamp",
            "--dry-run",
            "--skip-existing",
        ])
        .code(DONE)
        .says("2 of 4 devices would be registered, 2 were there already");
    served
        .run(&["device", "import", &csv, "--product", "lamp", "--skip-existing"])
        .code(DONE)
        .says("2 of 4 devices registered, 2 were there already");
    assert_eq!(registered(&served), 4);
}

#[test]
fn a_dry_run_tells_what_the_server_would_refuse() {
    let served = Served::with_devices(0);
    let csv = served.file(
        "d.csv",
        "productKey,deviceKey,timezone\nlamp,#1,\nnosuch,d1,\nlamp,d2,Berlin\nlamp,good,\n",
    );
    served
        .run(&["device", "import", &csv, "--dry-run"])
        .code(REFUSED)
        .says("1 of 4 devices would be registered")
        .complains("line 2: deviceKey")
        .complains("line 3: there is no product nosuch")
        .complains("line 4: timezone");
    served
        .run(&["device", "import", &csv])
        .code(REFUSED)
        .says("1 of 4 devices registered");
    let rows: String = (0..1100).map(|n| format!("lamp,{n:x},\n")).collect();
    let many = served.file("many.csv", &format!("productKey,deviceKey,timezone\n{rows}"));
    served
        .run(&["device", "import", &many, "--dry-run"])
        .code(DONE)
        .says("1100 of 1100 devices would be registered");
}

#[test]
fn secrets_that_cannot_be_written_are_said_to_be_on_the_server() {
    let served = Served::with_devices(0);
    let csv = served.file("d.csv", "productKey,deviceKey\nlamp,d1\nlamp,d2\n");
    served
        .run(&["device", "import", &csv, "--output", "/dev/full"])
        .code(REFUSED)
        .complains("2 devices are registered, and --output could not be written")
        .complains("aldis device export --secrets");
    assert_eq!(registered(&served), 2);
    let empty = served.file("e.csv", "");
    served
        .run(&["device", "import", &empty])
        .code(USAGE)
        .complains("the file is empty");
}

#[test]
fn an_import_goes_on_when_the_reader_of_its_remarks_has_left() {
    let served = Served::with_devices(0);
    let rows: String = (0..1500).map(|n| format!("lamp,d{n}\n")).collect();
    let csv = served.file("d.csv", &format!("productKey,deviceKey\nlamp,#1\n{rows}"));
    let mut command = served.command(&["device", "import", &csv]);
    let mut import = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    drop(import.stderr.take());
    assert_eq!(import.wait().unwrap().code(), Some(REFUSED));
    assert_eq!(registered(&served), 1500);
}

#[test]
fn what_export_writes_import_reads_back() {
    let served = with_sims();
    let csv = served.file(
        "d.csv",
        "productKey,deviceKey,deviceSecret,assetId,deviceName,deviceName.zh_CN,timezone,deviceDesc,deviceTags.t,\
         deviceAttributes.iccid,deviceAttributes.power,deviceAttributes.colour\n\
         sim,2026-01-02, =s ,0012345,=HYPERLINK(1),泵,+08:00,\"two\nlines\",'=x,89860012345678901234,-12E4,@red\n\
         sim,d2,,,plain,,Asia/Shanghai,,,,-5,\n",
    );
    served.run(&["device", "import", &csv]).code(DONE);
    let plain = served.run(&["device", "export", "--product", "sim"]).code(DONE);
    assert!(
        !plain.out.contains("deviceSecret") && plain.out.starts_with('\u{feff}'),
        "{plain:?}"
    );
    assert!(
        plain.out.contains(",'=HYPERLINK(1),") && plain.out.contains(",'+08:00,"),
        "{plain:?}"
    );
    let file = served.path("all.csv");
    served
        .run(&["device", "export", "--product", "sim", "--secrets", "--output", &file])
        .code(DONE);
    let shown = || {
        let devices = ["sim/2026-01-02", "sim/d2"].map(|device| {
            let mut shown = served.json(&["device", "get", device]);
            shown.as_object_mut().unwrap().retain(|name, _| !name.ends_with("Time"));
            shown
        });
        devices.map(|device| device.to_string())
    };
    let before = shown();
    for device in ["sim/2026-01-02", "sim/d2"] {
        served.run(&["device", "delete", device]).code(DONE);
    }
    served.run(&["device", "import", &file]).code(DONE).says("2 of 2");
    assert_eq!(shown(), before);
}
