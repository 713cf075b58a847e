//! A job from its creation to its end.

use aldis_core::job::JobState;
use aldis_core::task::State;
use aldis_store::{Done, Refusal, Write};

use super::bench::Bench;
use super::sample::{AT_ONCE, WAITING, by};
use crate::writer::WriterRequest;

#[test]
fn a_job_is_finished_only_when_all_its_tasks_are_created_and_final() {
    let mut bench = Bench::new(10_001);
    let create = Write::CreateJob(bench.new_product_job(AT_ONCE));
    let _answered = bench.request(|answer| WriterRequest::Write {
        writes: vec![create],
        answer,
    });
    for _ in 0..3 {
        bench.turn();
    }
    let job = bench.jobs().remove(0);
    assert_eq!((job.total, job.counters.of(State::Failed)), (Some(10_001), 10_000));
    assert_eq!(job.state, JobState::InProgress, "one is not yet created");
    bench.settle();
    assert_eq!(bench.job_state(job.no), JobState::Finished);
}

#[test]
fn a_job_waits_for_its_moment_also_over_a_restart() {
    let mut bench = Bench::online(1);
    let tasks = bench.planned(&bench.devices.clone(), WAITING, 3_600_000);
    let job = bench.job_of(tasks[0]).no;
    bench.pass(3_599_999);
    assert_eq!(
        (bench.job_state(job), bench.state(tasks[0])),
        (JobState::Init, State::Init)
    );
    bench.restart();
    assert_eq!(bench.job_state(job), JobState::Init);
    bench.enter(bench.devices[0]);
    bench.pass(1);
    assert_eq!(bench.tasks_sent(), tasks);
}

#[test]
fn many_jobs_of_one_moment_all_trigger() {
    let mut bench = Bench::new(1);
    let device = bench.devices[0];
    let tasks: Vec<_> = (0..35).flat_map(|_| bench.planned(&[device], WAITING, 1_000)).collect();
    bench.pass(1_000);
    assert_eq!(bench.states(&tasks), [State::Queued; 35]);
}

#[test]
fn a_product_without_devices_is_finished_at_the_trigger() {
    let mut bench = Bench::new(0);
    let job = bench.create(bench.new_product_job(WAITING));
    assert_eq!(
        (bench.job_state(job), bench.job(job).total),
        (JobState::Finished, Some(0))
    );
}

#[test]
fn job_and_task_numbers_are_never_used_again() {
    let mut bench = Bench::new(2);
    let devices = bench.devices.clone();
    let job = bench.create(bench.new_job(&devices, AT_ONCE));
    let last = bench.last_task();
    bench.delete_job(job).unwrap();
    bench.settle();
    bench.restart();
    let next = bench.create(bench.new_job(&devices, AT_ONCE));
    assert!(next > job && bench.tasks_of(next)[0].no > last);
}

#[test]
fn a_running_job_is_not_deleted() {
    let mut bench = Bench::new(1);
    let task = bench.task_for(bench.devices[0], WAITING);
    assert_eq!(bench.delete_job(bench.job_of(task).no), Err(Refusal::InUse));
}

#[test]
fn a_deleted_job_sends_nothing_even_if_it_is_due_in_the_same_turn() {
    let mut bench = Bench::online(1);
    let tasks = bench.planned(&bench.devices.clone(), WAITING, 1_000);
    let job = bench.job_of(tasks[0]).no;
    bench.now = bench.now.plus_ms(1_000);
    bench.delete_job(job).unwrap();
    assert_eq!(bench.sent(), []);
    assert_eq!(bench.slots().len(), 0);
}

#[test]
fn a_job_whose_deletion_could_not_be_stored_is_still_there() {
    let mut bench = Bench::online(1);
    let tasks = bench.planned(&bench.devices.clone(), WAITING, 1_000);
    let job = bench.job_of(tasks[0]).no;
    bench.faults.lock().commits = 1;
    let delete = Write::DeleteJob { job, by: by() };
    assert!(
        bench
            .answer(|answer| WriterRequest::Write {
                writes: vec![delete],
                answer
            })
            .is_err()
    );
    bench.pass(1_000);
    assert_eq!(bench.tasks_sent(), tasks);
}

#[test]
fn a_finished_job_that_is_retried_while_it_is_deleted_stays() {
    let mut bench = Bench::new(1);
    let task = bench.task_for(bench.devices[0], AT_ONCE);
    let job = bench.job_of(task).no;
    let deleted = bench.request(|answer| WriterRequest::Write {
        writes: vec![Write::DeleteJob { job, by: by() }],
        answer,
    });
    let retried = bench.request(|answer| WriterRequest::Retry {
        job,
        tasks: Some(vec![task]),
        by: by(),
        idempotency: None,
        answer,
    });
    bench.settle();
    let deleted = deleted.blocking_recv().unwrap().unwrap();
    assert!(retried.blocking_recv().unwrap().is_ok());
    // Without TTL and device the retry has failed at once: the job was finished all the time, and is gone.
    assert_eq!(deleted, [Done::Yes]);
    assert!(bench.jobs().is_empty());
}

#[test]
fn a_deleted_job_is_unknown_to_operators_also_before_its_rows_are_purged() {
    let mut bench = Bench::new(1);
    let task = bench.task_for(bench.devices[0], AT_ONCE);
    let job = bench.job_of(task).no;
    bench.meddle_delete(job);
    bench.start();
    let refused = bench.answer(|answer| WriterRequest::CancelTasks {
        job,
        tasks: vec![task],
        by: by(),
        answer,
    });
    assert!(
        matches!(refused, Err(crate::writer::WriterError::Refused(Refusal::Missing))),
        "{refused:?}"
    );
}
