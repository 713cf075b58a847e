//! A clock that is in doubt, and turns that come late.

use aldis_core::ids::TaskNo;
use aldis_core::task::State;

use super::bench::Bench;
use super::sample::{AT_ONCE, REPLY_MS, WAITING, retrying, within};
use crate::engine::Wake;

/// Longer than any window and timeout of these tests.
const LONG_MS: i64 = 24 * 3_600_000;

/// A device each: with a command out, with one that waits, with a retry to come, and with a job to trigger.
fn busy() -> (Bench, [TaskNo; 4]) {
    let mut bench = Bench::new(4);
    let [first, second, third, fourth] = bench.devices[..] else {
        panic!("four devices")
    };
    bench.enter(first);
    bench.enter(third);
    let retried = bench.task_for(third, retrying(1, 60_000));
    let wire = bench.one_sent();
    bench.reply(wire, 500);
    let out = bench.task_for(first, AT_ONCE);
    bench.one_sent();
    let waits = bench.task_for(second, within(30_000));
    let planned = bench.planned(&[fourth], AT_ONCE, 30_000)[0];
    (bench, [out, waits, retried, planned])
}

#[test]
fn nothing_is_sent_and_nothing_ends_while_the_clock_is_in_doubt() {
    let (mut bench, tasks) = busy();
    let before = bench.states(&tasks);
    let second = bench.devices[1];
    bench.held = true;
    bench.now = bench.now.plus_ms(LONG_MS);
    bench.enter(second);
    assert_eq!(bench.sent(), []);
    assert_eq!(bench.states(&tasks), before);
    assert_eq!(bench.turn(), Wake::Nudged, "it does not spin meanwhile");
    assert_eq!(
        bench.shared.health.reasons(),
        ["dispatch held: the clock is in doubt; the log says why"]
    );
}

#[test]
fn what_was_held_goes_on_and_replies_get_as_long_as_after_a_start() {
    let (mut bench, [out, waits, ..]) = busy();
    let second = bench.devices[1];
    bench.held = true;
    bench.enter(second);
    bench.settle();
    bench.held = false;
    assert_eq!(bench.tasks_sent(), [waits]);
    assert!(bench.shared.health.reasons().is_empty());
    bench.held = true;
    bench.settle();
    bench.now = bench.now.plus_ms(REPLY_MS);
    bench.held = false;
    bench.settle();
    assert_eq!(bench.state(out), State::Published);
    bench.pass(5_000);
    assert_eq!(bench.state(out), State::ResponseTimedOut);
}

#[test]
fn a_start_in_doubt_sends_nothing() {
    let mut bench = Bench::new(1);
    let task = bench.task_for(bench.devices[0], WAITING);
    bench.held = true;
    bench.restart();
    bench.enter(bench.devices[0]);
    assert_eq!(bench.sent(), []);
    bench.held = false;
    assert_eq!(bench.tasks_sent(), [task]);
}

#[test]
fn work_over_many_rows_that_ends_nothing_goes_on_while_the_clock_is_in_doubt() {
    let (mut bench, [_, waits, ..]) = busy();
    bench.held = true;
    let job = bench.job_of(waits).no;
    bench.cancel_job(job);
    assert_eq!(bench.state(waits), State::Cancelled);
}

/// The process was stopped for 45 s; ten replies wait in sockets, and are read after the first turn.
#[test]
fn replies_that_wait_in_sockets_after_a_late_turn_are_in_time() {
    let mut bench = Bench::online(10);
    let tasks = bench.tasks_for(&bench.devices.clone(), AT_ONCE);
    let sent = bench.sent();
    bench.now = bench.now.plus_ms(45_000);
    bench.late = true;
    bench.settle();
    for wire in sent {
        bench.reply(wire, 200);
    }
    assert_eq!(bench.states(&tasks), [State::Succeeded; 10]);
}

#[test]
fn a_late_turn_puts_a_reply_deadline_off_only_for_a_while() {
    let mut bench = Bench::online(1);
    let task = bench.task_for(bench.devices[0], AT_ONCE);
    bench.one_sent();
    bench.now = bench.now.plus_ms(45_000);
    bench.late = true;
    bench.pass(4_999);
    assert_eq!(bench.state(task), State::Published);
    bench.pass(1);
    assert_eq!(bench.state(task), State::ResponseTimedOut);
}

#[test]
fn a_clock_that_was_years_ahead_is_set_back_with_all_that_it_has_stored() {
    let mut bench = Bench::online(2);
    let [first, second] = bench.devices[..] else {
        panic!("two devices")
    };
    let before = bench.task_for(second, retrying(2, 60_000));
    let wire = bench.one_sent();
    bench.now = bench.now.plus_ms(LONG_MS * 3_650);
    bench.reply(wire, 500);
    let out = bench.task_for(first, retrying(1, 60_000));
    bench.one_sent();
    let waits = bench.task_for(first, within(30_000));
    bench.now = bench.now.plus_ms(60_000 - LONG_MS * 3_650);
    bench.restart();
    for device in [first, second] {
        bench.enter(device);
    }
    bench.settle();
    assert_eq!(bench.states(&[out, waits]), [State::Published, State::Queued]);
    bench.pass(30_000);
    assert_eq!(
        bench.state(waits),
        State::TtlTimedOut,
        "it keeps the time it has left, and no more"
    );
    assert_eq!(bench.state(out), State::RetryWait);
    bench.pass(60_000);
    assert!(
        bench.tasks_sent().contains(&before),
        "a retry is due after its interval at the latest"
    );
}
