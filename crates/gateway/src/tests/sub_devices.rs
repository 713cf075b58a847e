//! Sub-devices over a gateway's connection: what the engine orders for them, and what becomes of their sessions.

use std::sync::Arc;

use aldis_core::command::Qos;
use aldis_core::ids::{AttemptNo, DeviceNo, TaskNo, WireId};

use super::bench::{Bench, Socket, packet, text};
use crate::connection_handle::ConnectionHandle;
use crate::entrant::Entrant;
use crate::keys::Keys;
use aldis_engine::link::{Cause, DeviceEvent, DeviceKeys, DeviceLink as _, LifecycleChange, Order, SessionNo};
use aldis_engine::trace::Event;

const ROOM: usize = 100;
const A: DeviceNo = DeviceNo(501);
const B: DeviceNo = DeviceNo(502);

fn sub_device(device: DeviceNo, key: &str) -> Entrant {
    Entrant {
        device,
        keys: Keys::new("sub", key),
        qos: Qos::default(),
    }
}

fn wire(task: u64) -> WireId {
    WireId::new(TaskNo(task), AttemptNo(1))
}

fn handle(bench: &Bench, session: SessionNo) -> Arc<ConnectionHandle> {
    bench.sessions.handle(session.connection()).unwrap()
}

/// A gateway with two sub-devices: its socket and session, and theirs.
async fn crowd(bench: &mut Bench) -> (Socket, SessionNo, [SessionNo; 2]) {
    let (socket, own) = bench.device("d1").await;
    let handle = handle(bench, own);
    let sessions =
        [(A, "a"), (B, "b")].map(|(device, key)| bench.sessions.enter_over(&handle, sub_device(device, key)).unwrap());
    for expected in sessions {
        let found = bench.wait(|event| match event {
            DeviceEvent::Connected { session, .. } => Some(*session),
            _ => None,
        });
        assert_eq!(found.await, expected);
    }
    (socket, own, sessions)
}

fn publish(bench: &Bench, device: DeviceNo, session: SessionNo, task: u64) -> Order {
    let mut outgoing = bench.outgoing(session, wire(task));
    outgoing.device = device;
    Order::Publish(outgoing)
}

/// The topic of the next packet, which is a command, and its packet identifier.
async fn command(socket: &mut Socket) -> (String, [u8; 2]) {
    let (kind, body) = socket.packet().await.unwrap();
    assert_eq!(kind, 0x32);
    let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
    let topic = String::from_utf8(body[2..2 + length].to_vec()).unwrap();
    (topic, [body[2 + length], body[3 + length]])
}

async fn gone(bench: &mut Bench) -> (SessionNo, DeviceNo) {
    bench
        .wait(|event| match event {
            DeviceEvent::Disconnected { session, device } => Some((*session, *device)),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn a_sub_device_gets_commands_as_its_own_product_wants_them() {
    let mut bench = Bench::open(ROOM).await;
    let (mut socket, own, [acknowledging, _]) = crowd(&mut bench).await;
    let quiet = Entrant {
        qos: Qos::AtMostOnce,
        ..sub_device(B, "b")
    };
    let session = bench.sessions.enter_over(&handle(&bench, own), quiet).unwrap();
    bench.sessions.carry_out(vec![
        publish(&bench, B, session, 1),
        publish(&bench, A, acknowledging, 2),
    ]);
    assert_eq!(socket.packet().await.unwrap().0, 0x30);
    assert_eq!(socket.packet().await.unwrap().0, 0x32);
}

#[tokio::test]
async fn commands_carry_the_keys_of_their_device_and_come_back_acknowledged_as_its_own() {
    let mut bench = Bench::open(ROOM).await;
    let (mut socket, own, [a, b]) = crowd(&mut bench).await;
    let orders = vec![
        publish(&bench, B, b, 2),
        publish(&bench, DeviceNo(1), own, 3),
        publish(&bench, A, a, 1),
    ];
    let gates: Vec<_> = orders
        .iter()
        .filter_map(|order| match order {
            Order::Publish(outgoing) => Some(Arc::clone(&outgoing.gate)),
            _ => None,
        })
        .collect();
    bench.sessions.carry_out(orders);
    for (device, topic, task) in [
        (B, "/sys/sub/b/thing/service/s", 2),
        (DeviceNo(1), "/sys/pk/d1/thing/service/s", 3),
        (A, "/sys/sub/a/thing/service/s", 1),
    ] {
        let (found, packet_id) = command(&mut socket).await;
        assert_eq!(found, topic);
        socket.send(&packet(0x40, &packet_id)).await;
        let acked = bench.wait(|event| match event {
            DeviceEvent::Acked { device, wire } => Some((*device, *wire)),
            _ => None,
        });
        assert_eq!(acked.await, (device, wire(task)));
    }
    assert!(gates.iter().all(|gate| gate.handed().is_some()));
}

#[tokio::test]
async fn the_trace_of_a_sub_device_tells_why_it_is_out_and_of_which_gateway() {
    let mut bench = Bench::open(ROOM).await;
    let (_socket, _, [a, b]) = crowd(&mut bench).await;
    let end = |session, cause| Order::Reset { session, cause };
    bench
        .sessions
        .carry_out(vec![end(a, Cause::Moved), end(b, Cause::Deleted)]);
    for (device, why) in [
        (A, "the device is not under this gateway any more (gateway pk/d1)"),
        (B, "the device was deleted (gateway pk/d1)"),
    ] {
        gone(&mut bench).await;
        let noted = bench.app.shared().traces.of(device).pop();
        assert_eq!(noted.unwrap().event, Event::Ended(why.to_owned()));
    }
}

#[tokio::test]
async fn the_end_of_a_sub_devices_session_is_no_end_of_the_connection() {
    let mut bench = Bench::open(ROOM).await;
    let (mut socket, _, [a, b]) = crowd(&mut bench).await;
    let orders = vec![
        Order::Reset {
            session: a,
            cause: Cause::Moved,
        },
        publish(&bench, A, a, 1),
        publish(&bench, B, b, 2),
    ];
    bench.sessions.carry_out(orders);
    assert_eq!(gone(&mut bench).await, (a, A));
    assert_eq!(bench.not_sent().await, wire(1));
    assert_eq!(command(&mut socket).await.0, "/sys/sub/b/thing/service/s");
    assert_eq!(bench.sessions.count(), 2);
}

#[tokio::test]
async fn a_stuck_connection_ends_with_all_that_are_in_over_it() {
    let mut bench = Bench::open(ROOM).await;
    let (mut socket, own, [a, b]) = crowd(&mut bench).await;
    let orders = vec![
        Order::Break { session: a },
        publish(&bench, B, b, 2),
        publish(&bench, DeviceNo(1), own, 3),
    ];
    bench.sessions.carry_out(orders);
    assert_eq!(bench.not_sent().await, wire(2));
    assert_eq!(bench.not_sent().await, wire(3));
    let mut left = [gone(&mut bench).await, gone(&mut bench).await, gone(&mut bench).await];
    left.sort_unstable();
    let mut expected = [(own, DeviceNo(1)), (a, A), (b, B)];
    expected.sort_unstable();
    assert_eq!(left, expected);
    assert_eq!(socket.packet().await, None);
    assert_eq!(bench.sessions.count(), 0);
}

#[tokio::test]
async fn a_login_elsewhere_ends_the_session_that_was_and_nothing_else() {
    let mut bench = Bench::open(ROOM).await;
    let (_first, own, [a, _]) = crowd(&mut bench).await;
    let (_second, other) = bench.device("d2").await;
    let there = handle(&bench, other);
    let moved = bench.sessions.enter_over(&there, sub_device(A, "a")).unwrap();
    assert_eq!(moved.connection(), other.connection());
    assert_eq!(gone(&mut bench).await, (a, A));
    assert!(handle(&bench, own).outbox().members().unwrap().get(a).is_none());
    let (_direct, direct) = bench.device("d2").await;
    assert_ne!(direct.connection(), other.connection());
    let left = [gone(&mut bench).await, gone(&mut bench).await];
    assert!(
        left.contains(&(moved, A)) && left.contains(&(other, DeviceNo(2))),
        "{left:?}"
    );
    // No login succeeds over a connection that has ended.
    assert!(bench.sessions.enter_over(&there, sub_device(A, "a")).is_none());
}

/// A reply that is not acknowledged is said again.
#[tokio::test]
async fn a_reply_that_nobody_can_place_now_is_not_acknowledged() {
    let mut bench = Bench::open(ROOM).await;
    let (mut socket, _) = bench.device("d1").await;
    let mut said = text("/sys/pk/d2/thing/service/s_reply");
    said.extend([0, 7]);
    said.extend_from_slice(br#"{"id":"1000000000000004097","code":200,"data":{}}"#);
    let said = packet(0x32, &said);
    socket.send(&said).await;
    assert_eq!(socket.packet().await, Some((0x40, vec![0, 7])), "it is no sub-device");
    bench.faults.lock().reads_after = Some(0);
    socket.send(&said).await;
    assert_eq!(socket.packet().await, None, "its kind is unknown");
}

#[tokio::test]
async fn a_gateway_is_told_on_its_own_topic_with_an_id_of_its_own() {
    let mut bench = Bench::open(ROOM).await;
    let (mut socket, own, _) = crowd(&mut bench).await;
    let tell = |change| Order::Notify {
        session: own,
        change,
        sub_device: DeviceKeys {
            product_key: "sub".into(),
            device_key: "a".into(),
        },
    };
    bench
        .sessions
        .carry_out(vec![tell(LifecycleChange::Disabled), tell(LifecycleChange::Deleted)]);
    let mut ids = Vec::new();
    for word in ["disable", "delete"] {
        let (kind, body) = socket.packet().await.unwrap();
        let topic = format!("/ext/session/pk/d1/combine/{word}");
        assert_eq!((kind, &body[2..2 + topic.len()]), (0x30, topic.as_bytes()));
        let payload: serde_json::Value = serde_json::from_slice(&body[2 + topic.len()..]).unwrap();
        ids.push(payload["id"].as_str().unwrap().to_owned());
    }
    assert!(ids.iter().all(|id| id.len() == 18) && ids[0] != ids[1], "{ids:?}");
}
