//! Single commands that may wait for their device: what was accepted has its place.

use aldis_core::ids::{DeviceNo, JobNo, TaskNo};
use aldis_core::task::{QUEUE_MAX, State, code};
use aldis_store::rows::{ANSWER_KEPT_MS, Idempotency, JobText, NewJob, TargetEntry, TargetScope};
use aldis_store::{Done, ReadQueues, Refusal, Store as _, Write};
use tokio::sync::oneshot::Receiver;

use super::bench::Bench;
use super::sample::{AT_ONCE, WAITING, by};
use crate::writer::{WriterError, WriterRequest};

type Answered = Receiver<Result<Vec<Done>, WriterError>>;

fn kept(bench: &Bench, device: DeviceNo) -> NewJob {
    let new = bench.new_job(&[device], WAITING);
    let entry = TargetEntry {
        asset: None,
        product: None,
        device: None,
    };
    NewJob {
        text: JobText {
            targets: TargetScope::Single(entry),
            ..new.text
        },
        ..new
    }
}

fn ask(bench: &mut Bench, new: NewJob) -> Answered {
    bench.request(|answer| WriterRequest::Write {
        writes: vec![Write::CreateJob(new)],
        answer,
    })
}

/// The job, or `None` if there was no place for it.
fn outcome(answered: Answered) -> Option<JobNo> {
    match answered.blocking_recv().unwrap() {
        Ok(done) => match done[..] {
            [Done::Job { no, .. }] => Some(no),
            ref other => panic!("{other:?}"),
        },
        Err(WriterError::Refused(Refusal::Full)) => None,
        Err(other) => panic!("{other:?}"),
    }
}

fn create(bench: &mut Bench, device: DeviceNo) -> Option<JobNo> {
    let new = kept(bench, device);
    let answered = ask(bench, new);
    bench.turn();
    outcome(answered)
}

fn task_of(bench: &Bench, job: JobNo) -> TaskNo {
    bench.job(job).range.first.unwrap()
}

/// Everything that was accepted waits.
fn all_wait(bench: &mut Bench, accepted: &[JobNo]) {
    bench.settle();
    assert_eq!(accepted.len(), QUEUE_MAX);
    for job in accepted {
        assert_eq!(bench.state(task_of(bench, *job)), State::Queued);
    }
}

#[test]
fn as_many_are_accepted_as_may_wait_one_by_one() {
    let mut bench = Bench::new(1);
    let device = bench.devices[0];
    let accepted: Vec<JobNo> = (0..60).filter_map(|_| create(&mut bench, device)).collect();
    all_wait(&mut bench, &accepted);
}

#[test]
fn as_many_are_accepted_as_may_wait_of_those_that_come_at_once() {
    let mut bench = Bench::new(2);
    let (device, other) = (bench.devices[0], bench.devices[1]);
    let new = kept(&bench, device);
    let asked: Vec<Answered> = (0..70).map(|_| ask(&mut bench, new.clone())).collect();
    let elsewhere = kept(&bench, other);
    let elsewhere = ask(&mut bench, elsewhere);
    bench.turn();
    let accepted: Vec<JobNo> = asked.into_iter().filter_map(outcome).collect();
    assert!(outcome(elsewhere).is_some());
    all_wait(&mut bench, &accepted);
}

#[test]
fn what_was_accepted_has_its_place_whatever_comes_before_its_trigger() {
    let mut bench = Bench::new(1);
    let device = bench.devices[0];
    let mut accepted: Vec<JobNo> = (1..QUEUE_MAX).filter_map(|_| create(&mut bench, device)).collect();
    let planned = bench.planned(&[device], WAITING, 1);
    bench.now = bench.now.plus_ms(1);
    // Created in the turn in which the other is due; it triggers in the next.
    let last = kept(&bench, device);
    let last = ask(&mut bench, last);
    bench.turn();
    accepted.extend(outcome(last));
    let rival = bench.task_for(device, WAITING);
    for late in [planned[0], rival] {
        assert_eq!(bench.code(late), code::QUEUE_FULL);
    }
    all_wait(&mut bench, &accepted);
}

#[test]
fn places_are_right_after_a_start_and_after_a_commit_that_failed() {
    let mut bench = Bench::new(1);
    let device = bench.devices[0];
    let mut accepted: Vec<JobNo> = (2..QUEUE_MAX).filter_map(|_| create(&mut bench, device)).collect();
    // Stored by a process that died right after.
    bench.settle();
    let new = kept(&bench, device);
    match bench
        .store
        .commit(bench.store.epoch(), bench.now, &[Write::CreateJob(new)])
        .unwrap()
        .done[..]
    {
        [Done::Job { no, .. }] => accepted.push(no),
        ref other => panic!("{other:?}"),
    }
    bench.start();
    bench.faults.lock().commits = 1;
    let lost = kept(&bench, device);
    let lost = ask(&mut bench, lost);
    bench.turn();
    assert!(matches!(lost.blocking_recv().unwrap(), Err(WriterError::Unavailable)));
    bench.pass(1_000);
    let more: Vec<JobNo> = (0..3).filter_map(|_| create(&mut bench, device)).collect();
    assert_eq!(more.len(), 1);
    accepted.extend(more);
    all_wait(&mut bench, &accepted);
}

#[test]
fn a_place_is_free_again_after_the_end_and_nothing_is_kept_of_it() {
    let mut bench = Bench::new(1);
    let device = bench.devices[0];
    let accepted: Vec<JobNo> = (0..60).filter_map(|_| create(&mut bench, device)).collect();
    all_wait(&mut bench, &accepted);
    let one = task_of(&bench, accepted[7]);
    let cancelled = bench.answer(|answer| WriterRequest::CancelCommands {
        device,
        only: Some(one),
        by: by(),
        answer,
    });
    assert_eq!(cancelled.unwrap(), [one]);
    assert!(create(&mut bench, device).is_some() && create(&mut bench, device).is_none());
    let all = bench
        .answer(|answer| WriterRequest::CancelCommands {
            device,
            only: None,
            by: by(),
            answer,
        })
        .unwrap();
    assert_eq!(all.len(), QUEUE_MAX);
    bench.restart();
    let empty = bench.cached_things();
    let job = create(&mut bench, device).unwrap();
    bench.settle();
    let waits = task_of(&bench, job);
    bench
        .answer(|answer| WriterRequest::CancelCommands {
            device,
            only: None,
            by: by(),
            answer,
        })
        .unwrap();
    assert_eq!(bench.state(waits), State::Cancelled);
    bench.restart();
    assert_eq!(bench.cached_things(), empty);
}

#[test]
fn a_request_that_is_repeated_needs_no_second_place() {
    let mut bench = Bench::new(1);
    let device = bench.devices[0];
    let mut accepted: Vec<JobNo> = (1..QUEUE_MAX).filter_map(|_| create(&mut bench, device)).collect();
    let once = NewJob {
        idempotency: Some(Idempotency {
            scope: "caller".to_owned(),
            key: "once".to_owned(),
            digest: [7; 32],
        }),
        ..kept(&bench, device)
    };
    let first = ask(&mut bench, once.clone());
    let second = ask(&mut bench, once.clone());
    bench.turn();
    let third = ask(&mut bench, once);
    bench.turn();
    let (first, second, third) = (outcome(first), outcome(second), outcome(third));
    assert!(first.is_some() && first == second && second == third);
    assert!(create(&mut bench, device).is_none());
    accepted.extend(first);
    all_wait(&mut bench, &accepted);
}

#[test]
fn a_key_whose_answer_is_forgotten_needs_a_place_like_any_other() {
    let mut bench = Bench::new(1);
    let device = bench.devices[0];
    let once = |bench: &Bench| NewJob {
        idempotency: Some(Idempotency {
            scope: "caller".to_owned(),
            key: "once".to_owned(),
            digest: [7; 32],
        }),
        ..kept(bench, device)
    };
    let new = once(&bench);
    let first = ask(&mut bench, new);
    bench.turn();
    assert!(outcome(first).is_some());
    bench.pass(ANSWER_KEPT_MS + 1);
    let accepted: Vec<JobNo> = (0..QUEUE_MAX).filter_map(|_| create(&mut bench, device)).collect();
    assert_eq!(accepted.len(), QUEUE_MAX);
    let new = once(&bench);
    let again = ask(&mut bench, new);
    bench.turn();
    assert_eq!(outcome(again), None, "it is a new request, and the queue is full");
    all_wait(&mut bench, &accepted);
}

#[test]
fn cancelling_all_takes_those_that_have_not_triggered_and_no_others() {
    let mut bench = Bench::new(1);
    let device = bench.devices[0];
    let of_a_job = bench.task_for(device, WAITING);
    let failed = bench.task_for(device, AT_ONCE);
    let queued = create(&mut bench, device).unwrap();
    bench.settle();
    let fresh = kept(&bench, device);
    let fresh = ask(&mut bench, fresh);
    bench.turn();
    let fresh = outcome(fresh).unwrap();
    assert_eq!(bench.state(task_of(&bench, fresh)), State::Init);
    let cancelled = bench.answer(|answer| WriterRequest::CancelCommands {
        device,
        only: None,
        by: by(),
        answer,
    });
    assert_eq!(cancelled.unwrap(), [queued, fresh].map(|job| task_of(&bench, job)));
    assert_eq!(bench.states(&[of_a_job, failed]), [State::Queued, State::Failed]);
    let left: Vec<TaskNo> = bench
        .store
        .waiting(device)
        .unwrap()
        .iter()
        .map(|task| task.no)
        .collect();
    assert_eq!(left, [of_a_job]);
}
