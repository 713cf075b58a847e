//! Packets that MQTT 3.1.1 forbids, each on a connection of its own: it is ended, and the next device is served.

use aldis_simulator::Device;
use serde_json::json;

use crate::harness::{Plan, World};

/// A PUBLISH with these flags, this packet id if there is one, and this remaining length if not its own.
fn publish(flags: u8, topic: &[u8], packet_id: Option<u16>, payload: &[u8]) -> Vec<u8> {
    let mut rest = u16::try_from(topic.len()).unwrap().to_be_bytes().to_vec();
    rest.extend_from_slice(topic);
    rest.extend(packet_id.into_iter().flat_map(u16::to_be_bytes));
    rest.extend_from_slice(payload);
    packet(0x30 | flags, &rest)
}

/// A packet with this first byte.
pub(crate) fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = rest.len();
    loop {
        let low = u8::try_from(length % 128).unwrap();
        length /= 128;
        bytes.push(if length > 0 { low | 0x80 } else { low });
        if length == 0 {
            break;
        }
    }
    [bytes, rest.to_vec()].concat()
}

#[tokio::test]
async fn a_device_that_breaks_the_protocol_is_cut_off_and_comes_back() {
    let world = World::open().await;
    let identity = world.device("d1").await;
    let own = b"/sys/pump/d1/thing/measurepoint/post";
    let cases: [(&str, Vec<u8>); 24] = [
        ("QoS 2", publish(0b0100, own, Some(1), b"{}")),
        ("QoS 3", publish(0b0110, own, Some(1), b"{}")),
        ("packet id 0", publish(0b0010, own, Some(0), b"{}")),
        (
            "a topic that is no UTF-8",
            publish(0b0010, b"/sys/\xff\xfe", Some(1), b"{}"),
        ),
        ("a length of five bytes", vec![0x30, 0xff, 0xff, 0xff, 0xff, 0x01]),
        (
            "a payload that is too large",
            publish(0b0010, own, Some(1), &vec![b'x'; 600 << 10]),
        ),
        ("a topic longer than its packet", vec![0x30, 0x03, 0xff, 0xff, b'a']),
        (
            "a second CONNECT",
            packet(0x10, b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a"),
        ),
        ("CONNACK", vec![0x20, 2, 0, 0]),
        ("PUBREC", vec![0x50, 2, 0, 1]),
        ("PUBREL", vec![0x62, 2, 0, 1]),
        ("SUBACK", vec![0x90, 3, 0, 1, 0]),
        ("PINGRESP", vec![0xd0, 0]),
        ("packet type 0", vec![0x00, 0]),
        ("packet type 15", vec![0xf0, 0]),
        ("SUBSCRIBE without its flags", packet(0x80, b"\x00\x01\x00\x01a\x00")),
        ("SUBSCRIBE without a filter", packet(0x82, b"\x00\x01")),
        ("SUBSCRIBE with packet id 0", packet(0x82, b"\x00\x00\x00\x01a\x00")),
        ("SUBSCRIBE for QoS 3", packet(0x82, b"\x00\x01\x00\x01a\x03")),
        (
            "a filter that is no UTF-8",
            packet(0x82, b"\x00\x01\x00\x02\xff\xfe\x00"),
        ),
        ("UNSUBSCRIBE without a filter", packet(0xa2, b"\x00\x01")),
        (
            "a topic with a wildcard",
            publish(0b0010, b"/sys/pump/d1/thing/#", Some(1), b"{}"),
        ),
        ("an empty topic", publish(0b0010, b"", Some(1), b"{}")),
        ("a topic with NUL", publish(0b0010, b"/sys/\0", Some(1), b"{}")),
    ];
    for (what, bytes) in cases {
        let mut device = world.connect(&identity).await;
        // Much of a large packet may not have been read when the connection ends.
        drop(device.send_raw(&bytes).await);
        device
            .expect_closed()
            .await
            .unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    let mut device = world.connect(&identity).await;
    device.ping().await.unwrap();
}

#[tokio::test]
async fn packet_identifiers_may_be_reused_and_every_reply_counts_once() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    let job = world.create(&Plan::device(device.identity())).await;
    let command = device.next_command().await.unwrap();
    let reply = json!({"id": command.id(), "code": 200, "data": {}}).to_string();
    // The flag of a repetition says nothing: whether it is one is for the reply's id to tell.
    for round in 0..20 {
        let again = if round % 2 == 0 { 0 } else { 0b1000 };
        let packet = publish(
            0b0010 | again,
            command.reply_topic().as_bytes(),
            Some(7),
            reply.as_bytes(),
        );
        device.send_raw(&packet).await.unwrap();
    }
    device.unsubscribe(&["never/subscribed"]).await.unwrap();
    device.ping().await.unwrap();
    let counted = world
        .count_when(&job, "its task succeeded", |count| count.succeed == 1)
        .await;
    assert_eq!(counted.total, 1);
    assert_eq!(world.recounted(&job).await.succeed, 1);
}

#[tokio::test]
async fn another_protocol_is_told_so_or_cut_off() {
    let world = World::open().await;
    let identity = world.device("d1").await;
    let cases: [(&str, Vec<u8>); 7] = [
        ("MQTT 6", packet(0x10, b"\x00\x04MQTT\x06\x02\x00\x3c\x00\x00\x01a")),
        (
            "MQTT 5 without a login",
            packet(0x10, b"\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01a"),
        ),
        ("MQTT 3.1", packet(0x10, b"\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x01a")),
        ("another name", packet(0x10, b"\x00\x04HTTP\x04\x02\x00\x3c\x00\x01a")),
        ("reserved flag", packet(0x10, b"\x00\x04MQTT\x04\x03\x00\x3c\x00\x01a")),
        ("no CONNECT first", vec![0xc0, 0]),
        ("half a CONNECT", b"\x10\x20\x00\x04MQTT".to_vec()),
    ];
    for (what, bytes) in cases {
        let answer = exchange(&world, &bytes).await;
        // CONNACK, its length, no session present, and a reason that is no success.
        let refused = matches!(answer[..], [0x20, _, 0, reason, ..] if reason != 0);
        assert!(answer.is_empty() || refused, "{what}: {answer:?}");
    }
    let endless = [b"GET / HTTP/1.1\r\nCookie: ".as_slice(), &[b'x'; 16 * 1024]].concat();
    let requests: [(&str, &[u8]); 4] = [
        ("no WebSocket", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("no HTTP", b"GET it now\r\n\r\n"),
        (
            "another method",
            b"GOT / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        ),
        ("a request without an end", &endless),
    ];
    for (what, bytes) in requests {
        let answer = exchange(&world, bytes).await;
        assert!(answer.starts_with(b"HTTP/1.1 400 "), "{what}: {answer:?}");
    }
    Device::connected(&identity, world.server.mqtt)
        .await
        .unwrap()
        .ping()
        .await
        .unwrap();
}

/// What the server says to these bytes until it closes; the sender ends its side after them.
async fn exchange(world: &World, bytes: &[u8]) -> Vec<u8> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut socket = tokio::net::TcpStream::connect(world.server.mqtt).await.unwrap();
    drop(socket.write_all(bytes).await);
    drop(socket.shutdown().await);
    let mut answer = Vec::new();
    // Closed with a reset is closed.
    drop(socket.read_to_end(&mut answer).await);
    answer
}
