//! Trying again, of its own or by hand.

use aldis_core::ids::AttemptNo;
use aldis_core::job::JobState;
use aldis_core::task::{Refused, State};
use aldis_store::rows::Idempotency;

use super::bench::Bench;
use super::sample::{AT_ONCE, REPLY_MS, by, retrying};
use crate::writer::{Retried, TaskEntry, WriterRequest};

#[test]
fn a_retry_is_used_up_when_it_becomes_due_sent_or_not() {
    let mut bench = Bench::online(1);
    let device = bench.devices[0];
    let policy = aldis_core::policy::Policy {
        ttl_ms: 0,
        ..retrying(2, 1_000)
    };
    let task = bench.task_for(device, policy);
    let wire = bench.one_sent();
    bench.reply(wire, 500);
    assert_eq!(bench.task(task).retries.auto, 0, "not yet due");
    bench.leave(device, bench.last_session());
    bench.pass(1_000);
    assert_eq!(bench.task(task).retries.auto, 1, "due, and the device is away");
    bench.pass(1_000);
    assert_eq!((bench.task(task).retries.auto, bench.state(task)), (2, State::Failed));
    assert_eq!(bench.task(task).attempt, AttemptNo(1));
}

#[test]
fn a_due_retry_waits_for_its_window_and_is_counted_when_due() {
    let mut bench = Bench::online(1);
    let device = bench.devices[0];
    let task = bench.task_for(device, retrying(1, 5_000));
    bench.one_sent();
    bench.leave(device, bench.last_session());
    bench.pass(REPLY_MS);
    assert_eq!(
        (bench.state(task), bench.task(task).retries.auto),
        (State::RetryWait, 0)
    );
    bench.pass(5_000);
    assert_eq!((bench.state(task), bench.task(task).retries.auto), (State::Queued, 1));
}

#[test]
fn a_retry_after_0_s_becomes_due_after_one_second() {
    let mut bench = Bench::online(1);
    let task = bench.task_for(bench.devices[0], retrying(1, 0));
    let wire = bench.one_sent();
    bench.reply(wire, 500);
    bench.pass(999);
    assert_eq!(bench.state(task), State::RetryWait);
    bench.pass(1);
    assert_eq!(bench.tasks_sent(), [task]);
}

#[test]
fn a_retry_that_became_due_while_the_server_was_down_is_made() {
    let mut bench = Bench::online(1);
    let task = bench.task_for(bench.devices[0], retrying(1, 60_000));
    let wire = bench.one_sent();
    bench.reply(wire, 500);
    bench.now = bench.now.plus_ms(120_000);
    bench.restart();
    bench.enter(bench.devices[0]);
    assert_eq!(bench.tasks_sent(), [task]);
}

#[test]
fn a_retry_of_a_whole_job_excepts_what_succeeded_late() {
    let mut bench = Bench::online(2);
    let devices = bench.devices.clone();
    let tasks = bench.tasks_for(&devices, AT_ONCE);
    let job = bench.job_of(tasks[0]).no;
    let wires = bench.sent();
    bench.pass(REPLY_MS);
    bench.reply(wires[0], 200);
    assert_eq!(
        bench.states(&tasks),
        [State::ResponseTimedOut; 2],
        "too late to change the state"
    );
    for device in devices {
        bench.enter(device);
    }
    bench.settle();
    let whole = bench.retry_job(job);
    assert_eq!((whole.eligible, whole.first), (1, vec![tasks[1]]));
    assert_eq!(bench.tasks_sent(), [tasks[1]]);
    assert_eq!(
        bench.retry(tasks[0]),
        TaskEntry::Done,
        "by name it is taken at its owner's word"
    );
}

#[test]
fn a_retry_of_a_whole_job_excepts_what_succeeds_late_in_the_same_turn() {
    let mut bench = Bench::online(1);
    let device = bench.devices[0];
    let task = bench.task_for(device, AT_ONCE);
    let job = bench.job_of(task).no;
    let wire = bench.one_sent();
    bench.pass(REPLY_MS);
    bench.enter(device);
    bench.say(device, wire, 200);
    assert_eq!(bench.retry_job(job).eligible, 0);
    assert_eq!(bench.sent(), []);
}

#[test]
fn a_retry_by_hand_begins_anew() {
    let mut bench = Bench::online(1);
    let task = bench.task_for(bench.devices[0], retrying(1, 1_000));
    let job = bench.job_of(task).no;
    for _ in 0..2 {
        let wire = bench.one_sent();
        bench.reply(wire, 500);
        bench.pass(1_000);
    }
    assert_eq!(
        (bench.state(task), bench.job_state(job)),
        (State::Failed, JobState::Finished)
    );
    assert_eq!(bench.retry(task), TaskEntry::Done);
    assert_eq!(bench.job_state(job), JobState::InProgress);
    let retries = bench.task(task).retries;
    assert_eq!((retries.auto, retries.used, retries.manual), (1, 0, 1));
    let wire = bench.one_sent();
    assert_eq!(wire.attempt(), AttemptNo(3));
    bench.reply(wire, 200);
    assert_eq!(bench.job_state(job), JobState::Finished);
    let declined = TaskEntry::Declined {
        why: Refused::WrongState,
        next_attempt: AttemptNo(4),
        disarmed: false,
    };
    assert_eq!(bench.retry(task), declined);
}

#[test]
fn a_retry_of_a_large_job_goes_in_slices_and_answers_once() {
    let mut bench = Bench::new(10_500);
    let job = bench.create(bench.new_product_job(AT_ONCE));
    bench.settle();
    assert_eq!(bench.job(job).counters.of(State::Failed), 10_500);
    let first: Vec<_> = bench.tasks_of(job).iter().take(200).map(|task| task.no).collect();
    let idempotency = Idempotency {
        scope: "wind".to_owned(),
        key: "again".to_owned(),
        digest: [1; 32],
    };
    let again = || Some(idempotency.clone());
    let once = bench
        .answer(|answer| WriterRequest::Retry {
            job,
            tasks: None,
            by: by(),
            idempotency: again(),
            answer,
        })
        .unwrap();
    let Retried::Whole(whole) = &once else {
        panic!("{once:?}")
    };
    assert_eq!((whole.eligible, &whole.first), (10_500, &first));
    assert!(bench.tasks_of(job).iter().all(|task| task.retries.manual == 1));
    let twice = bench
        .answer(|answer| WriterRequest::Retry {
            job,
            tasks: None,
            by: by(),
            idempotency: again(),
            answer,
        })
        .unwrap();
    assert_eq!(twice, once, "a repeated request gets the same answer");
    assert!(
        bench.tasks_of(job).iter().all(|task| task.retries.manual == 1),
        "and does nothing"
    );
}

#[test]
fn a_task_that_waits_again_is_sent_when_its_device_comes() {
    let mut bench = Bench::new(1);
    let task = bench.task_for(bench.devices[0], super::sample::within(60_000));
    bench.pass(60_000);
    assert_eq!(bench.state(task), State::TtlTimedOut);
    bench.retry(task);
    bench.pass(30_000);
    bench.enter(bench.devices[0]);
    assert_eq!(bench.tasks_sent(), [task]);
    assert_eq!(bench.task(task).attempt, AttemptNo(1));
}
