//! Devices whose packets are small, and unpack to as much as a payload may be.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aldis_client::TaskStatus;
use aldis_protocol::login::{Compression, Login, SecureMode, SignMethod};
use aldis_simulator::{Device, DeviceIdentity};
use flate2::write::GzEncoder;
use serde_json::json;

use crate::harness::{Plan, World};

/// Devices that send such packets, all at once.
const PACKING: usize = 6;
/// Packets that each sends before it reads an answer.
const AT_ONCE: usize = 20;
/// What each packet unpacks to: as many points as fit.
const UNPACKED_BYTES: usize = 500_000;
/// Commands of the device that behaves.
const COMMANDS: usize = 20;
/// Each of them is done within this time.
const SERVED_WITHIN: Duration = Duration::from_secs(5);

/// A device that packs, as the Java library does.
fn compressing(identity: &DeviceIdentity) -> Device {
    let claims = Login {
        client_id: format!("{}{{compress=GZIP}}", identity.device_key),
        device_key: identity.device_key.as_str().into(),
        product_key: identity.product_key.as_str().into(),
        secure_mode: SecureMode::DeviceSecret,
        sign_method: SignMethod::Sha256,
        timestamp: "1700000000000".to_owned(),
        compression: Compression::None,
    };
    let mut device = Device::new(identity);
    *device.login_mut() = claims.to_connect(&identity.device_secret).into();
    device
}

fn bomb() -> Vec<u8> {
    let text = format!(r#"{{"id":"1","params":{{}}}}{}"#, " ".repeat(UNPACKED_BYTES));
    let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

/// Sends as fast as it is answered until told to stop; how many answers it got.
async fn flood(world: &World, identity: &DeviceIdentity, done: &AtomicBool) -> usize {
    let mut device = compressing(identity);
    device.connect(world.server.mqtt).await.unwrap();
    let topic = identity.topic("thing/measurepoint/post");
    let payload = bomb();
    let mut answers = 0;
    while !done.load(Ordering::Relaxed) {
        for _ in 0..AT_ONCE {
            device.publish(&topic, payload.clone()).await.unwrap();
        }
        for _ in 0..AT_ONCE {
            device.next_message().await.unwrap();
            answers += 1;
        }
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_that_unpack_to_much_hold_no_other_device_up() {
    let world = Arc::new(World::open().await);
    let mut good = world.connected("good").await;
    let keys: Vec<String> = (0..PACKING).map(|n| format!("packing{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let done = Arc::new(AtomicBool::new(false));
    let floods: Vec<_> = world
        .devices(&keys)
        .await
        .into_iter()
        .map(|identity| {
            let (world, done) = (Arc::clone(&world), Arc::clone(&done));
            tokio::spawn(async move { flood(&world, &identity, &done).await })
        })
        .collect();
    for _ in 0..COMMANDS {
        let begun = Instant::now();
        let job = world.create(&Plan::device(good.identity()).ttl(60)).await;
        let command = good.next_command().await.unwrap();
        good.answer(&command, 200, json!({})).await.unwrap();
        assert_eq!(world.task(&job).await.status, TaskStatus::Succeed);
        assert!(begun.elapsed() < SERVED_WITHIN, "{:?} for one command", begun.elapsed());
    }
    done.store(true, Ordering::Relaxed);
    for flood in floods {
        assert!(flood.await.unwrap() > 0, "they are served, too");
    }
}
