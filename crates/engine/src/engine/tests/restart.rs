//! A process that is gone at any moment, and the next one on the same data.

use aldis_core::ids::{AttemptNo, TaskNo};
use aldis_core::task::{State, code};

use super::bench::Bench;
use super::sample::{AFTER_START_MS, AT_ONCE, REPLY_MS, TTL_MS, WAITING, retrying};

/// One task in each state that a restart can find, each with a device of its own.
fn every_state() -> (Bench, Vec<(TaskNo, State)>) {
    let mut bench = Bench::online(9);
    let devices = bench.devices.clone();
    let mut tasks: Vec<TaskNo> = bench.planned(&devices[..1], WAITING, TTL_MS);
    for device in &devices[1..7] {
        tasks.push(bench.task_for(*device, retrying(1, 600_000)));
    }
    let wires = bench.sent();
    bench.ack(wires[1]);
    bench.reply(wires[2], 500);
    bench.reply(wires[3], 200);
    bench.cancel(wires[4].task());
    bench.reply(wires[4], 200);
    bench.reply(wires[5], 500);
    let job = bench.job_of(tasks[6]).no;
    bench.cancel_job(job);
    for device in [devices[7], devices[8]] {
        bench.leave(device, bench.session_of(device));
    }
    tasks.push(bench.task_for(devices[7], WAITING));
    tasks.push(bench.task_for(devices[8], AT_ONCE));
    let states = [
        State::Init,
        State::Published,
        State::InProgress,
        State::RetryWait,
        State::Succeeded,
        State::Cancelled,
        State::Cancelled,
        State::Queued,
        State::Failed,
    ];
    bench.pass(20);
    assert_eq!(bench.states(&tasks), states);
    (bench, tasks.into_iter().zip(states).collect())
}

#[test]
fn a_restart_moves_nothing_and_sends_nothing_again() {
    let (mut bench, tasks) = every_state();
    let slots = bench.slots();
    for _ in 0..2 {
        bench.restart();
        for (task, state) in &tasks {
            assert_eq!(bench.state(*task), *state);
        }
        assert_eq!(bench.slots(), slots);
    }
    for device in bench.devices.clone() {
        bench.enter(device);
    }
    let (waited, _) = tasks[7];
    assert_eq!(bench.tasks_sent(), [waited], "only what has never been sent");
}

#[test]
fn replies_to_attempts_of_before_count() {
    let (mut bench, tasks) = every_state();
    bench.restart();
    for (task, state) in tasks.iter().filter(|(_, state)| state.is_out()) {
        let device = bench.task(*task).device;
        bench.enter(device);
        bench.reply(aldis_core::ids::WireId::new(*task, AttemptNo(1)), 200);
        assert_eq!(bench.state(*task), State::Succeeded, "was {state:?}");
    }
    assert_eq!(bench.slots().len(), 0);
}

#[test]
fn reply_deadlines_are_at_least_five_seconds_after_a_start() {
    let (mut bench, tasks) = every_state();
    let (published, _) = tasks[1];
    bench.now = bench.now.plus_ms(REPLY_MS * 10);
    bench.restart();
    bench.pass(AFTER_START_MS - 1);
    assert_eq!(bench.state(published), State::Published);
    bench.pass(1);
    assert_eq!(
        (bench.state(published), bench.code(published)),
        (State::RetryWait, code::NO_REPLY)
    );
}

#[test]
fn a_reply_deadline_further_away_stays_where_it_is() {
    let (mut bench, tasks) = every_state();
    let (published, _) = tasks[1];
    let deadline = bench.slots()[&bench.task(published).device].reply_deadline;
    bench.pass(1_000);
    bench.restart();
    bench.pass(deadline.ms_since(bench.now) - 1);
    assert_eq!(bench.state(published), State::Published);
    bench.pass(1);
    assert_eq!(bench.state(published), State::RetryWait);
}

#[test]
fn windows_are_not_extended() {
    let mut bench = Bench::new(1);
    let task = bench.task_for(bench.devices[0], super::sample::within(10_000));
    bench.pass(9_000);
    bench.restart();
    bench.pass(1_000);
    assert_eq!(bench.state(task), State::TtlTimedOut);
}

#[test]
fn an_attempt_that_was_committed_and_never_left_runs_out() {
    let mut bench = Bench::online(1);
    let task = bench.task_for(bench.devices[0], AT_ONCE);
    bench.restart();
    bench.enter(bench.devices[0]);
    assert_eq!(bench.sent(), [], "it may have left for all that is known");
    bench.pass(REPLY_MS);
    assert_eq!(bench.state(task), State::ResponseTimedOut);
    assert_eq!(bench.link.resets(), [], "the new link has nothing to do with it");
}

#[test]
fn bulk_work_is_taken_up_where_it_was_left() {
    let mut bench = Bench::new(25_000);
    let create = aldis_store::Write::CreateJob(bench.new_product_job(WAITING));
    let _answered = bench.request(|answer| crate::writer::WriterRequest::Write {
        writes: vec![create],
        answer,
    });
    for _ in 0..3 {
        bench.turn();
    }
    let job = bench.jobs()[0].no;
    assert_eq!(bench.job(job).counters.written(), 10_000);
    bench.restart();
    bench.settle();
    assert_eq!(bench.job(job).counters.of(State::Queued), 25_000);
}
