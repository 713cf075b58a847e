//! Devices under TLS, with certificates of their own and without.

use std::path::PathBuf;
use std::process::Command;

use aldis_client::{DeviceRef, Name, NewProduct};
use aldis_protocol::login::{CHANNEL_DEVICE_KEY, Compression, Login, SecureMode, SignMethod};
use aldis_simulator::{Device, DeviceIdentity};
use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::activation::with_product_secret;
use crate::harness::{Offers, Plan, Start, Trust, World, eventually, product, program, tunnel};

pub(crate) const NOT_AUTHORIZED: u8 = 5;
/// A product whose devices must have certificates.
const STRICT: &str = "strict";

/// An authority in a directory, as `aldis cert` makes it.
pub(crate) struct Authority(pub(crate) TempDir);

impl Authority {
    pub(crate) fn new() -> Self {
        let authority = Self(tempfile::tempdir().unwrap());
        authority.run(&["ca"]);
        authority.run(&["server"]);
        authority
    }

    pub(crate) fn run(&self, words: &[&str]) {
        let mut command = Command::new(program());
        command.arg("cert").args(words).arg("--dir").arg(self.0.path());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn start(&self) -> Start {
        let flags = [
            ("--mqtts", PathBuf::from("127.0.0.1:0")),
            ("--tls-cert-file", self.path("server.pem")),
            ("--tls-key-file", self.path("server-key.pem")),
            ("--tls-client-ca-file", self.path("ca.pem")),
            ("--tls-client-crl-file", self.path("revoked.pem")),
        ];
        let flags = flags
            .iter()
            .flat_map(|(flag, value)| [(*flag).to_owned(), value.display().to_string()]);
        Start {
            flags: flags.collect(),
            ..Start::default()
        }
    }

    /// A way in for devices that show no certificate, or that of a device.
    pub(crate) async fn way_in(&self, world: &World, device: Option<&str>) -> std::net::SocketAddr {
        let own = device.map(|name| (self.path(&format!("{name}.pem")), self.path(&format!("{name}-key.pem"))));
        let trust = Trust {
            ca: &self.path("ca.pem"),
            own: own
                .as_ref()
                .map(|(certificate, key)| (certificate.as_path(), key.as_path())),
            offers: Offers::Everything,
        };
        tunnel(world.server.mqtts(), trust).await
    }
}

async fn world(authority: &Authority) -> World {
    let world = World::with(authority.start()).await;
    let strict = NewProduct {
        bi_directional_auth: Some(true),
        product_name: Name::plain("strict"),
        ..product(STRICT)
    };
    world.client.create_product(&strict).await.unwrap();
    world
}

/// A device can come in there, and do what it is told.
pub(crate) async fn works(world: &World, mut device: Device) -> Device {
    let job = world
        .create(&Plan::device(device.identity()).sets("temperature", json!(1)))
        .await;
    let command = device.next_command().await.unwrap();
    device.answer(&command, 200, json!({})).await.unwrap();
    assert_eq!(world.client.statistics(&job).await.unwrap().succeed, 1);
    device
}

async fn refused(at: std::net::SocketAddr, identity: &DeviceIdentity) {
    assert_eq!(Device::new(identity).try_connect(at).await.unwrap(), NOT_AUTHORIZED);
}

#[tokio::test]
async fn a_device_under_tls_is_a_device_like_any_other() {
    let authority = Authority::new();
    let world = world(&authority).await;
    let identity = world.device("d1").await;
    let at = authority.way_in(&world, None).await;
    let device = Device::connected(&identity, at).await.unwrap();
    let mut device = works(&world, device).await;
    // More than a record of TLS, and more than is read at once.
    let topic = "/sys/pump/d1/thing/measurepoint/post";
    let text = "x".repeat(300_000);
    let payload = json!({"id": "1", "version": "1.0", "method": "thing.measurepoint.post", "params": {"note": text}});
    let posted = device.publish(topic, payload.to_string()).await.unwrap();
    device.acknowledged(posted).await.unwrap();
    drop(works(&world, device).await);
    // The plain listener is there as before.
    let other = world.connected("d2").await;
    drop(works(&world, other).await);
}

#[tokio::test]
async fn a_certificate_is_its_devices_and_a_product_may_demand_it() {
    let authority = Authority::new();
    let world = world(&authority).await;
    authority.run(&["device", "pump/d1"]);
    authority.run(&["device", "strict/s1"]);
    let pumps = world.devices(&["d1", "d2"]).await;
    let stricts = world.register(STRICT, &["s1".to_owned(), "s2".to_owned()]).await;
    let (nobody, as_d1, as_s1) = (
        authority.way_in(&world, None).await,
        authority.way_in(&world, Some("pump.d1")).await,
        authority.way_in(&world, Some("strict.s1")).await,
    );
    for (at, identity) in [(as_d1, &pumps[0]), (nobody, &pumps[1]), (as_s1, &stricts[0])] {
        let device = Device::connected(identity, at).await.unwrap();
        drop(works(&world, device).await);
    }
    for (at, identity) in [
        (as_d1, &pumps[1]),
        (as_s1, &stricts[1]),
        (as_d1, &stricts[0]),
        (nobody, &stricts[0]),
        (world.server.mqtt, &stricts[0]),
    ] {
        refused(at, identity).await;
    }
}

#[tokio::test]
async fn a_revoked_certificate_ends_its_connection_and_opens_none() {
    let authority = Authority::new();
    let world = world(&authority).await;
    for device in ["pump/d1", "pump/d2"] {
        authority.run(&["device", device]);
    }
    let identities = world.devices(&["d1", "d2"]).await;
    let (first_at, second_at) = (
        authority.way_in(&world, Some("pump.d1")).await,
        authority.way_in(&world, Some("pump.d2")).await,
    );
    let mut first = Device::connected(&identities[0], first_at).await.unwrap();
    let second = Device::connected(&identities[1], second_at).await.unwrap();
    authority.run(&["revoke", authority.path("pump.d1.pem").to_str().unwrap()]);
    world.server.send(Signal::HUP);
    first.expect_closed().await.unwrap();
    assert!(Device::connected(&identities[0], first_at).await.is_err());
    drop(works(&world, second).await);
    authority.run(&["revoke", authority.path("pump.d2.pem").to_str().unwrap()]);
    let list = std::fs::read(authority.path("revoked.pem")).unwrap();
    authority.run(&["revoke", authority.path("pump.d2.pem").to_str().unwrap()]);
    assert_ne!(
        std::fs::read(authority.path("revoked.pem")).unwrap(),
        list,
        "its number has grown"
    );
}

/// A request for a WebSocket: once it is answered, the handshake of TLS is over.
const UPGRADE: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";

/// A CONNECT in a frame whose mask changes nothing.
fn framed_connect(identity: &DeviceIdentity) -> Vec<u8> {
    let strings = Login {
        client_id: "any".to_owned(),
        device_key: identity.device_key.as_str().into(),
        product_key: identity.product_key.as_str().into(),
        secure_mode: SecureMode::DeviceSecret,
        sign_method: SignMethod::Sha256,
        timestamp: "1700000000000".to_owned(),
        compression: Compression::None,
    }
    .to_connect(&identity.device_secret);
    let mut body = b"\x00\x04MQTT\x04\xc2\x00\x3c".to_vec();
    for text in [strings.client_id, strings.user_name, strings.password] {
        body.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        body.extend(text.bytes());
    }
    let length = u8::try_from(body.len()).unwrap();
    assert!(length > 127, "two bytes of length");
    let packet = [&[0x10, length, 1][..], &body].concat();
    let framed = u16::try_from(packet.len()).unwrap().to_be_bytes();
    [&[0x82, 0x80 | 126][..], &framed, &[0; 4], &packet].concat()
}

#[tokio::test]
async fn a_certificate_that_is_revoked_between_handshake_and_login_opens_nothing() {
    let authority = Authority::new();
    let world = world(&authority).await;
    authority.run(&["device", "pump/d1"]);
    let identity = world.device("d1").await;
    let at = authority.way_in(&world, Some("pump.d1")).await;
    let mut socket = TcpStream::connect(at).await.unwrap();
    socket.write_all(UPGRADE).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(socket.read_u8().await.unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"));
    authority.run(&["revoke", authority.path("pump.d1.pem").to_str().unwrap()]);
    world.server.send(Signal::HUP);
    let log = eventually("the new list", || async {
        Some(world.server.log()).filter(|log| log.contains("certificates were read again"))
    });
    log.await;
    socket.write_all(&framed_connect(&identity)).await.unwrap();
    let mut connack = [0; 6];
    socket.read_exact(&mut connack).await.unwrap();
    assert_eq!(connack, [0x82, 4, 0x20, 2, 0, NOT_AUTHORIZED]);
    assert_eq!(world.presence(&identity).await, "inactive");
}

#[tokio::test]
async fn an_integration_channel_has_a_certificate_of_its_own_and_ends_when_it_is_revoked() {
    let authority = Authority::new();
    let world = world(&authority).await;
    authority.run(&["device", "strict/%channel%"]);
    let secret = world
        .client
        .get_product(STRICT)
        .await
        .unwrap()
        .data
        .product_secret
        .unwrap();
    let identity = DeviceIdentity::new(STRICT, CHANNEL_DEVICE_KEY, "");
    let channel = || with_product_secret(SecureMode::IntegrationChannel, &identity, &secret);
    let mut without = channel();
    assert_eq!(without.try_connect(world.server.mqtt).await.unwrap(), NOT_AUTHORIZED);
    let at = authority.way_in(&world, Some("strict.%channel%")).await;
    let mut with = channel();
    with.connect(at).await.unwrap();
    authority.run(&["revoke", authority.path("strict.%channel%.pem").to_str().unwrap()]);
    world.server.send(Signal::HUP);
    with.expect_closed().await.unwrap();
}

#[tokio::test]
async fn certificates_are_read_again_while_devices_are_connected() {
    let authority = Authority::new();
    let world = world(&authority).await;
    let identities = world.devices(&["d1", "d2"]).await;
    let at = authority.way_in(&world, None).await;
    let first = Device::connected(&identities[0], at).await.unwrap();
    // Another authority, and a server's certificate that only it vouches for.
    let other = Authority::new();
    for file in ["server.pem", "server-key.pem"] {
        std::fs::copy(other.path(file), authority.path(file)).unwrap();
    }
    world.server.send(Signal::HUP);
    let log = eventually("the new certificate", || async {
        Some(world.server.log()).filter(|log| log.contains("certificates were read again"))
    });
    log.await;
    assert!(Device::connected(&identities[1], at).await.is_err());
    let other_at = other.way_in(&world, None).await;
    let second = Device::connected(&identities[1], other_at).await.unwrap();
    let first = works(&world, first).await;
    drop(works(&world, second).await);
    std::fs::write(authority.path("server.pem"), "no certificate").unwrap();
    world.server.send(Signal::HUP);
    let log = eventually("the refusal", || async {
        Some(world.server.log()).filter(|log| log.contains("certificates stay as they were"))
    });
    log.await;
    drop(Device::connected(&identities[1], other_at).await.unwrap());
    drop(works(&world, first).await);
}

#[tokio::test]
async fn what_a_device_was_sent_under_tls_before_a_crash_is_answered_after_it() {
    let authority = Authority::new();
    let mut world = world(&authority).await;
    for device in ["strict/s1", "strict/s2"] {
        authority.run(&["device", device]);
    }
    authority.run(&["revoke", authority.path("strict.s2.pem").to_str().unwrap()]);
    let identities = world.register(STRICT, &["s1".to_owned(), "s2".to_owned()]).await;
    let at = authority.way_in(&world, Some("strict.s1")).await;
    let mut device = Device::connected(&identities[0], at).await.unwrap();
    for _ in 0..3 {
        let sent = world.create(&Plan::device(&identities[0]).reply_within(60)).await;
        let command = device.next_command().await.unwrap();
        let waiting = world.create(&Plan::device(&identities[0]).ttl(600)).await;
        world.server.kill_and_start_again();
        let revoked_at = authority.way_in(&world, Some("strict.s2")).await;
        assert!(Device::connected(&identities[1], revoked_at).await.is_err());
        let at = authority.way_in(&world, Some("strict.s1")).await;
        device.connect(at).await.unwrap();
        device.answer(&command, 200, json!({})).await.unwrap();
        let next = device.next_command().await.unwrap();
        device.answer(&next, 200, json!({})).await.unwrap();
        for job in [sent, waiting] {
            assert_eq!(world.recounted(&job).await.succeed, 1);
        }
    }
}

#[tokio::test]
async fn whoever_proves_nothing_is_closed_on() {
    let authority = Authority::new();
    let world = world(&authority).await;
    let stranger = Authority::new();
    stranger.run(&["device", "pump/d1"]);
    let identity = world.device("d1").await;
    let (certificate, key) = (stranger.path("pump.d1.pem"), stranger.path("pump.d1-key.pem"));
    let trust = Trust {
        ca: &authority.path("ca.pem"),
        own: Some((&certificate, &key)),
        offers: Offers::Everything,
    };
    let at = tunnel(world.server.mqtts(), trust).await;
    assert!(Device::connected(&identity, at).await.is_err());
    let mut plain = TcpStream::connect(world.server.mqtts()).await.unwrap();
    plain
        .write_all(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00")
        .await
        .unwrap();
    let mut answer = Vec::new();
    drop(plain.read_to_end(&mut answer).await);
    assert_ne!(answer.first(), Some(&0x20), "no CONNACK in the open");
    let device = DeviceRef::keys("pump", "d1");
    let status = world.client.get_device(&device).await.unwrap().data.status;
    assert_eq!(status.as_deref(), Some("inactive"));
}
