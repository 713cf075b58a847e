//! What one device may cost the others.

use std::io::Write as _;

use aldis_core::ids::{AttemptNo, TaskNo, WireId};
use aldis_protocol::login::Login;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::bench::{Bench, connect_head, login, packet, publish, strings, text};
use aldis_engine::link::DeviceEvent;

const ROOM: usize = 100;
/// More than any bound on what may wait for a device, and socket buffers with it.
const FAR_TOO_MUCH: usize = 64 << 20;

#[tokio::test]
async fn a_device_that_asks_and_never_reads_is_ended_whatever_it_asks() {
    let mut bench = Bench::open(ROOM).await;
    let subscribe = packet(
        0x82,
        &[&[0, 7][..], &[&text("a")[..], &[0]].concat().repeat(1000)].concat(),
    );
    let unsubscribe = packet(0xa2, &[&[0, 7][..], &text("a")].concat());
    let post = publish("/sys/pk/d1/thing/event/e/post", r#"{"id":"1"}"#);
    for (what, bytes) in [
        ("PINGREQ", [0xc0, 0].repeat(5000)),
        ("SUBSCRIBE", subscribe),
        ("UNSUBSCRIBE", unsubscribe.repeat(1000)),
        ("PUBLISH", post.repeat(100)),
    ] {
        let socket = bench.narrow_socket().await;
        let (mut socket, _) = bench.log_in(socket, "d1").await;
        assert!(socket.flood(&bytes, FAR_TOO_MUCH).await.is_some(), "{what}");
    }
}

/// Packets that are small and unpack to as much as a payload may be.
const PACKED: usize = 24;

#[tokio::test]
async fn devices_are_served_while_another_sends_packets_that_unpack_to_much() {
    let mut bench = Bench::open(ROOM).await;
    let mut encoding = bench.socket().await;
    let login = Login {
        client_id: "d1{compress=GZIP}".to_owned(),
        ..login("d1")
    };
    encoding
        .send(&packet(0x10, &[connect_head(4, 60), strings(&login)].concat()))
        .await;
    assert_eq!(encoding.connack().await, 0);
    let (mut good, _) = bench.device("d2").await;
    let large = format!(r#"{{"id":"1","params":{{}}}}{}"#, " ".repeat(500_000));
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(large.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let post = packet(0x30, &[&text("/sys/pk/d1/thing/event/e/post")[..], &packed].concat());
    // They fit into one read.
    assert!(post.len() * PACKED < 16 * 1024);
    encoding.send(&post.repeat(PACKED)).await;
    good.send(&[0xc0, 0]).await;
    assert_eq!(good.packet().await, Some((0xd0, Vec::new())));
    let answered = encoding.arrived();
    let answers = answered.windows(10).filter(|at| at == b"post_reply").count();
    assert!(answers < PACKED, "all {PACKED} were dealt with first");
    for _ in answers..PACKED {
        let (kind, _) = encoding.packet().await.unwrap();
        assert_eq!(kind, 0x30);
    }
}

#[tokio::test]
async fn commands_without_puback_never_use_up_the_packet_identifiers() {
    let mut bench = Bench::open(ROOM).await;
    let (mut socket, session) = bench.device("d1").await;
    let mut last = Vec::new();
    for number in 1..=66_000 {
        bench.order(session, WireId::new(TaskNo(number), AttemptNo(1)));
        let (kind, body) = socket.packet().await.unwrap();
        assert_eq!(kind, 0x32);
        last = body;
    }
    let topic = usize::from(u16::from_be_bytes([last[0], last[1]]));
    let packet_id = &last[2 + topic..4 + topic];
    socket.send(&packet(0x40, packet_id)).await;
    let acked = bench.wait(|event| match event {
        DeviceEvent::Acked { wire, .. } => Some(*wire),
        _ => None,
    });
    assert_eq!(acked.await, WireId::new(TaskNo(66_000), AttemptNo(1)));
}
