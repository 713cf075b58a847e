//! Logins with a product's secret: devices that are told theirs, and the integration channel.

use std::time::Duration;

use aldis_client::{DeviceRef, NewProduct, ProductChange};
use aldis_protocol::login::{CHANNEL_DEVICE_KEY, Compression, Login, SecureMode, SignMethod};
use aldis_simulator::{Device, DeviceIdentity};
use serde_json::{Value, json};

use crate::harness::{Plan, World, product};

const NOT_AUTHORIZED: u8 = 5;
const PRODUCT_SECRET: &str = "hush-product-hush";
/// A product whose devices may be activated so.
const DYNAMIC: &str = "dynamic";

async fn world() -> World {
    let world = World::open().await;
    let dynamic = NewProduct {
        product_secret: Some(PRODUCT_SECRET.into()),
        dynamic_activate_enabled: Some(true),
        ..product(DYNAMIC)
    };
    world.client.create_product(&dynamic).await.unwrap();
    world
}

/// What a client with a product's secret sends.
pub(crate) fn with_product_secret(mode: SecureMode, device: &DeviceIdentity, secret: &str) -> Device {
    let claims = Login {
        client_id: "any".to_owned(),
        device_key: device.device_key.as_str().into(),
        product_key: device.product_key.as_str().into(),
        secure_mode: mode,
        sign_method: SignMethod::Sha256,
        timestamp: "1700000000000".to_owned(),
        compression: Compression::None,
    };
    let mut device = Device::new(device);
    *device.login_mut() = claims.to_connect(secret).into();
    device
}

fn activating(device: &DeviceIdentity, secret: &str) -> Device {
    with_product_secret(SecureMode::ProductSecret, device, secret)
}

async fn registered(world: &World, key: &str) -> DeviceIdentity {
    world.register(DYNAMIC, &[key.to_owned()]).await.remove(0)
}

async fn code(world: &World, mut device: Device) -> u8 {
    device.try_connect(world.server.mqtt).await.unwrap()
}

/// What the device is told right after its login.
async fn told(device: &mut Device) -> (String, Value, String) {
    let (topic, payload) = device.next_message().await.unwrap();
    let text = String::from_utf8(payload).unwrap();
    (topic, serde_json::from_str(&text).unwrap(), text)
}

#[tokio::test]
async fn a_device_that_knows_only_its_products_secret_is_told_its_own() {
    let world = world().await;
    let identity = registered(&world, "d1").await;
    let mut device = activating(&identity, PRODUCT_SECRET);
    device.connect(world.server.mqtt).await.unwrap();
    let (topic, info, text) = told(&mut device).await;
    assert_eq!(topic, "/ext/session/dynamic/d1/thing/activate/info");
    assert_eq!(
        info,
        json!({"id": "1", "version": "1.0", "method": "thing.activate.info", "params": {
            "assetId": "asset-dynamic-d1", "productKey": DYNAMIC, "deviceKey": "d1",
            "deviceSecret": identity.device_secret}})
    );
    assert!(
        text.contains(r#""params":{"deviceSecret":"#),
        "the secret first: {text}"
    );
    let reply = device
        .publish(&format!("{topic}_reply"), r#"{"id":"1","code":200,"data":null}"#)
        .await
        .unwrap();
    device.acknowledged(reply).await.unwrap();
    device.disconnect().await.unwrap();
    assert_eq!(world.presence(&identity).await, "inactive", "it has not logged in yet");
    let secret = info["params"]["deviceSecret"].as_str().unwrap();
    let device = world.connect(&DeviceIdentity::new(DYNAMIC, "d1", secret)).await;
    assert_eq!(world.presence(&identity).await, "online");
    drop(device);
    world.until_presence(&identity, "offline").await;
    let again = activating(&identity, PRODUCT_SECRET);
    assert_eq!(code(&world, again).await, NOT_AUTHORIZED, "it has been activated");
}

#[tokio::test]
async fn an_activation_that_was_cut_off_is_repeated() {
    let world = world().await;
    let identity = registered(&world, "d1").await;
    for _ in 0..3 {
        let mut device = activating(&identity, PRODUCT_SECRET);
        device.connect(world.server.mqtt).await.unwrap();
        device.reset_link();
    }
    let mut device = activating(&identity, PRODUCT_SECRET);
    device.connect(world.server.mqtt).await.unwrap();
    assert_eq!(
        told(&mut device).await.1["params"]["deviceSecret"],
        *identity.device_secret
    );
}

#[tokio::test]
async fn a_server_killed_amid_activations_tells_the_same_secret_again_until_it_was_used() {
    let mut world = world().await;
    let identity = registered(&world, "d1").await;
    for _ in 0..3 {
        let mut device = activating(&identity, PRODUCT_SECRET);
        device.connect(world.server.mqtt).await.unwrap();
        world.server.kill_and_start_again();
    }
    let mut device = activating(&identity, PRODUCT_SECRET);
    device.connect(world.server.mqtt).await.unwrap();
    let secret = told(&mut device).await.1["params"]["deviceSecret"].clone();
    assert_eq!(secret, *identity.device_secret);
    drop(world.connect(&identity).await);
    world.server.kill_and_start_again();
    assert_eq!(
        code(&world, activating(&identity, PRODUCT_SECRET)).await,
        NOT_AUTHORIZED
    );
}

#[tokio::test]
async fn only_a_registered_device_of_a_product_that_allows_it_is_activated() {
    let world = world().await;
    let identity = registered(&world, "d1").await;
    let other = world.device("d1").await;
    let pump_secret = world
        .client
        .get_product("pump")
        .await
        .unwrap()
        .data
        .product_secret
        .unwrap();
    let unknown = DeviceIdentity::new(DYNAMIC, "unknown", "");
    for (case, device) in [
        ("wrong secret", activating(&identity, "wrong")),
        (
            "the device's own secret",
            activating(&identity, &identity.device_secret),
        ),
        ("not registered", activating(&unknown, PRODUCT_SECRET)),
        ("not allowed", activating(&other, &pump_secret)),
        (
            "no such product",
            activating(&DeviceIdentity::new("none", "d1", ""), PRODUCT_SECRET),
        ),
    ] {
        assert_eq!(code(&world, device).await, NOT_AUTHORIZED, "{case}");
    }
    let name = DeviceRef::keys(DYNAMIC, "d1");
    world.client.disable_device(&name).await.unwrap();
    assert_eq!(
        code(&world, activating(&identity, PRODUCT_SECRET)).await,
        NOT_AUTHORIZED
    );
    world.client.enable_device(&name).await.unwrap();
    assert_eq!(code(&world, activating(&identity, PRODUCT_SECRET)).await, 0);
    let forbid = ProductChange {
        dynamic_activate_enabled: Some(false),
        ..ProductChange::default()
    };
    world.client.update_product(DYNAMIC, &forbid).await.unwrap();
    assert_eq!(
        code(&world, activating(&identity, PRODUCT_SECRET)).await,
        NOT_AUTHORIZED
    );
}

#[tokio::test]
async fn whoever_is_being_activated_is_not_online_and_gets_no_commands() {
    let world = world().await;
    let identity = registered(&world, "d1").await;
    let mut device = activating(&identity, PRODUCT_SECRET);
    device.connect(world.server.mqtt).await.unwrap();
    told(&mut device).await;
    assert_eq!(world.presence(&identity).await, "inactive");
    let job = world.create(&Plan::device(&identity).ttl(60)).await;
    let answer = device.request("thing/measurepoint/post", json!({})).await.unwrap();
    assert_eq!(answer["code"], 1009, "it has not proved to be the device");
    device.no_command_within(Duration::from_millis(1500)).await.unwrap();
    device.disconnect().await.unwrap();
    let mut device = world.connect(&identity).await;
    let command = device.next_command().await.unwrap();
    device.answer(&command, 200, json!({})).await.unwrap();
    assert_eq!(world.recounted(&job).await.succeed, 1);
}

#[tokio::test]
async fn an_integration_channel_may_post_for_all_devices_of_its_product() {
    let world = world().await;
    let name = DeviceIdentity::new(DYNAMIC, CHANNEL_DEVICE_KEY, "");
    let mut channel = with_product_secret(SecureMode::IntegrationChannel, &name, PRODUCT_SECRET);
    channel.connect(world.server.mqtt).await.unwrap();
    for (topic, code) in [
        ("/sys/dynamic/integration/measurepoint/post", 200),
        ("/sys/dynamic/integration/event/post", 200),
        ("/sys/dynamic/integration/attribute/post", 200),
        ("/sys/pump/integration/attribute/post", 1009),
        ("/sys/dynamic/d1/thing/measurepoint/post", 1009),
    ] {
        let posted = r#"{"id":"7","version":"1.0","method":"m","params":[{"deviceKey":"d1"}]}"#;
        let sent = channel.publish(topic, posted).await.unwrap();
        channel.acknowledged(sent).await.unwrap();
        let (answered_on, answer, _) = told(&mut channel).await;
        assert_eq!(answered_on, format!("{topic}_reply"));
        assert_eq!((&answer["id"], &answer["code"]), (&json!("7"), &json!(code)), "{topic}");
    }
    channel.ping().await.unwrap();
    for (case, device) in [
        (
            "wrong secret",
            with_product_secret(SecureMode::IntegrationChannel, &name, "wrong"),
        ),
        (
            "a device's key",
            with_product_secret(
                SecureMode::IntegrationChannel,
                &DeviceIdentity::new(DYNAMIC, "d1", ""),
                PRODUCT_SECRET,
            ),
        ),
        ("activation of the channel", activating(&name, PRODUCT_SECRET)),
        (
            "virtual gateway",
            Device::new(&DeviceIdentity::new("%VIRT_GATEWAY%", "o1", "*")),
        ),
    ] {
        assert_eq!(code(&world, device).await, NOT_AUTHORIZED, "{case}");
    }
}
