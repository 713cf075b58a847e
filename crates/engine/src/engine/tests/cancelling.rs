//! Cancelling one task, some, or a whole job.

use aldis_core::ids::AttemptNo;
use aldis_core::job::JobState;
use aldis_core::task::{Refused, State};

use super::bench::Bench;
use super::sample::{WAITING, by, retrying};
use crate::link::DeviceEvent;
use crate::writer::{TaskEntry, WriterRequest};

#[test]
fn cancelling_a_running_task_disarms_its_retries() {
    let mut bench = Bench::online(1);
    let task = bench.task_for(bench.devices[0], retrying(3, 1_000));
    let wire = bench.one_sent();
    bench.ack(wire);
    let disarmed = TaskEntry::Declined {
        why: Refused::Running,
        next_attempt: AttemptNo(2),
        disarmed: true,
    };
    assert_eq!(bench.cancel(task), disarmed);
    bench.reply(wire, 500);
    assert_eq!(bench.state(task), State::Failed, "not tried again");
}

#[test]
fn a_whole_job_is_cancelled_by_one_mark() {
    let mut bench = Bench::new(3);
    let job = bench.create(bench.new_job(&bench.devices.clone(), WAITING));
    let devices = bench.devices.clone();
    let answered = bench.request(|answer| WriterRequest::CancelJob { job, by: by(), answer });
    for device in devices {
        bench.enter(device);
    }
    let tried = bench.faults.lock().tried;
    bench.turn();
    assert_eq!(bench.deliver(), [], "nothing of it is sent any more, settled or not");
    assert_eq!(bench.faults.lock().tried, tried + 1);
    assert_eq!(answered.blocking_recv().unwrap().unwrap().eligible, 3);
    assert_eq!(bench.job(job).cancels.made, 1, "one commit");
    assert_eq!(bench.sent(), []);
    assert_eq!(bench.job_state(job), JobState::Finished);
    assert_eq!(bench.job(job).cancels.settled, 1);
}

#[test]
fn what_is_acknowledged_or_answered_in_the_turn_of_the_mark_is_not_called_cancelled() {
    let mut bench = Bench::online(3);
    let devices = bench.devices.clone();
    let job = bench.create(bench.new_job(&devices, WAITING));
    let sent = bench.deliver();
    let tasks: Vec<_> = sent.iter().map(|wire| wire.task()).collect();
    bench.settle();
    let (device, wire) = (bench.device_of(sent[0]), sent[0]);
    bench.notify(DeviceEvent::Acked { device, wire });
    let device = bench.device_of(sent[1]);
    bench.say(device, sent[1], 200);
    let answered = bench.request(|answer| WriterRequest::CancelJob { job, by: by(), answer });
    bench.settle();
    let whole = answered.blocking_recv().unwrap().unwrap();
    assert_eq!((whole.eligible, whole.first), (1, vec![tasks[2]]));
    let states: Vec<State> = tasks.iter().map(|task| bench.state(*task)).collect();
    assert_eq!(states, [State::InProgress, State::Succeeded, State::Cancelled]);
}

#[test]
fn members_written_after_the_mark_are_born_cancelled() {
    let mut bench = Bench::new(12_000);
    let answered = bench.request(|answer| WriterRequest::Write {
        writes: vec![aldis_store::Write::CreateJob(bench_job())],
        answer,
    });
    bench.turn();
    drop(answered);
    let job = bench.jobs()[0].no;
    bench.turn();
    bench.turn();
    assert_eq!(bench.job(job).counters.written(), 10_000, "the first slice");
    let mut cancelled = bench.request(|answer| WriterRequest::CancelJob { job, by: by(), answer });
    bench.turn();
    assert_eq!(cancelled.try_recv().unwrap().unwrap().eligible, 12_000);
    let counters = bench.job(job).counters;
    assert_eq!(
        (counters.of(State::Queued), counters.of(State::Cancelled)),
        (10_000, 2_000),
        "born so"
    );
    bench.settle();
    assert_eq!(bench.job(job).counters.of(State::Cancelled), 12_000);
    assert_eq!(bench.job_state(job), JobState::Finished);
}

fn bench_job() -> aldis_store::rows::NewJob {
    super::operator::product_job(super::sample::BEGIN, WAITING)
}

#[test]
fn tasks_retried_by_hand_after_the_mark_are_exempt() {
    let mut bench = Bench::online(1);
    let task = bench.task_for(bench.devices[0], WAITING);
    let wire = bench.one_sent();
    bench.reply(wire, 500);
    let job = bench.job_of(task).no;
    bench.cancel_job(job);
    assert_eq!(bench.state(task), State::Failed, "it was final before");
    assert_eq!(bench.retry(task), TaskEntry::Done);
    assert_eq!(bench.tasks_sent(), [task]);
    bench.restart();
    assert_eq!(
        bench.state(task),
        State::Published,
        "the mark is settled and does not come back"
    );
    bench.cancel_job(job);
    assert_eq!(bench.state(task), State::Cancelled, "a later mark is another one");
}

#[test]
fn a_job_cancelled_before_its_trigger_is_finished() {
    let mut bench = Bench::new(2);
    let tasks = bench.planned(&bench.devices.clone(), WAITING, 60_000);
    let job = bench.job_of(tasks[0]).no;
    bench.cancel_job(job);
    assert_eq!(bench.job_state(job), JobState::Finished);
    bench.pass(60_000);
    assert_eq!(bench.states(&tasks), [State::Cancelled; 2]);
}

#[test]
fn a_job_cancelled_in_the_turn_of_its_trigger_sends_nothing() {
    let mut bench = Bench::online(1);
    let tasks = bench.planned(&bench.devices.clone(), WAITING, 60_000);
    let job = bench.job_of(tasks[0]).no;
    bench.now = bench.now.plus_ms(60_000);
    let _answered = bench.request(|answer| WriterRequest::CancelJob { job, by: by(), answer });
    bench.turn();
    assert_eq!(bench.deliver(), []);
    assert_eq!(bench.sent(), []);
    assert_eq!(bench.states(&tasks), [State::Cancelled]);
}

#[test]
fn the_answer_about_a_whole_job_lists_at_most_two_hundred() {
    let mut bench = Bench::new(201);
    let job = bench.create(bench.new_job(&bench.devices.clone(), WAITING));
    let whole = bench.cancel_job(job);
    let tasks: Vec<_> = bench.tasks_of(job).into_iter().map(|task| task.no).collect();
    assert_eq!((whole.eligible, whole.first), (201, tasks[..200].to_vec()));
}

#[test]
fn a_settling_job_that_is_running_on_a_device_is_awaited() {
    let mut bench = Bench::online(2);
    let tasks = bench.tasks_for(&bench.devices.clone(), retrying(3, 1_000));
    let job = bench.job_of(tasks[0]).no;
    let wires = bench.sent();
    bench.ack(wires[0]);
    let whole = bench.cancel_job(job);
    assert_eq!(whole.first, [tasks[1]], "what is running cannot be cancelled");
    assert_eq!(bench.states(&tasks), [State::InProgress, State::Cancelled]);
    assert_eq!(bench.job_state(job), JobState::InProgress);
    bench.reply(wires[0], 500);
    assert_eq!(bench.job_state(job), JobState::Finished, "and is not tried again");
}

#[test]
fn a_mark_that_was_not_settled_before_the_process_died_is_settled_by_the_next() {
    let mut bench = Bench::new(2);
    let job = bench.create(bench.new_job(&bench.devices.clone(), WAITING));
    let _answered = bench.request(|answer| WriterRequest::CancelJob { job, by: by(), answer });
    bench.turn();
    assert!(bench.job(job).cancels.settled < bench.job(job).cancels.made);
    bench.restart();
    bench.settle();
    assert_eq!(bench.job(job).counters.of(State::Cancelled), 2);
    assert_eq!(bench.job(job).cancels.settled, 1);
}
