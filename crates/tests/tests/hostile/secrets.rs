//! Secrets stay where they belong: not in logs, not in refusals, not in what the command line prints unless asked.

use std::process::{Command, Stdio};

use aldis_client::{NewDevice, NewKey, NewProduct};
use aldis_simulator::{Device, DeviceIdentity};
use serde_json::json;

use crate::harness::{Api, COMMANDS, Plan, Start, World, exchange, now_ms, program, request, token};

struct Secrets {
    world: World,
    device: Device,
    job: String,
    all: Vec<String>,
}

/// A server at its most talkative on which every kind of secret has been made and used.
async fn used() -> Secrets {
    let start = Start {
        variables: vec![("ALDIS_LOG".into(), "trace".into())],
        ..Start::default()
    };
    let world = World::with(start).await;
    let mut device = world.connected("d1").await;
    let job = world.create(&Plan::device(device.identity())).await;
    let command = device.next_command().await.unwrap();
    device.answer(&command, 200, json!({})).await.unwrap();
    let product = NewProduct {
        product_secret: Some("hush-product-hush".into()),
        product_key: Some("secretive".into()),
        ..NewProduct::new("secretive", "pump-model")
    };
    world.client.create_product(&product).await.unwrap();
    let made = world
        .client
        .create_device(&NewDevice::new("pump", "generated"))
        .await
        .unwrap()
        .data;
    let key = world.client.create_key(&NewKey::new("reader")).await.unwrap().data;
    let first = world.server.admin_key();
    let granted = token(world.server.http, &first, &now_ms().to_string()).await;
    let all = vec![
        "hush".to_owned(),
        made.device_secret.unwrap().into(),
        key.app_secret.unwrap().into(),
        first.app_secret.into(),
        granted.body["data"]["accessToken"].as_str().unwrap().to_owned(),
        device.identity().login().password.into(),
        std::fs::read(world.server.data().join("secret.key"))
            .unwrap()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
    ];
    Secrets {
        world,
        device,
        job,
        all,
    }
}

impl Secrets {
    #[track_caller]
    fn are_not_in(&self, what: &str, text: &str) {
        for secret in &self.all {
            assert!(!text.contains(secret.as_str()), "a secret in {what}: {text}");
        }
    }
}

#[tokio::test]
async fn no_secret_is_in_a_log_or_in_a_refusal() {
    let mut secrets = used().await;
    let http = secrets.world.server.http;
    let identity = secrets.device.identity().clone();
    let unsigned = Api::unsigned(http, "default");
    let api = &secrets.world.api;
    let twice = json!({"productKey": "pump", "deviceKey": "d1", "deviceSecret": "hush-again-hush", "timezone": "+00:00",
        "deviceName": {"defaultValue": "n"}});
    let malformed = br#"{"deviceSecret": "hush-malformed-hush", "#;
    let devices = "/connect-service/v2.1/devices";
    let refusals = [
        unsigned.command("searchJob", &json!({})).await,
        api.post(devices, "create", &twice).await,
        api.post(
            devices,
            "create",
            &json!({"deviceSecret": "hush-alone-hush", "productKey": "pump"}),
        )
        .await,
        api.send("POST", devices, "create", &[], malformed).await,
        api.post(
            "/aldis/v1/keys",
            "create",
            &json!({"role": "king", "appSecret": "hush-king-hush", "appKey": "king"}),
        )
        .await,
        exchange(
            http,
            &request("POST", COMMANDS, &[("apim-accesstoken", "hush-token-hush")], b"{}"),
        )
        .await
        .unwrap(),
    ];
    for refusal in &refusals {
        assert!(refusal.code() != 0, "{}", refusal.body);
        secrets.are_not_in("a refusal", &refusal.body.to_string());
    }
    for wrong in ["hush-wrong-hush", ""] {
        let wrong = DeviceIdentity::new(&identity.product_key, &identity.device_key, wrong);
        assert_ne!(
            Device::new(&wrong)
                .try_connect(secrets.world.server.mqtt)
                .await
                .unwrap(),
            0
        );
    }
    secrets.world.server.kill_and_start_again();
    secrets.world.server.terminate();
    let log = secrets.world.server.log();
    assert!(log.lines().count() > 3, "{log}");
    secrets.are_not_in("the log", &log);
}

/// What the command line prints.
fn printed(secrets: &Secrets, arguments: &[&str]) -> String {
    let mut aldis = Command::new(program());
    aldis
        .args(arguments)
        .arg("--url")
        .arg(format!("http://{}", secrets.world.server.http));
    aldis
        .arg("--key-file")
        .arg(secrets.world.server.data().join("admin-key.json"));
    let output = aldis.env("ALDIS_LOG", "trace").stdin(Stdio::null()).output().unwrap();
    [output.stdout, output.stderr]
        .map(|bytes| String::from_utf8(bytes).unwrap())
        .concat()
}

#[tokio::test]
async fn no_secret_is_printed_unless_it_is_asked_for() {
    let secrets = used().await;
    let job = secrets.job.as_str();
    let lists: &[&[&str]] = &[
        &["device", "search"],
        &["product", "search"],
        &["model", "search"],
        &["key", "list"],
        &["job", "list"],
        &["job", "show", job],
        &["job", "export", job],
        &["device", "get", "pump/nobody"],
        &["device", "disable", "pump/d1"],
    ];
    for arguments in lists {
        for json in [false, true] {
            let mut arguments = arguments.to_vec();
            if json {
                arguments.push("--json");
            }
            let text = printed(&secrets, &arguments);
            assert!(!text.is_empty() || arguments.contains(&"export"), "{arguments:?}");
            secrets.are_not_in(&format!("{arguments:?}"), &text);
        }
    }
    // One device by name, and what has just been made, is asking for it.
    let asked = printed(&secrets, &["device", "get", "pump/d1", "--json"]);
    assert!(asked.contains("hush-d1-hush"), "{asked}");
}

#[tokio::test]
async fn no_secret_is_readable_in_the_data_directory() {
    let mut secrets = used().await;
    secrets.world.server.terminate();
    let mut files = 0;
    for entry in std::fs::read_dir(secrets.world.server.data()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with("aldis.db") {
            files += 1;
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            for secret in &secrets.all {
                assert!(!text.contains(secret.as_str()), "a secret in {name}");
            }
        } else if name != "lock" {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{name}");
        }
    }
    assert!(files > 0);
}
