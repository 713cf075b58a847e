//! Members of product jobs: fixed by the trigger, written in slices.

use aldis_core::ids::{AttemptNo, DeviceNo, JobNo, TaskNo};
use aldis_core::job::JobState;
use aldis_core::task::{Event, State, Task, step};
use aldis_store::rows::CommitNo;
use aldis_store::{DeviceFacts, Done, JobTasks, Refusal, StepWrite, Write};

use super::bench::{Bench, delete, disable};
use super::sample::{self, ORG, OTHER_ORG, OTHER_PRODUCT, PRESENT, PRODUCT, device_job, new_device, product_job};

/// The members that have no row yet.
fn facts(bench: &mut Bench, job: JobNo, limit: usize) -> Vec<DeviceFacts> {
    let job = bench.job(job);
    bench.read().members(&job, limit).unwrap()
}

fn members(bench: &mut Bench, job: JobNo) -> Vec<DeviceNo> {
    facts(bench, job, usize::MAX).iter().map(|facts| facts.device).collect()
}

/// The next rows, as the engine would write them.
fn slice(bench: &mut Bench, no: JobNo, limit: usize) -> Write {
    let job = bench.job(no);
    let now = bench.next_moment();
    let devices = facts(bench, no, limit);
    let first = job.range.first.unwrap().0 + job.counters.written();
    let tasks = (first..).zip(&devices).map(|(task, facts)| {
        let born = Task::new(TaskNo(task), facts.device, now);
        let step = step(&born, &job.rules(), Event::Due(&PRESENT), now).unwrap();
        StepWrite {
            job: no,
            from: (State::Init, AttemptNo(0)),
            wake_at: step.task.wake_at(&job.rules()),
            task: step.task,
            ended: step.ended,
        }
    });
    Write::WriteTasks {
        job: no,
        after: job.members.as_ref().unwrap().cursor,
        cursor: devices.last().unwrap().device,
        tasks: tasks.collect(),
    }
}

pub fn the_trigger_allocates_a_number_for_each_member(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1", "d2", "d3"]);
    let earlier = bench.create(device_job(&devices));
    let job = bench.create(product_job(&[PRODUCT]));
    assert_eq!(members(bench, job), [], "none before the trigger");
    assert_eq!(bench.trigger(job), 3);
    let stored = bench.job(job);
    assert_eq!((stored.total, stored.state), (Some(3), JobState::InProgress));
    assert_eq!((stored.range.first, stored.range.allocated), (Some(TaskNo(4)), 3));
    assert_eq!((stored.counters.written(), stored.tasks_created), (0, bench.now));
    let number = bench.read().last_commit().unwrap().0;
    let fixed = stored.members.unwrap();
    assert_eq!(
        (fixed.trigger, fixed.watermark, fixed.cursor),
        (Some(number), devices[2], DeviceNo(0))
    );
    assert_eq!(members(bench, job), devices);
    assert!(number > CommitNo(0));
    bench.refused(Write::TriggerJob { job }, Refusal::Unchanged);
    let next = bench.create(device_job(&devices[..1]));
    assert_eq!(
        bench.numbers(next),
        [TaskNo(7)],
        "the numbers are taken, also before there are rows"
    );
    assert_eq!(bench.job(earlier).range.first, Some(TaskNo(1)));
}

pub fn a_product_without_members_is_finished_at_the_trigger(bench: &mut Bench) {
    bench.found();
    let job = bench.create(product_job(&[PRODUCT, "unknown"]));
    assert_eq!(bench.trigger(job), 0);
    let stored = bench.job(job);
    assert_eq!((stored.total, stored.state), (Some(0), JobState::Finished));
    assert_eq!((stored.range.first, stored.range.allocated), (None, 0));
    assert_eq!(members(bench, job), []);
    bench.done(Write::DeleteJob { job, by: sample::by() });
}

pub fn changes_after_the_trigger_move_no_membership(bench: &mut Bench) {
    let devices = bench.with_devices(&["stays", "disabled-then", "enabled-later", "deleted-later", "toggled"]);
    bench.disable(devices[2], true);
    let job = bench.create(product_job(&[PRODUCT]));
    assert_eq!(bench.trigger(job), 4);
    bench.disable(devices[1], true);
    bench.disable(devices[2], false);
    bench.delete_device(devices[3]);
    for disabled in [true, false, true] {
        bench.disable(devices[4], disabled);
    }
    bench.devices(&["new", "deleted-later"]);
    let found = facts(bench, job, usize::MAX);
    let expected = [devices[0], devices[1], devices[3], devices[4]];
    let seen: Vec<_> = found
        .iter()
        .map(|facts| (facts.device, facts.disabled, facts.deleted))
        .collect();
    let (on, off) = (false, true);
    assert_eq!(
        seen,
        [
            (expected[0], on, false),
            (expected[1], off, false),
            (expected[2], on, true),
            (expected[3], off, false)
        ],
        "members are fixed, what is known of them is of now"
    );
    let write = slice(bench, job, 2);
    bench.done(write);
    assert_eq!(members(bench, job), expected[2..]);
    let write = slice(bench, job, 10);
    bench.done(write);
    let rows = bench.rows(job, JobTasks::All);
    assert_eq!(rows.iter().map(|task| task.device).collect::<Vec<_>>(), expected);
}

pub fn changes_before_the_trigger_count(bench: &mut Bench) {
    let devices = bench.with_devices(&["stays", "disabled", "enabled-again", "deleted", "disabled-and-deleted"]);
    let job = bench.create(product_job(&[PRODUCT]));
    bench.disable(devices[1], true);
    bench.disable(devices[2], true);
    bench.disable(devices[2], false);
    bench.delete_device(devices[3]);
    bench.disable(devices[4], true);
    bench.delete_device(devices[4]);
    let new = bench.devices(&["deleted"])[0];
    assert_eq!(bench.trigger(job), 3);
    assert_eq!(members(bench, job), [devices[0], devices[2], new]);
}

pub fn changes_in_the_triggers_own_commit_count_in_their_order(bench: &mut Bench) {
    let devices = bench.with_devices(&["before", "after", "deleted-before", "deleted-after"]);
    let first = bench.create(product_job(&[PRODUCT]));
    let second = bench.create(product_job(&[PRODUCT]));
    let done = bench.commit(&[
        disable(devices[0], true),
        delete(devices[2]),
        Write::TriggerJob { job: first },
        disable(devices[1], true),
        disable(devices[0], false),
        Write::register(vec![new_device(ORG, PRODUCT, "new")]),
        Write::TriggerJob { job: second },
        delete(devices[3]),
    ]);
    assert_eq!((&done[2], &done[6]), (&Done::Count(2), &Done::Count(3)));
    assert_eq!(members(bench, first), [devices[1], devices[3]]);
    assert_eq!(members(bench, second), [devices[0], devices[3], DeviceNo(5)]);
}

pub fn members_of_several_products_come_by_number(bench: &mut Bench) {
    bench.found();
    bench.done(Write::CreateProduct(sample::product(ORG, "second")));
    bench.done(Write::CreateProduct(sample::product(ORG, "third")));
    let places = [PRODUCT, "second", "third", "second", PRODUCT];
    let new = places.iter().zip(["a", "b", "c", "d", "e"]);
    let devices = bench.register(new.map(|(product, key)| new_device(ORG, product, key)).collect());
    let job = bench.create(product_job(&["second", PRODUCT]));
    assert_eq!(bench.trigger(job), 4);
    assert_eq!(members(bench, job), [devices[0], devices[1], devices[3], devices[4]]);
    assert_eq!(facts(bench, job, 2).len(), 2);
}

pub fn products_of_another_organization_have_no_members(bench: &mut Bench) {
    bench.found();
    bench.register(vec![new_device(OTHER_ORG, OTHER_PRODUCT, "d1")]);
    let own = bench.devices(&["d1"]);
    let job = bench.create(product_job(&[OTHER_PRODUCT, PRODUCT]));
    assert_eq!(bench.trigger(job), 1);
    assert_eq!(members(bench, job), own);
}

pub fn rows_are_written_slice_by_slice(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1", "d2", "d3"]);
    let job = bench.create(product_job(&[PRODUCT]));
    bench.trigger(job);
    let write = slice(bench, job, 2);
    bench.done(write);
    let stored = bench.job(job);
    assert_eq!(stored.members.unwrap().cursor, devices[1]);
    assert_eq!(stored.counters.of(State::Queued), 2);
    assert_eq!(bench.numbers(job), [TaskNo(1), TaskNo(2)]);
    let unwritten = bench.read().tasks(&[TaskNo(3)]).unwrap();
    assert_eq!(unwritten, [None]);
    assert_eq!(bench.read().jobs_of(&[TaskNo(3)]).unwrap().len(), 1);
    let write = slice(bench, job, 2);
    bench.done(write);
    assert!(bench.job(job).is_written());
    assert_eq!(members(bench, job), []);
    assert_eq!(bench.rows(job, JobTasks::All)[2].device, devices[2]);
}

pub fn a_slice_is_written_once(bench: &mut Bench) {
    bench.with_devices(&["d1", "d2"]);
    let job = bench.create(product_job(&[PRODUCT]));
    bench.trigger(job);
    let write = slice(bench, job, 1);
    let done = bench.commit(&[write.clone(), write.clone()]);
    assert_eq!(done, [Done::Yes, Done::Refused(Refusal::Unchanged)]);
    bench.refused(write, Refusal::Unchanged);
    assert_eq!(bench.job(job).counters.written(), 1);
    let planned = bench.create(product_job(&[PRODUCT]));
    let empty = |job| Write::WriteTasks {
        job,
        after: DeviceNo(0),
        cursor: DeviceNo(1),
        tasks: Vec::new(),
    };
    bench.refused(empty(planned), Refusal::Unchanged);
    bench.done(Write::DeleteJob {
        job: planned,
        by: sample::by(),
    });
    bench.refused(empty(planned), Refusal::Missing);
}

pub fn rows_not_yet_written_keep_the_job_going(bench: &mut Bench) {
    bench.with_devices(&["d1", "d2"]);
    let job = bench.create(product_job(&[PRODUCT]));
    bench.trigger(job);
    let write = slice(bench, job, 1);
    bench.done(write);
    bench.succeed(TaskNo(1));
    assert_eq!(bench.job(job).state, JobState::InProgress);
    bench.refused(Write::DeleteJob { job, by: sample::by() }, Refusal::InUse);
    let write = slice(bench, job, 1);
    bench.done(write);
    bench.succeed(TaskNo(2));
    assert_eq!(bench.job(job).state, JobState::Finished);
}

pub fn unwritten_rows_can_be_cancelled(bench: &mut Bench) {
    bench.with_devices(&["d1", "d2", "d3"]);
    let job = bench.create(product_job(&[PRODUCT]));
    bench.trigger(job);
    let write = slice(bench, job, 1);
    bench.done(write);
    bench.succeed(TaskNo(1));
    assert_eq!(bench.one(Write::CancelJob { job, by: sample::by() }), Done::Count(2));
    assert_eq!(bench.job(job).state, JobState::InProgress);
    let write = slice(bench, job, 2);
    bench.done(write);
    let stored = bench.job(job);
    assert_eq!(
        (stored.counters.of(State::Cancelled), stored.state),
        (2, JobState::Finished)
    );
}
