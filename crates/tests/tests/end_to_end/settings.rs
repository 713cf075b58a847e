//! Settings: each as a flag, as a variable of the environment, and as a key of the file (config/aldis.example.toml).

use std::process::{Command, Stdio};

use aldis_client::NewDevice;
use serde_json::json;

use crate::harness::{Api, Plan, Server, Start, World, eventually, program};

/// Starts the program with nothing but these flags and variables, waits until it is ready, and gives what it printed.
async fn printed(flags: &[&str], variables: &[(&str, &str)], dir: &std::path::Path) -> String {
    let out = dir.join("out");
    let mut serve = Command::new(program());
    serve
        .arg("serve")
        .args(flags)
        .envs(variables.iter().copied())
        .current_dir(dir);
    serve
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&out).unwrap())
        .stderr(Stdio::null());
    let mut child = serve.spawn().unwrap();
    let ready = eventually("a server that is ready", || async {
        std::fs::read_to_string(&out)
            .ok()
            .filter(|text| text.ends_with("ready\n"))
    });
    let text = ready.await;
    child.kill().unwrap();
    child.wait().unwrap();
    text
}

#[tokio::test]
async fn every_setting_may_come_from_a_flag_a_variable_or_the_file() {
    let any = "127.0.0.1:0";
    let dir = tempfile::tempdir().unwrap();
    let settings = dir.path().join("aldis.toml");
    std::fs::write(
        &settings,
        "data_dir = 'by-file'\nhttp = '127.0.0.2:0'\nmqtt = '127.0.0.1:0'\nno_auth = true\n",
    )
    .unwrap();
    let file = settings.to_str().unwrap();
    printed(
        &["--data-dir", "by-flag", "--http", any, "--mqtt", any],
        &[],
        dir.path(),
    )
    .await;
    let variables = [
        ("ALDIS_DATA_DIR", "by-variable"),
        ("ALDIS_HTTP", any),
        ("ALDIS_MQTT", any),
        ("ALDIS_NO_AUTH", "true"),
    ];
    printed(&[], &variables, dir.path()).await;
    let text = printed(&["--config", file], &[], dir.path()).await;
    assert!(text.contains("http listening on 127.0.0.2:"), "{text}");
    // A flag wins over the variable, and the variable over the file.
    let text = printed(
        &["--http", any],
        &[("ALDIS_CONFIG", file), ("ALDIS_DATA_DIR", "wins")],
        dir.path(),
    )
    .await;
    assert!(text.contains("http listening on 127.0.0.1:"), "{text}");
    for made in ["by-flag", "by-variable", "by-file", "wins"] {
        assert!(dir.path().join(made).join("admin-key.json").exists(), "{made}");
    }
}

#[tokio::test]
async fn without_signatures_may_be_said_by_a_variable_too() {
    let start = Start {
        variables: vec![("ALDIS_NO_AUTH".into(), "true".into())],
        ..Start::default()
    };
    let server = Server::start_with(start).await;
    Api::unsigned(server.http, "o1")
        .command("searchJob", &json!({}))
        .await
        .data();
}

#[tokio::test]
async fn limits_hold_however_they_are_set() {
    let dir = tempfile::tempdir().unwrap();
    let settings = dir.path().join("limits.toml");
    std::fs::write(&settings, "tasks_per_job_max = 2\ndevices_per_product_max = 3\n").unwrap();
    let variables = [("ALDIS_TASKS_PER_JOB_MAX", "2"), ("ALDIS_DEVICES_PER_PRODUCT_MAX", "3")];
    let starts = [
        Start::flags(&["--tasks-per-job-max", "2", "--devices-per-product-max", "3"]),
        Start {
            variables: variables.map(|(name, value)| (name.into(), value.into())).into(),
            ..Start::default()
        },
        Start::flags(&["--config", settings.to_str().unwrap()]),
    ];
    for start in starts {
        let world = World::with(start).await;
        let devices = world.many_devices(3).await;
        let fourth = world.client.create_device(&NewDevice::new("pump", "4")).await;
        assert_eq!(fourth.unwrap_err().code(), Some(11739));
        for plan in [Plan::devices(&devices), Plan::product("pump")] {
            world
                .api
                .command("createJob", &plan.ttl(60).0)
                .await
                .fails(200, 11739, "");
        }
        world.create(&Plan::devices(&devices[..2]).ttl(60)).await;
    }
}

#[tokio::test]
async fn the_key_of_the_secrets_may_lie_elsewhere_and_no_other_opens_them() {
    let dir = tempfile::tempdir().unwrap();
    let [right, wrong] = ["ab", "cd"].map(|digits| {
        let path = dir.path().join(digits);
        std::fs::write(&path, digits.repeat(32)).unwrap();
        path.to_str().unwrap().to_owned()
    });
    let mut world = World::with(Start::flags(&["--secret-key-file", &right])).await;
    let device = world.device("d1").await;
    assert!(!world.server.data().join("secret.key").exists());
    world.server.kill_and_start_again();
    drop(world.connect(&device).await);
    world.server.kill();
    let mut serve = Command::new(program());
    serve.args([
        "serve",
        "--http",
        "127.0.0.1:0",
        "--mqtt",
        "127.0.0.1:0",
        "--secret-key-file",
        &wrong,
        "--data-dir",
    ]);
    let refused = serve.arg(world.server.data()).stdin(Stdio::null()).output().unwrap();
    assert!(!refused.status.success() && refused.stdout.is_empty());
    world.server.start_again();
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused_with_their_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("wrong.toml");
    std::fs::write(&file, "htpp = '127.0.0.1:0'\n").unwrap();
    let cases: [(&[&str], &str); 5] = [
        (&["--http", "nowhere"], "http"),
        (&["--mqtt", "127.0.0.1"], "mqtt"),
        (&["--config", file.to_str().unwrap()], "htpp"),
        (&["--config", "/does/not/exist.toml"], "/does/not/exist.toml"),
        (&["--secret-key-file", file.to_str().unwrap()], "secret_key_file"),
    ];
    for (flags, part) in cases {
        let mut serve = Command::new(program());
        serve.arg("serve").args(flags).current_dir(dir.path());
        let refused = serve.stdin(Stdio::null()).output().unwrap();
        let told = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && refused.stdout.is_empty(), "{flags:?}");
        assert!(told.contains(part), "{flags:?}: {told}");
    }
}
