//! Jobs: created, triggered, cancelled, deleted.

use aldis_core::ids::{DeviceNo, JobNo, TaskNo};
use aldis_core::job::{Counters, JobState};
use aldis_core::task::{Event, State, Task};
use aldis_core::time::Timestamp;
use aldis_store::rows::{Cancels, Job, JobDetail, Members, NewJob, TaskRange};
use aldis_store::{Done, JobTasks, Refusal, Write};

use super::bench::{ALL, Bench};
use super::sample::{self, ORG, PRODUCT, device_job, idempotency, org, product_job, reply};

fn cancel(job: JobNo) -> Write {
    Write::CancelJob { job, by: sample::by() }
}

fn delete(job: JobNo) -> Write {
    Write::DeleteJob { job, by: sample::by() }
}

pub fn a_job_comes_back_as_described(bench: &mut Bench) {
    bench.found();
    let mut by_devices = device_job(&[]);
    by_devices.text.trigger = Some(Timestamp(1_800_000_000_000));
    by_devices.release = Timestamp(1_800_000_000_000);
    by_devices.policy = sample::retrying();
    let by_products = NewJob {
        command: aldis_core::command::Command::SetMeasurepoint {
            measurepoint_id: "speed".to_owned(),
            value: serde_json::json!([1, "two", 3.5]),
        },
        ..product_job(&[PRODUCT, "other"])
    };
    for (index, new) in (1..).zip([by_devices, by_products]) {
        let no = bench.create(new.clone());
        let members = new.devices.is_none().then(|| Members {
            products: vec![PRODUCT.into(), "other".into()],
            trigger: None,
            watermark: DeviceNo(0),
            cursor: DeviceNo(0),
        });
        let job = Job {
            no: JobNo(index),
            org: new.org,
            command: new.command.into(),
            policy: new.policy,
            release: new.release,
            created: bench.now,
            state: JobState::Init,
            total: None,
            range: TaskRange::default(),
            tasks_created: bench.now,
            members,
            counters: Counters::default(),
            cancels: Cancels::default(),
            deleted: false,
            single: false,
        };
        let detail = JobDetail {
            job,
            text: new.text.into(),
        };
        assert_eq!(bench.read().job(no).unwrap(), Some(detail));
    }
    assert_eq!(bench.read().job(JobNo(99)).unwrap(), None);
}

pub fn a_device_list_has_its_rows_at_once(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1", "d2", "d3"]);
    let listed = [devices[2], devices[0], devices[1]];
    let job = bench.create(device_job(&listed));
    let now = bench.now;
    let expected: Vec<Task> = (1..)
        .zip(listed)
        .map(|(no, device)| Task::new(TaskNo(no), device, now))
        .collect();
    assert_eq!(bench.rows(job, JobTasks::All), expected);
    let stored = bench.job(job);
    assert_eq!((stored.total, stored.state), (None, JobState::Init));
    assert_eq!((stored.range.first, stored.range.allocated), (Some(TaskNo(1)), 3));
    assert_eq!(stored.counters.of(State::Init), 3);
    let next = bench.create(device_job(&listed[..1]));
    assert_eq!(bench.numbers(next), [TaskNo(4)]);
}

pub fn the_trigger_fixes_the_total_once(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1", "d2"]);
    let job = bench.create(device_job(&devices));
    let created = bench.now;
    assert_eq!(bench.trigger(job), 2);
    let stored = bench.job(job);
    assert_eq!((stored.total, stored.state), (Some(2), JobState::InProgress));
    assert_eq!(stored.tasks_created, created);
    bench.refused(Write::TriggerJob { job }, Refusal::Unchanged);
    assert_eq!(bench.job(job), stored);
    bench.refused(Write::TriggerJob { job: JobNo(99) }, Refusal::Missing);
    let deleted = bench.create(device_job(&devices));
    bench.done(delete(deleted));
    bench.refused(Write::TriggerJob { job: deleted }, Refusal::Missing);
}

pub fn a_triggered_job_is_finished_when_all_its_tasks_are(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1", "d2"]);
    let (job, tasks) = bench.running(device_job(&devices));
    bench.succeed(tasks[0]);
    assert_eq!(bench.job(job).state, JobState::InProgress);
    bench.fail(tasks[1]);
    assert_eq!(bench.job(job).state, JobState::Finished);
    bench.step(tasks[1], Event::RetryAsked(&sample::PRESENT));
    assert_eq!(
        bench.job(job).state,
        JobState::InProgress,
        "a retried task is not final"
    );
    bench.succeed(tasks[1]);
    assert_eq!(bench.job(job).state, JobState::Finished);
    let empty = bench.create(device_job(&[]));
    assert_eq!(bench.trigger(empty), 0);
    assert_eq!(bench.job(empty).state, JobState::Finished);
}

pub fn a_repeated_request_gets_the_first_answer(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1"]);
    let with_key = |key, digest| {
        Write::CreateJob(NewJob {
            idempotency: Some(idempotency(key, digest)),
            ..device_job(&devices)
        })
    };
    let created = |no, created| Done::Job { no: JobNo(no), created };
    assert_eq!(bench.one(with_key("a", 1)), created(1, true));
    assert_eq!(bench.one(with_key("a", 1)), created(1, false));
    bench.refused(with_key("a", 2), Refusal::Mismatch);
    let done = bench.commit(&[with_key("b", 1), with_key("b", 1), with_key("b", 3)]);
    assert_eq!(
        done,
        [created(2, true), created(2, false), Done::Refused(Refusal::Mismatch)]
    );
    assert_eq!(bench.read().search_jobs(&org(), None, ALL).unwrap().total, 2);
    let now = bench.now;
    let remembered = bench
        .read()
        .idempotency_record("wind/console", "a", now)
        .unwrap()
        .unwrap();
    assert_eq!((remembered.answer.as_str(), remembered.digest), ("1", [1; 32]));
    bench.done(delete(JobNo(1)));
    assert_eq!(
        bench.one(with_key("a", 1)),
        created(1, false),
        "also after it was deleted"
    );
}

pub fn a_job_is_cancelled_as_a_whole_no_more_often_than_its_mark_can_count(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1"]);
    let job = bench.create(device_job(&devices));
    let times = usize::from(u16::MAX);
    let done = bench.commit(&vec![cancel(job); times]);
    assert!(
        done.iter().all(|done| matches!(done, Done::Count(_))),
        "every one up to the last"
    );
    bench.refused(cancel(job), Refusal::Full);
    assert_eq!(bench.job(job).cancels.made, u16::MAX);
}

pub fn a_cancel_counts_what_it_can_still_stop(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1", "d2", "d3", "d4", "d5", "d6"]);
    let mut new = device_job(&devices);
    new.policy = sample::retrying();
    let (job, tasks) = bench.running(new);
    bench.publish(tasks[0]);
    let running = bench.publish(tasks[1]);
    bench.step(
        tasks[1],
        Event::Acked {
            attempt: running.attempt,
            handed: None,
        },
    );
    bench.succeed(tasks[2]);
    assert_eq!(bench.fail(tasks[3]).state, State::RetryWait);
    bench.step(tasks[4], Event::Cancelled { withdrawn: false });
    // Published, between retries, queued; not the running one, nor what is final.
    assert_eq!(bench.one(cancel(job)), Done::Count(3));
    let stored = bench.job(job);
    assert_eq!((stored.cancels.made, stored.cancels.settled), (1, 0));
    assert_eq!(bench.task(tasks[5]).state, State::Queued, "rows are settled by steps");
    bench.refused(cancel(JobNo(99)), Refusal::Missing);
    let deleted = bench.create(device_job(&devices));
    bench.done(delete(deleted));
    bench.refused(cancel(deleted), Refusal::Missing);
}

pub fn a_job_cancelled_before_its_trigger_is_finished(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1", "d2"]);
    let list = bench.create(device_job(&devices));
    assert_eq!(bench.one(cancel(list)), Done::Count(2));
    let product = bench.create(product_job(&[PRODUCT]));
    assert_eq!(bench.one(cancel(product)), Done::Count(0));
    for job in [list, product] {
        let stored = bench.job(job);
        assert_eq!((stored.state, stored.total), (JobState::Finished, None));
        bench.refused(Write::TriggerJob { job }, Refusal::Unchanged);
    }
    for task in bench.numbers(list) {
        bench.step(task, Event::Cancelled { withdrawn: false });
    }
    let stored = bench.job(list);
    assert_eq!(
        (stored.state, stored.counters.of(State::Cancelled)),
        (JobState::Finished, 2)
    );
}

pub fn a_cancel_stays_at_work_until_it_is_settled(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1"]);
    let (job, tasks) = bench.running(device_job(&devices));
    bench.one(cancel(job));
    bench.step(tasks[0], Event::Cancelled { withdrawn: false });
    let at_work = |bench: &mut Bench| bench.read().jobs_at_work().unwrap().len();
    assert_eq!((bench.job(job).state, at_work(bench)), (JobState::Finished, 1));
    bench.one(cancel(job));
    bench.done(Write::SettledJob { job, mark: 1 });
    assert_eq!(at_work(bench), 1, "the second cancel is not settled");
    bench.done(Write::SettledJob { job, mark: 2 });
    assert_eq!(at_work(bench), 0);
    assert_eq!(bench.job(job).cancels.settled, 2);
    bench.refused(
        Write::SettledJob {
            job: JobNo(99),
            mark: 1,
        },
        Refusal::Missing,
    );
}

pub fn a_running_job_is_not_deleted(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1"]);
    let (job, tasks) = bench.running(device_job(&devices));
    bench.refused(delete(job), Refusal::InUse);
    bench.succeed(tasks[0]);
    bench.done(delete(job));
    bench.refused(delete(job), Refusal::Missing);
    assert_eq!(bench.read().job(job).unwrap(), None);
    let planned = bench.create(product_job(&[PRODUCT]));
    bench.done(delete(planned));
    bench.refused(delete(JobNo(99)), Refusal::Missing);
}

pub fn jobs_at_work_are_those_with_something_left(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1"]);
    let planned = bench.create(device_job(&devices));
    let (running, _) = bench.running(device_job(&devices));
    let (finished, tasks) = bench.running(device_job(&devices));
    bench.succeed(tasks[0]);
    let deleted = bench.create(device_job(&devices));
    bench.done(delete(deleted));
    let mut at_work = bench.read().jobs_at_work().unwrap();
    at_work.sort_by_key(|job| job.no);
    assert!(at_work[2].deleted);
    let numbers: Vec<JobNo> = at_work.iter().map(|job| job.no).collect();
    assert_eq!(numbers, [planned, running, deleted]);
    let mut told = bench.read().numbers_at_work().unwrap();
    told.sort_unstable();
    assert_eq!(told, numbers);
    assert_eq!(at_work[0], bench.job(planned));
    assert_ne!(bench.job(finished).state, JobState::InProgress);
    bench.one(Write::PurgeJob { job: deleted, limit: 5 });
    assert_eq!(bench.read().jobs_at_work().unwrap().len(), 2);
}

pub fn jobs_are_found_by_their_tasks(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1", "d2"]);
    let first = bench.create(device_job(&devices));
    let second = bench.create(device_job(&devices));
    let deleted = bench.create(device_job(&devices));
    bench.done(delete(deleted));
    let asked = [4, 1, 2, 5, 6, 7, 0].map(TaskNo);
    let mut found = bench.read().jobs_of(&asked).unwrap();
    found.sort_by_key(|job| job.no);
    assert_eq!(found, [bench.job(first), bench.job(second)]);
    let late = Event::Replied {
        attempt: aldis_core::ids::AttemptNo(1),
        handed: None,
        reply: &reply(200),
    };
    bench.trigger(first);
    bench.queue(TaskNo(1));
    bench.publish(TaskNo(1));
    bench.step(TaskNo(1), late);
    assert_eq!(bench.read().jobs_of(&[TaskNo(1)]).unwrap(), [bench.job(first)]);
    assert_eq!(bench.read().jobs_of(&[]).unwrap(), []);
    assert_eq!(bench.job(first).org, ORG.into());
}
