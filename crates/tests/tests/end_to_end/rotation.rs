//! Secrets that are replaced while devices use them.

use aldis_client::{DeviceRef, DeviceRotation, ProductRotation, TaskStatus};
use aldis_protocol::login::SecureMode;
use aldis_simulator::{Device, DeviceIdentity};

use crate::activation::with_product_secret;
use crate::harness::{Plan, World, eventually};

const NOT_AUTHORIZED: u8 = 5;

async fn code(world: &World, identity: &DeviceIdentity) -> u8 {
    Device::new(identity).try_connect(world.server.mqtt).await.unwrap()
}

fn name(identity: &DeviceIdentity) -> DeviceRef {
    DeviceRef::keys(identity.product_key.as_str(), identity.device_key.as_str())
}

fn with_secret(identity: &DeviceIdentity, secret: &str) -> DeviceIdentity {
    DeviceIdentity::new(&identity.product_key, &identity.device_key, secret)
}

fn grace(seconds: i64) -> DeviceRotation {
    DeviceRotation {
        device_secret: None,
        grace_seconds: Some(seconds),
    }
}

#[tokio::test]
async fn a_device_logs_in_with_its_old_secret_in_the_grace_and_not_after_it() {
    let mut world = World::open().await;
    let mut device = world.connected("d1").await;
    let old = device.identity().clone();
    let rotated = world
        .client
        .rotate_device_secret(&name(&old), &grace(3_600))
        .await
        .unwrap()
        .data;
    let new = with_secret(&old, &rotated.device_secret);
    let job = world.create(&Plan::device(&old)).await;
    let command = device.next_command().await.unwrap();
    device.answer(&command, 200, serde_json::json!({})).await.unwrap();
    world.task_in(&job, TaskStatus::Succeed).await;
    device.disconnect().await.unwrap();
    assert_eq!((code(&world, &old).await, code(&world, &new).await), (0, 0));
    world.server.kill_and_start_again();
    assert_eq!(
        (code(&world, &old).await, code(&world, &new).await),
        (0, 0),
        "a restart ends no grace"
    );

    let shorter = world
        .client
        .rotate_device_secret(&name(&old), &grace(1))
        .await
        .unwrap()
        .data;
    let newest = with_secret(&old, &shorter.device_secret);
    assert_eq!(
        code(&world, &old).await,
        NOT_AUTHORIZED,
        "only the last one before is good"
    );
    eventually("the end of the grace", || async {
        (code(&world, &new).await == NOT_AUTHORIZED).then_some(())
    })
    .await;
    assert_eq!(code(&world, &newest).await, 0);
    let trace = world.client.device_trace(&name(&old)).await.unwrap().data;
    let why = "the secret was replaced, and the grace of the one that has signed is over";
    assert!(trace.iter().any(|entry| entry.detail.contains(why)), "{trace:?}");
}

#[tokio::test]
async fn a_session_ends_when_the_secret_is_replaced_without_a_grace() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    let old = device.identity().clone();
    let rotated = world
        .client
        .rotate_device_secret(&name(&old), &grace(0))
        .await
        .unwrap()
        .data;
    assert_eq!(rotated.former_secret_until, None);
    device.expect_closed().await.unwrap();
    let new = with_secret(&old, &rotated.device_secret);
    assert_eq!(
        (code(&world, &old).await, code(&world, &new).await),
        (NOT_AUTHORIZED, 0)
    );
}

#[tokio::test]
async fn a_channel_ends_when_its_products_secret_is_replaced_without_a_grace() {
    let world = World::open().await;
    let rotate = async |secret: &str, seconds| {
        let rotation = ProductRotation {
            product_secret: Some(secret.into()),
            grace_seconds: Some(seconds),
        };
        world.client.rotate_product_secret("pump", &rotation).await.unwrap();
    };
    rotate("first", 0).await;
    let any = DeviceIdentity::new("pump", aldis_protocol::login::CHANNEL_DEVICE_KEY, "");
    let channel = |secret: &str| with_product_secret(SecureMode::IntegrationChannel, &any, secret);
    let connect = async |secret: &str| {
        let mut device = channel(secret);
        (device.try_connect(world.server.mqtt).await.unwrap(), device)
    };
    let (let_in, mut first) = connect("first").await;
    assert_eq!(let_in, 0);
    rotate("second", 3_600).await;
    assert_eq!(
        (connect("first").await.0, connect("second").await.0),
        (0, 0),
        "the grace"
    );
    rotate("third", 0).await;
    first.expect_closed().await.unwrap();
    let codes = [
        connect("first").await.0,
        connect("second").await.0,
        connect("third").await.0,
    ];
    assert_eq!(codes, [NOT_AUTHORIZED, NOT_AUTHORIZED, 0]);
}
