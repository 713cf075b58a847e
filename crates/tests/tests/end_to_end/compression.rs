//! Clients that announce in their client id that every payload is packed, as the vendor's Java library does.

use std::io::{Read as _, Write as _};

use aldis_client::TaskStatus;
use aldis_protocol::login::{Compression, Login, SecureMode, SignMethod};
use aldis_simulator::{Device, DeviceIdentity};
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::harness::{Plan, World};

fn java(identity: &DeviceIdentity, compress: &str) -> Device {
    let claims = Login {
        client_id: format!(
            "{}{{ip=10.0.0.7,version=0.1.9,compress={compress}}}",
            identity.device_key
        ),
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

fn packed(payload: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(payload).unwrap();
    packed.finish().unwrap()
}

fn unpacked(payload: &[u8]) -> Value {
    let mut unpacked = Vec::new();
    GzDecoder::new(payload).read_to_end(&mut unpacked).unwrap();
    serde_json::from_slice(&unpacked).unwrap()
}

#[tokio::test]
async fn gzip_is_honoured_in_both_directions_for_every_payload() {
    let world = World::open().await;
    let identity = world.device("d1").await;
    let mut device = java(&identity, "GZIP");
    device.connect(world.server.mqtt).await.unwrap();
    let job = world.create(&Plan::device(&identity)).await;
    let (topic, command) = device.next_message().await.unwrap();
    let id = unpacked(&command)["id"].as_str().unwrap().to_owned();
    let reply = json!({"id": id, "code": 200, "data": {"product": 42}}).to_string();
    let sent = device
        .publish(&format!("{topic}_reply"), packed(reply.as_bytes()))
        .await
        .unwrap();
    device.acknowledged(sent).await.unwrap();
    let task = world.task_in(&job, TaskStatus::Succeed).await;
    assert_eq!(task.task_result.unwrap().output_data, Some(json!({"product": 42})));

    // Neither unpacked text nor a byte behind the packed ones costs the result.
    type Spoil = fn(&[u8]) -> Vec<u8>;
    let spoilings: [Spoil; 3] = [
        <[u8]>::to_vec,
        |text| [&packed(text)[..], b"\0"].concat(),
        |text| packed(&[text, b"\0"].concat()),
    ];
    for spoil in spoilings {
        let job = world.create(&Plan::device(&identity)).await;
        let (topic, command) = device.next_message().await.unwrap();
        let id = unpacked(&command)["id"].as_str().unwrap().to_owned();
        let reply = json!({"id": id, "code": 200, "data": {"product": 42}}).to_string();
        let sent = device
            .publish(&format!("{topic}_reply"), spoil(reply.as_bytes()))
            .await
            .unwrap();
        device.acknowledged(sent).await.unwrap();
        let task = world.task_in(&job, TaskStatus::Succeed).await;
        assert_eq!(task.task_result.unwrap().output_data, Some(json!({"product": 42})));
    }

    let post = br#"{"id":"7","version":"1.0","method":"thing.measurepoint.post","params":{}}"#;
    let sent = device
        .publish("/sys/pump/d1/thing/measurepoint/post", packed(post))
        .await
        .unwrap();
    device.acknowledged(sent).await.unwrap();
    let (topic, answer) = device.next_message().await.unwrap();
    assert_eq!(topic, "/sys/pump/d1/thing/measurepoint/post_reply");
    assert_eq!(
        unpacked(&answer),
        json!({"id": "7", "code": 200, "data": {}, "message": ""})
    );
}

#[tokio::test]
async fn a_packed_payload_that_would_fill_the_memory_ends_its_connection() {
    let world = World::open().await;
    let identity = world.device("d1").await;
    let mut device = java(&identity, "GZIP");
    device.connect(world.server.mqtt).await.unwrap();
    let bomb = packed(&vec![b' '; 100 << 20]);
    device
        .publish("/sys/pump/d1/thing/measurepoint/post", bomb)
        .await
        .unwrap();
    device.expect_closed().await.unwrap();
    world.until_presence(&identity, "offline").await;
}

#[tokio::test]
async fn no_compression_is_served_and_an_unknown_one_refused() {
    let world = World::open().await;
    let identity = world.device("d1").await;
    for (compress, code) in [("DEFAULT", 0), ("GZIP", 0), ("LZ4", 5), ("LZO", 5), ("ZSTD", 5)] {
        let mut device = java(&identity, compress);
        assert_eq!(device.try_connect(world.server.mqtt).await.unwrap(), code, "{compress}");
    }
}
