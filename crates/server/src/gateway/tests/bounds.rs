//! What one device may cost the others.

use aldis_core::ids::{AttemptNo, TaskNo, WireId};

use super::bench::{Bench, packet, publish, text};
use crate::link::DeviceEvent;

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
        let (mut socket, _) = bench.device("d1").await;
        assert!(socket.flood(&bytes, FAR_TOO_MUCH).await.is_some(), "{what}");
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
