//! Commits: numbered, in order, whole, and still there after reopening.

use aldis_core::ids::{DeviceNo, JobNo, TaskNo};
use aldis_core::time::Timestamp;
use aldis_store::rows::{CommitNo, Product};
use aldis_store::{Done, Epoch, Error, Refusal, Write};

use super::bench::{Bench, delete};
use super::sample::{self, MODEL, ORG, PRODUCT, device_job, org};
use super::snapshot;

pub fn every_commit_has_the_next_number_and_keeps_its_moment(bench: &mut Bench) {
    assert_eq!(bench.read().last_commit().unwrap(), (CommitNo(0), Timestamp(0)));
    let organization = Write::CreateOrganization(sample::organization(ORG));
    bench.done(organization.clone());
    let at = bench.now;
    assert_eq!(bench.read().last_commit().unwrap(), (CommitNo(1), at));
    bench.refused(organization, Refusal::Taken);
    let at = bench.now;
    assert_eq!(bench.read().last_commit().unwrap(), (CommitNo(2), at));
    bench.commit(&[]);
    let at = bench.now;
    assert_eq!(bench.read().last_commit().unwrap(), (CommitNo(3), at));
}

pub fn a_refused_write_leaves_nothing_and_disturbs_no_other(bench: &mut Bench) {
    bench.found();
    let before = bench.read().product(&PRODUCT.into()).unwrap();
    let taken = Product {
        desc: "another".to_owned(),
        ..sample::product(ORG, PRODUCT)
    };
    let done = bench.commit(&[
        Write::CreateKey(sample::access_key(ORG, "first")),
        Write::CreateProduct(taken),
        Write::CreateKey(sample::access_key(ORG, "second")),
    ]);
    assert_eq!(done, [Done::Yes, Done::Refused(Refusal::Taken), Done::Yes]);
    assert_eq!(bench.read().product(&PRODUCT.into()).unwrap(), before);
    assert_eq!(bench.read().access_keys(Some(&org())).unwrap().len(), 2);
}

pub fn the_writes_of_a_commit_see_each_other_in_order(bench: &mut Bench) {
    let done = bench.commit(&[
        Write::CreateProduct(sample::product(ORG, PRODUCT)),
        Write::CreateModel(sample::model(ORG, MODEL)),
        Write::CreateProduct(sample::product(ORG, PRODUCT)),
        Write::register(vec![sample::new_device(ORG, PRODUCT, "d1")]),
        Write::CreateJob(device_job(&[DeviceNo(1)])),
        Write::TriggerJob { job: JobNo(1) },
        Write::DeleteProduct {
            org: org(),
            key: PRODUCT.into(),
        },
        delete(DeviceNo(1)),
        Write::DeleteProduct {
            org: org(),
            key: PRODUCT.into(),
        },
    ]);
    let expected = [
        Done::Refused(Refusal::Missing),
        Done::Yes,
        Done::Yes,
        Done::Devices(vec![Ok(DeviceNo(1))]),
        Done::Job {
            no: JobNo(1),
            created: true,
        },
        Done::Count(1),
        Done::Refused(Refusal::InUse),
        Done::Yes,
        Done::Yes,
    ];
    assert_eq!(done, expected);
}

pub fn everything_is_there_after_reopening(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1", "d2", "d3"]);
    let (_, tasks) = bench.running(device_job(&devices));
    bench.fail(tasks[0]);
    bench.publish(tasks[1]);
    let mut job = sample::product_job(&[PRODUCT]);
    job.idempotency = Some(sample::idempotency("key", 1));
    let job = bench.create(job);
    bench.trigger(job);
    let before = snapshot::of_bench(bench);
    bench.reopen();
    snapshot::assert_same(&snapshot::of_bench(bench), &before, "after reopening");
}

pub fn skipped_numbers_are_given_to_no_job_and_no_task(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1"]);
    let plain = |bench: &mut Bench| {
        let job = bench.create(device_job(&devices));
        (job, bench.numbers(job))
    };
    bench.done(Write::SkipNumbers { least: 1_000, gap: 10 });
    assert_eq!(plain(bench), (JobNo(1_000), vec![TaskNo(1_000)]));
    bench.done(Write::SkipNumbers { least: 1_000, gap: 10 });
    bench.reopen();
    assert_eq!(plain(bench), (JobNo(1_011), vec![TaskNo(1_011)]));
    bench.done(Write::SkipNumbers {
        least: 1 << 49,
        gap: 10,
    });
    assert_eq!(plain(bench), (JobNo(1 << 49), vec![TaskNo(1 << 49)]));
    assert_eq!(bench.devices(&["d2"]), [DeviceNo(2)], "devices are not concerned");
}

pub fn numbers_are_not_reused_after_reopening(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1", "d2"]);
    let job = bench.create(device_job(&devices));
    bench.done(Write::DeleteJob { job, by: sample::by() });
    bench.one(Write::PurgeJob { job, limit: 10 });
    bench.delete_device(devices[1]);
    bench.reopen();
    assert_eq!(bench.devices(&["d2"]), [DeviceNo(3)]);
    let job = bench.create(device_job(&devices[..1]));
    assert_eq!((job, bench.numbers(job)), (JobNo(2), vec![TaskNo(3)]));
    let number = bench.read().last_commit().unwrap().0;
    bench.reopen();
    assert_eq!(bench.read().last_commit().unwrap().0, number);
}

/// A store with several writers gives each an epoch of its own; one that a lock protects gives every writer the same.
pub fn commits_of_a_replaced_writer_are_refused(bench: &mut Bench) {
    bench.found();
    let replaced = bench.epoch;
    bench.begin_epoch();
    let (current, now) = (bench.epoch, bench.next_moment());
    let write = Write::CreateOrganization(sample::organization("replaced"));
    if current == Epoch::SOLE {
        assert_eq!(replaced, current, "a sole writer's epoch never changes");
        bench.done(write);
        return;
    }
    assert!(current > replaced, "{current:?} follows {replaced:?}");
    let before = bench.read().last_commit().unwrap();
    let refused = bench.store().commit(replaced, now, std::slice::from_ref(&write));
    match refused {
        Err(Error::StaleEpoch { given, current: known }) => assert_eq!((given, known), (replaced, current)),
        other => panic!("a stale commit must be refused: {other:?}"),
    }
    assert_eq!(bench.read().last_commit().unwrap(), before);
    assert_eq!(bench.read().organization(&"replaced".into()).unwrap(), None);
    bench.done(write);
}
