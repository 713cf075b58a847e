//! How long a command waits: for its device, or only for its turn.

use aldis_core::task::{State, code};

use super::bench::Bench;
use super::sample::{AT_ONCE, REPLY_MS, TTL_MS, WAITING, retrying, within};

#[test]
fn expiries_come_before_dispatch() {
    let mut bench = Bench::new(1);
    let device = bench.devices[0];
    let task = bench.task_for(device, WAITING);
    bench.now = bench.now.plus_ms(TTL_MS);
    bench.enter(device);
    assert_eq!(bench.sent(), []);
    assert_eq!(
        (bench.state(task), bench.code(task)),
        (State::TtlTimedOut, code::NOT_SENT_IN_TIME)
    );
}

#[test]
fn window_that_ends_unsent_says_what_the_command_was_waiting_for() {
    let mut bench = Bench::new(1);
    let device = bench.devices[0];
    let early = bench.connect(device);
    bench.leave(device, early);
    bench.settle();
    bench.pass(1);
    let task = bench.task_for(device, WAITING);
    for _ in 0..2 {
        let session = bench.connect(device);
        bench.pass(500);
        bench.leave(device, session);
        bench.settle();
    }
    bench.pass(TTL_MS);
    let (_, desc) = bench.result(task);
    let visits = "; the device came 2 times and left before it was ready for the command";
    assert!(desc.starts_with("offline since ") && desc.ends_with(visits), "{desc}");
    let task = bench.task_for(device, WAITING);
    bench.connect(device);
    bench.pass(TTL_MS);
    let (_, desc) = bench.result(task);
    assert_eq!(desc, "the device is connected, but not ready for the command yet");
}

#[test]
fn a_command_is_still_sent_right_before_its_window_ends() {
    let mut bench = Bench::new(1);
    let task = bench.task_for(bench.devices[0], WAITING);
    bench.pass(TTL_MS - 1);
    bench.enter(bench.devices[0]);
    assert_eq!(bench.tasks_sent(), [task]);
}

#[test]
fn what_ended_while_the_server_was_down_ends_before_devices_are_admitted() {
    let mut bench = Bench::new(1);
    let device = bench.devices[0];
    let task = bench.task_for(device, WAITING);
    bench.now = bench.now.plus_ms(TTL_MS);
    bench.restart();
    assert_eq!(bench.state(task), State::TtlTimedOut, "the first turn has ended it");
    bench.enter(device);
    assert_eq!(bench.sent(), []);
}

#[test]
fn a_retrys_window_ends_before_dispatch_too() {
    let mut bench = Bench::online(1);
    let device = bench.devices[0];
    let task = bench.task_for(device, retrying(1, 1_000));
    let wire = bench.one_sent();
    bench.reply(wire, 500);
    bench.leave(device, bench.last_session());
    bench.pass(1_000);
    assert_eq!(bench.state(task), State::Queued);
    bench.pass(TTL_MS - 1);
    assert_eq!(bench.state(task), State::Queued, "a fresh window, from the moment due");
    bench.now = bench.now.plus_ms(1);
    bench.enter(device);
    assert_eq!(bench.sent(), []);
    assert_eq!(bench.state(task), State::TtlTimedOut);
}

#[test]
fn window_of_a_retry_ends_also_while_its_device_is_absent() {
    let mut bench = Bench::online(1);
    let device = bench.devices[0];
    let task = bench.task_for(device, retrying(1, 1_000));
    let wire = bench.one_sent();
    bench.reply(wire, 500);
    bench.leave(device, bench.last_session());
    bench.pass(1_000 + TTL_MS - 1);
    assert_eq!(bench.state(task), State::Queued);
    bench.pass(1);
    assert_eq!(bench.state(task), State::TtlTimedOut);
    let (_, desc) = bench.result(task);
    assert!(
        desc.ends_with("retry 1 not sent; attempt 1: 500 the device replied with code 500"),
        "{desc}"
    );
}

#[test]
fn without_ttl_a_task_waits_for_its_turn_no_longer_than_a_reply_may_take() {
    let mut bench = Bench::online(1);
    let device = bench.devices[0];
    let busy = bench.task_for(device, WAITING);
    bench.pass(10_000);
    let task = bench.task_for(device, AT_ONCE);
    let wire = bench.one_sent();
    assert_eq!(wire.task(), busy);
    bench.ack(wire);
    bench.pass(10_000);
    bench.cancel(busy);
    bench.meddle_deadline(device, TTL_MS);
    bench.restart();
    bench.enter(device);
    bench.pass(REPLY_MS - 10_001);
    assert_eq!(bench.state(task), State::Queued);
    bench.pass(1);
    assert_eq!(
        (bench.state(task), bench.code(task)),
        (State::Failed, code::NOT_SENT_IN_TIME)
    );
    let (_, desc) = bench.result(task);
    assert_eq!(desc, format!("behind task {}", busy.to_task_id()));
}

#[test]
fn a_dropped_link_moves_nothing_of_what_waits_for_its_turn() {
    let mut bench = Bench::new(1);
    let device = bench.devices[0];
    let session = bench.connect(device);
    bench.settle();
    let task = bench.task_for(device, AT_ONCE);
    bench.leave(device, session);
    bench.pass(REPLY_MS - 1);
    assert_eq!(bench.state(task), State::Queued);
    bench.pass(1);
    assert_eq!((bench.state(task), bench.code(task)), (State::Failed, code::OFFLINE));
}

#[test]
fn a_device_that_is_back_in_time_gets_what_waited_for_its_turn() {
    let mut bench = Bench::new(1);
    let device = bench.devices[0];
    let session = bench.connect(device);
    bench.settle();
    let task = bench.task_for(device, AT_ONCE);
    bench.leave(device, session);
    bench.pass(REPLY_MS - 1);
    bench.enter(device);
    assert_eq!(bench.tasks_sent(), [task]);
}

#[test]
fn without_ttl_an_absent_device_fails_at_once() {
    let mut bench = Bench::new(2);
    let [seen, never] = [bench.devices[0], bench.devices[1]];
    let session = bench.enter(seen);
    bench.settle();
    bench.leave(seen, session);
    let tasks = bench.tasks_for(&[seen, never], AT_ONCE);
    assert_eq!(bench.states(&tasks), [State::Failed; 2]);
    assert_eq!(
        [bench.code(tasks[0]), bench.code(tasks[1])],
        [code::OFFLINE, code::NOT_ACTIVE]
    );
}

#[test]
fn the_window_of_round_0_runs_from_the_planned_trigger_also_after_downtime() {
    let mut bench = Bench::new(1);
    let tasks = bench.planned(&bench.devices.clone(), within(60_000), 10_000);
    bench.now = bench.now.plus_ms(10_000 + 59_999);
    bench.restart();
    assert_eq!(bench.state(tasks[0]), State::Queued);
    bench.pass(1);
    assert_eq!(bench.state(tasks[0]), State::TtlTimedOut);
    let tasks = bench.planned(&bench.devices.clone(), within(60_000), 10_000);
    bench.now = bench.now.plus_ms(10_000 + 60_000);
    bench.restart();
    bench.settle();
    assert_eq!(
        bench.state(tasks[0]),
        State::TtlTimedOut,
        "it has ended before it could begin"
    );
}

#[test]
fn for_a_minute_after_a_start_a_device_that_was_seen_is_on_its_way_back() {
    let mut bench = Bench::online(2);
    let [device, never] = [bench.devices[0], bench.new_device("never")];
    bench.restart();
    let tasks = bench.tasks_for(&[device, never], AT_ONCE);
    assert_eq!(bench.states(&tasks), [State::Queued, State::Failed]);
    bench.pass(10_000);
    bench.enter(device);
    assert_eq!(bench.tasks_sent(), [tasks[0]]);
}

#[test]
fn after_that_minute_it_is_absent() {
    let mut bench = Bench::online(1);
    bench.restart();
    bench.pass(59_999);
    let waits = bench.task_for(bench.devices[0], AT_ONCE);
    assert_eq!(bench.state(waits), State::Queued);
    bench.pass(1);
    let fails = bench.task_for(bench.devices[0], AT_ONCE);
    assert_eq!((bench.state(fails), bench.code(fails)), (State::Failed, code::OFFLINE));
    bench.pass(REPLY_MS);
    assert_eq!((bench.state(waits), bench.code(waits)), (State::Failed, code::OFFLINE));
}

#[test]
fn a_device_that_was_back_and_left_again_is_absent() {
    let mut bench = Bench::online(1);
    bench.pass(1_000);
    bench.restart();
    let device = bench.devices[0];
    let session = bench.enter(device);
    bench.pass(1_000);
    bench.leave(device, session);
    let task = bench.task_for(device, AT_ONCE);
    assert_eq!((bench.state(task), bench.code(task)), (State::Failed, code::OFFLINE));
}
