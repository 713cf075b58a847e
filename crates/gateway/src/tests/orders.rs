//! What the engine orders, seen from the device's end of the socket.

use std::sync::Arc;

use aldis_core::ids::{AttemptNo, TaskNo, WireId};

use super::bench::{Bench, NOW, packet};
use aldis_engine::link::{Cause, DeviceEvent, DeviceLink as _, Order, SessionNo};

const ROOM: usize = 100;

fn reset(session: SessionNo) -> Order {
    Order::Reset {
        session,
        cause: Cause::Disabled,
    }
}

fn wire(task: u64) -> WireId {
    WireId::new(TaskNo(task), AttemptNo(1))
}

#[tokio::test]
async fn orders_of_a_session_are_carried_out_in_their_order_whatever_lies_between_them() {
    let mut bench = Bench::open(ROOM).await;
    let (mut first, one) = bench.device("d1").await;
    let (mut second, two) = bench.device("d2").await;
    let acknowledge = |session, packet| Order::Acknowledge { session, packet };
    bench.sessions.carry_out(vec![
        acknowledge(two, 9),
        acknowledge(one, 7),
        bench.publish(two, wire(2)),
        acknowledge(one, 8),
        bench.publish(one, wire(1)),
    ]);
    assert_eq!(first.packet().await, Some((0x40, vec![0, 7])));
    assert_eq!(first.packet().await, Some((0x40, vec![0, 8])));
    assert_eq!(first.packet().await.unwrap().0, 0x32);
    assert_eq!(second.packet().await, Some((0x40, vec![0, 9])));
    assert_eq!(second.packet().await.unwrap().0, 0x32);
}

#[tokio::test]
async fn a_command_says_when_the_socket_has_it_and_comes_back_acknowledged() {
    let mut bench = Bench::open(ROOM).await;
    let (mut device, session) = bench.device("d1").await;
    let order = bench.publish(session, wire(1));
    let Order::Publish(outgoing) = &order else { panic!() };
    let gate = Arc::clone(&outgoing.gate);
    bench.sessions.carry_out(vec![order]);
    let (kind, body) = device.packet().await.unwrap();
    assert_eq!(kind, 0x32);
    let topic = "/sys/pk/d1/thing/service/s";
    assert_eq!(&body[2..2 + topic.len()], topic.as_bytes());
    assert_eq!(gate.handed(), Some(NOW));
    assert!(!gate.withdraw());
    device
        .send(&packet(0x40, &body[2 + topic.len()..4 + topic.len()]))
        .await;
    let acked = bench.wait(|event| match event {
        DeviceEvent::Acked { wire, .. } => Some(*wire),
        _ => None,
    });
    assert_eq!(acked.await, wire(1));
}

#[tokio::test]
async fn a_command_that_is_too_late_or_taken_back_never_leaves() {
    let mut bench = Bench::open(ROOM).await;
    let (mut device, session) = bench.device("d1").await;
    let mut late = bench.outgoing(session, wire(1));
    late.not_after = NOW;
    let taken_back = bench.outgoing(session, wire(2));
    assert!(taken_back.gate.withdraw());
    let in_time = bench.publish(session, wire(3));
    bench
        .sessions
        .carry_out(vec![Order::Publish(late.clone()), Order::Publish(taken_back), in_time]);
    let (_, body) = device.packet().await.unwrap();
    assert!(String::from_utf8_lossy(&body).contains(&wire(3).to_string()));
    assert_eq!(
        bench.not_sent().await,
        wire(1),
        "only what was not known to stay is reported"
    );
    assert!(!late.gate.take());
}

#[tokio::test]
async fn a_command_behind_the_end_of_its_session_is_handed_back() {
    let mut bench = Bench::open(ROOM).await;
    let (mut device, session) = bench.device("d1").await;
    bench
        .sessions
        .carry_out(vec![reset(session), bench.publish(session, wire(1))]);
    assert_eq!(device.packet().await, None);
    assert_eq!(bench.not_sent().await, wire(1));
    let ended = bench.wait(|event| match event {
        DeviceEvent::Disconnected { session, .. } => Some(*session),
        _ => None,
    });
    assert_eq!(ended.await, session);
    bench.order(session, wire(2));
    assert_eq!(
        bench.not_sent().await,
        wire(2),
        "and there is no connection for what comes later"
    );
}

#[tokio::test]
async fn a_second_login_ends_the_first_session() {
    let mut bench = Bench::open(ROOM).await;
    let (mut first, one) = bench.device("d1").await;
    let (mut second, two) = bench.device("d1").await;
    assert_eq!(first.packet().await, None);
    assert_eq!(bench.sessions.count(), 1);
    bench
        .sessions
        .carry_out(vec![bench.publish(one, wire(1)), bench.publish(two, wire(2))]);
    let (_, body) = second.packet().await.unwrap();
    assert!(String::from_utf8_lossy(&body).contains(&wire(2).to_string()));
}

#[tokio::test]
async fn everything_ordered_before_the_stop_is_still_delivered() {
    let mut bench = Bench::open(ROOM).await;
    let (mut device, session) = bench.device("d1").await;
    let acknowledgements = (1..=50).map(|packet| Order::Acknowledge { session, packet });
    bench.sessions.carry_out(acknowledgements.collect());
    bench.stop.stop();
    bench.sessions.end_all();
    for packet in 1..=50 {
        assert_eq!(device.packet().await, Some((0x40, vec![0, packet])));
    }
    assert_eq!(device.packet().await, None);
    bench.ends.await.unwrap();
    assert_eq!(bench.sessions.count(), 0);
}
