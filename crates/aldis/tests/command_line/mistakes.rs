//! Wrong command lines, wrong files, absent servers, and what helps then.

use std::process::Stdio;

use crate::harness::{DONE, Finished, REFUSED, Served, UNREACHABLE, USAGE, alone, program};

#[test]
fn help_lists_every_command_and_the_exit_codes() {
    for words in [&["help"][..], &["--help"]] {
        let help = alone(words).code(DONE);
        for word in [
            "serve",
            "demo",
            "simulate",
            "model",
            "product",
            "device",
            "job",
            "task",
            "key",
            "org",
            "explain",
            "bench",
            "Exit codes",
            "--json",
        ] {
            assert!(help.out.contains(word), "{word}: {}", help.out);
        }
    }
    for words in [
        &["help", "job", "create"][..],
        &["device", "import", "--help"],
        &["demo", "--help"],
        &["bench", "-h"],
    ] {
        assert!(alone(words).code(DONE).out.contains("Usage:"), "{words:?}");
    }
    let version = format!("aldis {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(alone(&["--version"]).code(DONE).out, version);
    assert_eq!(alone(&["-V"]).code(DONE).out, version);
}

#[test]
fn wrong_words_are_usage_errors_that_help() {
    for (line, told) in [
        ("", "Usage"),
        ("jobb list", "similar subcommand exists: 'job'"),
        ("job list --stauts x", "--status"),
        ("job create --service s", "--device"),
        ("job create --service s --input [] --device a/b", "JSON object"),
        ("job create --point p --device a/b", "--value"),
        ("job create --service s --device a/b --at tomorrow", "+10m"),
        ("job create --service s --device a/b --at 1764547200", "milliseconds"),
        ("job create --file f --service s", "--file"),
        ("serve --http nonsense", "nonsense"),
        ("demo --devices 0", "0"),
        ("simulate", "--product"),
        ("simulate --devices f --failure 2 --mqtt 127.0.0.1:1", "from 0 to 1"),
        ("device list --limit 3 --all", "--all"),
    ] {
        let words: Vec<_> = line.split_whitespace().collect();
        alone(&words).code(USAGE).complains(told);
    }
}

#[test]
fn a_code_is_explained_without_a_server() {
    alone(&["explain", "24404"])
        .code(DONE)
        .says("# 24404")
        .says("What to do");
    alone(&["explain", "7"]).code(USAGE).complains("24404");
}

#[test]
fn positions_in_an_expression_count_what_the_operator_wrote() {
    let served = Served::with_devices(0);
    let own = "deviceKey = 'a' or colour = 'red'";
    for more in [&[][..], &["--product", "lamp"]] {
        let words: Vec<_> = ["device", "list", "--where", own].iter().chain(more).copied().collect();
        let told = served.run(&words);
        assert!(told.err.contains("character 20"), "{told:?}");
    }
    for words in [
        &["job", "list", "--status", "done"],
        &["task", "list", "--status", "done"],
        &["device", "list", "--status", "done"],
    ] {
        let told = served.run(words).code(USAGE).complains("field 'status': expected");
        assert!(!told.err.contains("character"), "{told:?}");
    }
}

#[test]
fn a_missing_or_broken_key_file_is_named() {
    let served = Served::start();
    let url = served.url();
    let missing = alone(&["--url", url, "--key-file", "/nowhere/key.json", "job", "list"]).code(USAGE);
    missing
        .complains("/nowhere/key.json")
        .complains("--key-file")
        .complains("--org");
    let broken = served.file("key.json", "{\"orgId\": \"o\"");
    alone(&["--url", url, "--key-file", &broken, "job", "list"])
        .code(USAGE)
        .complains("key.json");
    let wrong = served.file("key.json", r#"{"orgId": "default", "appKey": "a", "appSecret": "s"}"#);
    alone(&["--url", url, "--key-file", &wrong, "job", "list"])
        .code(REFUSED)
        .complains("not authorized");
}

#[test]
fn a_server_that_is_not_there_has_an_exit_code_of_its_own() {
    let served = Served::start();
    let key = served.key_file();
    let key = key.to_str().unwrap();
    let away = alone(&["--url", "http://127.0.0.1:1", "--key-file", key, "job", "list"]).code(UNREACHABLE);
    away.complains("http://127.0.0.1:1").complains("Is the server running?");
    alone(&["--url", "127.0.0.1", "--key-file", key, "job", "list"])
        .code(USAGE)
        .complains("127.0.0.1");
}

#[test]
fn files_that_are_no_json_or_absent_are_named() {
    let served = Served::start();
    let broken = served.file("job.json", "{");
    served
        .run(&["job", "create", "--file", &broken])
        .code(USAGE)
        .complains("job.json is no JSON");
    served
        .run(&["model", "create", "/nowhere/m.json"])
        .code(USAGE)
        .complains("/nowhere/m.json");
}

#[test]
fn logs_and_output_in_files_have_no_colours() {
    let served = Served::with_devices(1);
    served.run(&["device", "list"]).code(DONE);
    assert!(served.log().contains("INFO"), "{}", served.log());
    let shown = served.run(&["device", "list"]).out;
    assert!(!served.log().contains('\u{1b}') && !shown.contains('\u{1b}'));
}

#[test]
fn a_closed_output_is_no_failure() {
    let served = Served::with_devices(1);
    let mut command = served.command(&["device", "list"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ended = command.stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!((ended.status.code(), ended.stderr), (Some(DONE), Vec::new()));
}

#[test]
fn a_data_directory_in_use_is_refused_with_the_reason() {
    let served = Served::start();
    let data = served.path("data");
    let mut second = program();
    second.args([
        "serve",
        "--http",
        "127.0.0.1:0",
        "--mqtt",
        "127.0.0.1:0",
        "--data-dir",
        &data,
    ]);
    let ended = second.output().unwrap();
    assert_eq!(ended.status.code(), Some(REFUSED));
    let told = String::from_utf8(ended.stderr).unwrap();
    assert!(told.contains(&data), "{told}");
}

#[test]
fn an_authority_overwrites_no_key_and_knows_what_a_device_is() {
    let dir = tempfile::tempdir().unwrap();
    let certs = dir.path().join("certs");
    let cert = |words: &[&str]| {
        let mut all = vec!["cert"];
        all.extend(words);
        all.extend(["--dir", certs.to_str().unwrap()]);
        alone(&all)
    };
    cert(&["server"]).code(REFUSED).complains("ca-key.pem");
    cert(&["ca"]).code(DONE).says("revoked.pem");
    let key = std::fs::read(certs.join("ca-key.pem")).unwrap();
    cert(&["ca"]).code(REFUSED).complains("ca-key.pem");
    assert_eq!(std::fs::read(certs.join("ca-key.pem")).unwrap(), key);
    for device in ["pump", "pump/", "pump/a/b", "pump/d#1"] {
        cert(&["device", device]).code(USAGE).complains("PRODUCT/DEVICE");
    }
    cert(&["server", "--name", "not a name\u{e9}"])
        .code(REFUSED)
        .complains("--name");
    cert(&["revoke", certs.join("revoked.pem").to_str().unwrap()])
        .code(REFUSED)
        .complains("expected a block CERTIFICATE");
}

/// An authority in a directory, which does as it is told there.
struct Authority(tempfile::TempDir);

impl Authority {
    fn new() -> Self {
        let authority = Self(tempfile::tempdir().unwrap());
        authority.cert(&["ca"]).code(DONE);
        authority
    }

    fn cert(&self, words: &[&str]) -> Finished {
        alone(&[&["cert"], words, &["--dir", self.0.path().to_str().unwrap()]].concat())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }
}

#[test]
fn what_an_authority_has_not_issued_it_does_not_revoke() {
    let (ours, other) = (Authority::new(), Authority::new());
    let list = ours.read("revoked.pem");
    other.cert(&["device", "pump/d1"]).code(DONE);
    for (file, why) in [
        (other.path("pump.d1.pem"), "was not issued by"),
        (ours.path("ca.pem"), "an authority's own"),
        (ours.path("ca-key.pem"), "expected a block CERTIFICATE"),
    ] {
        ours.cert(&["revoke", &file]).code(REFUSED).complains(why);
        assert_eq!(ours.read("revoked.pem"), list);
    }
}

#[test]
fn a_certificate_is_renewed_for_the_same_key_and_the_old_one_can_still_be_revoked() {
    let ours = Authority::new();
    ours.cert(&["device", "pump/%channel%", "--renew"]).code(REFUSED);
    ours.cert(&["device", "pump/%channel%"]).code(DONE);
    ours.cert(&["device", "pump/%channel%"])
        .code(REFUSED)
        .complains("File exists");
    let (old, key) = (ours.read("pump.%channel%.pem"), ours.read("pump.%channel%-key.pem"));
    let renewed = ours.cert(&["device", "pump/%channel%", "--renew"]).code(DONE);
    let kept = renewed.out.lines().last().unwrap().to_owned();
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), old);
    assert_ne!(ours.read("pump.%channel%.pem"), old);
    assert_eq!(ours.read("pump.%channel%-key.pem"), key);
    ours.cert(&["revoke", &kept]).code(DONE);
    ours.cert(&["server", "--name", "gateway.example.org", "--name", "::1"])
        .code(DONE);
    let before = ours.read("server.pem");
    ours.cert(&["server", "--renew"]).code(DONE).says("server.pem");
    assert_ne!(ours.read("server.pem"), before);
    let ca = ours.read("ca.pem");
    ours.cert(&["ca"]).code(REFUSED).complains("ca-key.pem");
    assert_eq!(ours.read("ca.pem"), ca);
}
