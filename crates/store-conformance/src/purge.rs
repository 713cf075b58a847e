//! Deleted jobs leave slice by slice; their numbers and their slots stay.

use aldis_core::ids::{AttemptNo, DeviceNo, JobNo, TaskNo};
use aldis_core::time::Timestamp;
use aldis_store::rows::Slot;
use aldis_store::{Done, Refusal, Write};

use super::bench::Bench;
use super::sample::{self, PRODUCT, device_job, product_job};

fn delete(bench: &mut Bench, job: JobNo) {
    bench.done(Write::DeleteJob { job, by: sample::by() });
}

pub fn a_deleted_job_is_purged_in_slices(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1", "d2", "d3", "d4", "d5"]);
    let (other, kept) = bench.running(device_job(&devices));
    bench.fail(kept[0]);
    let (job, tasks) = bench.running(device_job(&devices));
    for task in tasks {
        bench.fail(task);
    }
    delete(bench, job);
    for expected in [2, 2, 1] {
        assert!(
            bench
                .read()
                .jobs_at_work()
                .unwrap()
                .iter()
                .any(|at_work| at_work.no == job)
        );
        assert_eq!(bench.one(Write::PurgeJob { job, limit: 2 }), Done::Count(expected));
    }
    let at_work = bench.read().jobs_at_work().unwrap();
    assert_eq!(at_work.iter().map(|job| job.no).collect::<Vec<_>>(), [other]);
    bench.refused(Write::PurgeJob { job, limit: 2 }, Refusal::Missing);
    assert_eq!(bench.numbers(other), kept);
    assert_eq!(bench.read().history(kept[0]).unwrap().len(), 1);
}

pub fn numbers_of_purged_jobs_are_not_reused(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1", "d2"]);
    for round in 0..3 {
        let job = bench.create(device_job(&devices));
        assert_eq!(job, JobNo(round + 1));
        assert_eq!(bench.numbers(job), [TaskNo(2 * round + 1), TaskNo(2 * round + 2)]);
        delete(bench, job);
        assert_eq!(bench.one(Write::PurgeJob { job, limit: 2 }), Done::Count(2));
        assert_eq!(
            bench.read().jobs_at_work().unwrap(),
            [],
            "the row of the job went with the last"
        );
    }
}

pub fn a_deleted_job_without_rows_goes_at_once(bench: &mut Bench) {
    bench.found();
    let job = bench.create(product_job(&[PRODUCT]));
    delete(bench, job);
    assert_eq!(bench.read().jobs_at_work().unwrap().len(), 1);
    assert_eq!(bench.one(Write::PurgeJob { job, limit: 2 }), Done::Count(0));
    assert_eq!(bench.read().jobs_at_work().unwrap(), []);
}

pub fn slots_survive_their_tasks(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1"]);
    let (job, tasks) = bench.running(device_job(&devices));
    bench.fail(tasks[0]);
    let slot = Slot {
        device: devices[0],
        task: tasks[0],
        attempt: AttemptNo(1),
        reply_deadline: Timestamp(1_700_000_300_000),
        acked: false,
    };
    bench.done(Write::Slots(vec![(devices[0], Some(slot))]));
    bench.delete_device(devices[0]);
    delete(bench, job);
    bench.one(Write::PurgeJob { job, limit: 9 });
    assert_eq!(bench.read().slots().unwrap(), [slot]);
}

pub fn only_deleted_jobs_are_purged(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1"]);
    let (job, tasks) = bench.running(device_job(&devices));
    bench.succeed(tasks[0]);
    bench.refused(Write::PurgeJob { job, limit: 9 }, Refusal::Missing);
    bench.refused(
        Write::PurgeJob {
            job: JobNo(99),
            limit: 9,
        },
        Refusal::Missing,
    );
    assert_eq!(bench.task(tasks[0]).device, DeviceNo(1));
}
