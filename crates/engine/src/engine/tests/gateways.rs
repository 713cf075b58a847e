//! Sub-devices: many devices over one connection.

use aldis_core::ids::{DeviceNo, JobNo, TaskNo, WireId};
use aldis_core::policy::Policy;
use aldis_core::task::State;
use aldis_store::{Done, Write};

use super::bench::Bench;
use super::sample::{AT_ONCE, REPLY_MS, WAITING, within};
use crate::engine::gateways::OUT_MAX;
use crate::link::{ConnectionNo, LifecycleChange, Order, SessionNo};
use crate::writer::WriterRequest;

/// The first device of a bench holds a connection, and all others are in over it.
fn crowded(sub_devices: usize) -> (Bench, DeviceNo, Vec<DeviceNo>) {
    let mut bench = Bench::new(sub_devices + 1);
    let gateway = bench.devices[0];
    let others = bench.devices[1..].to_vec();
    let connection = bench.enter(gateway).connection();
    for (login, device) in (1..).zip(&others) {
        bench.enter_over(*device, connection, login);
    }
    bench.settle();
    (bench, gateway, others)
}

fn put_under(bench: &mut Bench, gateway: DeviceNo, devices: &[DeviceNo]) {
    let add = Write::AddSubDevices {
        gateway,
        devices: devices.to_vec(),
        moves: false,
        most: 1000,
    };
    assert_eq!(bench.write(add), Done::Yes);
}

fn put_under_instead(bench: &mut Bench, gateway: DeviceNo, device: DeviceNo) {
    let add = Write::AddSubDevices {
        gateway,
        devices: vec![device],
        moves: true,
        most: 1000,
    };
    assert_eq!(bench.write(add), Done::Yes);
}

#[test]
fn a_gateway_is_neither_flooded_nor_serialised() {
    let (mut bench, gateway, others) = crowded(200);
    let tasks = bench.tasks_for(&bench.devices.clone(), AT_ONCE);
    let mut out = bench.sent();
    assert_eq!(out.len(), OUT_MAX + 1, "the gateway's own goes out beside them");
    assert!(out.iter().any(|wire| bench.device_of(*wire) == gateway));
    let mut answered = 0;
    while let Some(wire) = out.pop() {
        bench.reply(wire, 200);
        answered += 1;
        out.extend(bench.deliver());
        assert!(out.len() <= OUT_MAX + 1);
    }
    assert_eq!((answered, others.len() + 1), (201, tasks.len()));
    assert_eq!(bench.states(&tasks), [State::Succeeded; 201]);
}

#[test]
fn no_sub_device_gets_a_second_command_while_another_waits_for_its_first() {
    let (mut bench, _, others) = crowded(OUT_MAX + 5);
    let first = bench.tasks_for(&others, WAITING);
    let second = bench.tasks_for(&others, WAITING);
    let mut order = Vec::new();
    let mut out: std::collections::VecDeque<WireId> = bench.sent().into();
    while let Some(wire) = out.pop_front() {
        order.push(wire.task());
        bench.reply(wire, 200);
        out.extend(bench.deliver());
    }
    let expected: Vec<_> = first.into_iter().chain(second).collect();
    assert_eq!(order, expected);
}

/// Every slot of a gateway is taken, as many devices wait behind them for what will come to nothing, and one behind
/// these for something that can be sent.
struct Queue {
    bench: Bench,
    taken: Vec<WireId>,
    vain: JobNo,
    valid: TaskNo,
}

fn queue(vain: Policy) -> Queue {
    let (mut bench, _, others) = crowded(OUT_MAX * 2 + 2);
    let (away, others) = others.split_last().unwrap();
    bench.leave(*away, bench.session_of(*away));
    bench.settle();
    let (valid, others) = others.split_last().unwrap();
    bench.tasks_for(&others[..OUT_MAX], WAITING);
    let taken = bench.sent();
    assert_eq!(taken.len(), OUT_MAX);
    // Rows that have come to nothing are settled slice by slice: those of this job before those of the next.
    bench.task_for(*away, vain);
    let vain = bench.tasks_for(&others[OUT_MAX..], vain)[0];
    let valid = bench.task_for(*valid, WAITING);
    let vain = bench.job_of(vain).no;
    Queue {
        bench,
        taken,
        vain,
        valid,
    }
}

impl Queue {
    /// All slots are freed at once.
    fn free_all(&mut self) {
        for wire in &self.taken {
            self.bench.say(self.bench.device_of(*wire), *wire, 200);
        }
    }
}

#[test]
fn turns_that_go_to_windows_that_are_over_are_followed_by_others() {
    let mut queue = queue(within(5_000));
    queue.bench.now = queue.bench.now.plus_ms(5_000);
    queue.free_all();
    assert_eq!(queue.bench.tasks_sent(), [queue.valid]);
}

#[test]
fn turns_that_go_to_a_cancelled_job_are_followed_by_others() {
    let mut queue = queue(WAITING);
    queue.free_all();
    queue.bench.cancel_job(queue.vain);
    assert_eq!(queue.bench.tasks_sent(), [queue.valid]);
}

#[test]
fn devices_of_their_own_do_not_wait_for_a_gateways() {
    let mut bench = Bench::new(OUT_MAX * 2 + 1);
    let alone = bench.devices[OUT_MAX * 2];
    for (login, device) in (1..).zip(bench.devices[..OUT_MAX * 2].to_vec()) {
        bench.enter_over(device, ConnectionNo(77), login);
    }
    bench.enter(alone);
    bench.settle();
    bench.tasks_for(&bench.devices.clone(), AT_ONCE);
    let sent = bench.sent();
    assert_eq!(sent.len(), OUT_MAX + 1);
    assert!(sent.iter().any(|wire| bench.device_of(*wire) == alone));
}

#[test]
fn a_commit_that_fails_gives_no_turn_away() {
    let (mut bench, _, others) = crowded(OUT_MAX + 3);
    bench.tasks_for(&others, AT_ONCE);
    let out = bench.sent();
    assert_eq!(out.len(), OUT_MAX);
    bench.faults.lock().commits = 1;
    bench.say(bench.device_of(out[0]), out[0], 200);
    bench.turn();
    assert_eq!(bench.deliver(), []);
    bench.pass(1_000);
    assert_eq!(bench.deliver().len(), 1, "one reply, one turn");
}

#[test]
fn what_is_out_over_a_connection_counts_also_after_a_logout() {
    let (mut bench, _, others) = crowded(OUT_MAX + 1);
    let tasks = bench.tasks_for(&others, WAITING);
    let out = bench.sent();
    let (device, session) = (others[0], bench.session_of(others[0]));
    bench.leave(device, session);
    bench.enter_over(device, session.connection(), 500);
    bench.settle();
    assert_eq!(
        bench.deliver(),
        [],
        "its first command may still be at work in the gateway"
    );
    let wire = out.into_iter().find(|wire| bench.device_of(*wire) == device).unwrap();
    bench.reply(wire, 200);
    assert_eq!(bench.state(tasks[0]), State::Succeeded);
    assert_eq!(bench.deliver().len(), 1);
}

#[test]
fn what_waits_for_a_sub_device_waits_for_its_own_login() {
    let mut bench = Bench::new(2);
    let [gateway, device] = bench.devices[..] else {
        panic!("two devices")
    };
    let task = bench.task_for(device, WAITING);
    let connection = bench.enter(gateway).connection();
    assert_eq!(bench.sent(), []);
    bench.enter_over(device, connection, 1);
    assert_eq!(bench.one_sent().task(), task);
}

#[test]
fn bytes_that_are_stuck_end_the_gateways_connection_and_a_disable_only_one_session() {
    let (mut bench, _, others) = crowded(2);
    bench.task_for(others[0], AT_ONCE);
    bench.one_sent();
    bench.pass(REPLY_MS);
    let session = bench.session_of(others[0]);
    assert_eq!(bench.link.breaks(), [session]);
    assert_eq!(bench.link.resets(), []);
    bench.disable(others[1], true);
    assert_eq!(bench.link.resets(), [bench.session_of(others[1])]);
    assert_eq!(bench.link.breaks(), []);
}

#[test]
fn an_acknowledged_attempt_that_is_never_answered_breaks_nothing() {
    let (mut bench, _, others) = crowded(1);
    bench.task_for(others[0], AT_ONCE);
    let wire = bench.one_sent();
    bench.ack(wire);
    bench.pass(REPLY_MS);
    assert_eq!((bench.link.breaks(), bench.link.resets()), (vec![], vec![]));
}

#[test]
fn a_gateway_that_is_online_is_told_what_becomes_of_its_sub_devices() {
    let (mut bench, gateway, others) = crowded(2);
    put_under(&mut bench, gateway, &others[..1]);
    bench.disable(others[0], true);
    bench.disable(others[0], false);
    bench.delete_device(others[0]);
    bench.disable(others[1], true);
    let told = bench.link.told();
    let own = bench.session_of(gateway);
    let changes: Vec<(SessionNo, LifecycleChange, String)> = told
        .into_iter()
        .map(|order| match order {
            Order::Notify {
                session,
                change,
                sub_device,
            } => (session, change, sub_device.device_key.to_string()),
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [
        LifecycleChange::Disabled,
        LifecycleChange::Enabled,
        LifecycleChange::Deleted,
    ]
    .map(|change| (own, change, "d1".to_owned()));
    assert_eq!(changes, expected, "the other is not a sub-device");
    put_under(&mut bench, gateway, &others[1..]);
    bench.leave(gateway, own);
    bench.disable(others[1], false);
    assert!(bench.link.told().is_empty(), "no gateway is connected to be notified");
}

#[test]
fn a_device_that_is_moved_leaves_its_gateway_and_no_connection_of_its_own() {
    let (mut bench, gateway, others) = crowded(2);
    let task = bench.task_for(others[0], WAITING);
    bench.settle();
    for device in [gateway, others[0]] {
        bench.inbox.enqueue_unbounded(WriterRequest::CheckSession { device });
    }
    bench.settle();
    assert_eq!(bench.link.resets(), [bench.session_of(others[0])]);
    assert_eq!(
        bench.state(task),
        State::Queued,
        "what has not left by now does not leave"
    );
}

#[test]
fn session_that_has_to_end_ends_also_after_a_commit_that_failed() {
    let (mut bench, _, others) = crowded(1);
    let task = bench.task_for(others[0], WAITING);
    bench.settle();
    bench.faults.lock().commits = 1;
    bench
        .inbox
        .enqueue_unbounded(WriterRequest::CheckSession { device: others[0] });
    bench.settle();
    assert_eq!(bench.link.resets(), []);
    bench.pass(1_000);
    assert_eq!(bench.link.resets(), [bench.session_of(others[0])]);
    assert_eq!((bench.deliver(), bench.state(task)), (vec![], State::Queued));
}

#[test]
fn device_under_its_present_gateway_stays_after_earlier_moves() {
    let mut bench = Bench::new(3);
    let [first, second, device] = bench.devices[..] else {
        panic!("three devices")
    };
    bench.enter(first);
    let connection = bench.enter(second).connection();
    let session = bench.enter_over(device, connection, 1);
    put_under(&mut bench, second, &[device]);
    // Word of its leaving the first one comes late.
    bench.inbox.enqueue_unbounded(WriterRequest::CheckSession { device });
    bench.settle();
    assert_eq!(bench.link.resets(), []);
    put_under_instead(&mut bench, first, device);
    bench.inbox.enqueue_unbounded(WriterRequest::CheckSession { device });
    bench.settle();
    assert_eq!(bench.link.resets(), [session]);
}

#[test]
fn a_device_that_is_in_over_an_earlier_connection_of_its_gateway_leaves_with_it() {
    let mut bench = Bench::new(2);
    let [gateway, device] = bench.devices[..] else {
        panic!("two devices")
    };
    let before = bench.enter(gateway).connection();
    let session = bench.enter_over(device, before, 1);
    put_under(&mut bench, gateway, &[device]);
    bench.enter(gateway);
    bench.inbox.enqueue_unbounded(WriterRequest::CheckSession { device });
    bench.settle();
    assert_eq!(bench.link.resets(), [session]);
}

#[test]
fn a_device_goes_from_one_connection_to_another() {
    let mut bench = Bench::new(3);
    let device = bench.devices[2];
    let first = bench.enter(bench.devices[0]).connection();
    let second = bench.enter(bench.devices[1]).connection();
    let old = bench.enter_over(device, first, 1);
    let new = bench.enter_over(device, second, 1);
    bench.leave(device, old);
    let task = bench.task_for(device, AT_ONCE);
    bench.settle();
    let sent = bench.link.attempts();
    assert_eq!((sent.len(), sent[0].session, sent[0].wire.task()), (1, new, task));
}
