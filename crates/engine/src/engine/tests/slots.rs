//! A device's one place for an attempt in flight, and what frees it.

use aldis_core::task::State;

use super::bench::Bench;
use super::sample::{REPLY_MS, WAITING};

/// One task is out and another waits behind it.
fn one_out() -> (Bench, aldis_core::ids::WireId, aldis_core::ids::TaskNo) {
    let mut bench = Bench::online(1);
    let device = bench.devices[0];
    bench.task_for(device, WAITING);
    let out = bench.one_sent();
    let behind = bench.task_for(device, WAITING);
    assert_eq!(bench.sent(), []);
    (bench, out, behind)
}

#[test]
fn a_cancelled_attempt_keeps_its_devices_slot() {
    let (mut bench, out, behind) = one_out();
    bench.cancel(out.task());
    assert_eq!(bench.sent(), [], "the device may still be at work");
    bench.reply(out, 200);
    assert_eq!(bench.tasks_sent(), [behind]);
    assert_eq!(bench.state(out.task()), State::Cancelled);
}

#[test]
fn a_disconnect_keeps_the_slot() {
    let (mut bench, out, behind) = one_out();
    let device = bench.devices[0];
    let session = bench.last_session();
    bench.leave(device, session);
    bench.settle();
    bench.enter(device);
    assert_eq!(bench.sent(), [], "the reply may still come, on the new connection");
    assert_eq!(bench.state(out.task()), State::Published);
    bench.reply(out, 200);
    assert_eq!(bench.tasks_sent(), [behind]);
    assert_eq!(bench.state(out.task()), State::Succeeded);
}

#[test]
fn a_takeover_keeps_the_slot() {
    let (mut bench, out, behind) = one_out();
    let device = bench.devices[0];
    let first = bench.last_session();
    bench.enter(device);
    bench.notify(crate::link::DeviceEvent::Disconnected { session: first, device });
    assert_eq!(bench.sent(), []);
    bench.reply(out, 200);
    assert_eq!(bench.tasks_sent(), [behind]);
}

#[test]
fn a_restart_keeps_the_slot() {
    let (mut bench, out, behind) = one_out();
    bench.restart();
    bench.enter(bench.devices[0]);
    assert_eq!(bench.sent(), [], "neither the same attempt again nor the next task");
    bench.reply(out, 200);
    assert_eq!(bench.tasks_sent(), [behind]);
}

#[test]
fn a_deleted_job_keeps_its_slots_and_drops_their_replies() {
    let (mut bench, out, behind) = one_out();
    bench.cancel(out.task());
    let job = bench.job_of(out.task()).no;
    let device = bench.devices[0];
    bench.delete_job(job).unwrap();
    assert_eq!(bench.sent(), []);
    let packet = bench.say(device, out, 200);
    bench.settle();
    assert_eq!(bench.link.acknowledged(), [packet]);
    assert_eq!(bench.tasks_sent(), [behind]);
}

#[test]
fn a_deleted_jobs_slot_is_freed_by_its_reply_also_before_its_rows_are_purged_after_a_restart() {
    let (mut bench, out, behind) = one_out();
    let device = bench.devices[0];
    bench.cancel(out.task());
    let job = bench.job_of(out.task()).no;
    bench.meddle_delete(job);
    bench.start();
    bench.enter(device);
    bench.say(device, out, 200);
    assert_eq!(bench.tasks_sent(), [behind]);
}

#[test]
fn the_reply_deadline_frees_the_slot() {
    let (mut bench, out, behind) = one_out();
    bench.cancel(out.task());
    bench.pass(REPLY_MS - 1);
    assert_eq!(bench.sent(), []);
    bench.pass(1);
    bench.enter(bench.devices[0]);
    assert_eq!(bench.tasks_sent(), [behind]);
}

#[test]
fn certainty_that_it_never_left_frees_the_slot() {
    let mut bench = Bench::online(1);
    let device = bench.devices[0];
    let task = bench.task_for(device, WAITING);
    bench.settle();
    bench.lose();
    assert_eq!(bench.tasks_sent(), [task]);
    assert_eq!(bench.task(task).attempt.0, 2, "a new number");
    assert_eq!(bench.task(task).retries.auto, 0);
}

#[test]
fn a_puback_of_a_closed_attempt_is_ignored() {
    let mut bench = Bench::online(1);
    let device = bench.devices[0];
    let task = bench.task_for(device, super::sample::retrying(1, 1_000));
    let first = bench.one_sent();
    bench.reply(first, 500);
    bench.pass(1_000);
    let second = bench.one_sent();
    bench.ack(first);
    bench.pass(20);
    assert_eq!(bench.state(task), State::Published);
    bench.ack(second);
    bench.pass(20);
    assert_eq!(bench.state(task), State::InProgress);
}
