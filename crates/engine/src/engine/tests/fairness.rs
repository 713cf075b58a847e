//! No device and no organization waits for more than its share of what others have to do.

use aldis_core::ids::{DeviceNo, JobNo};
use aldis_core::task::State;
use aldis_store::rows::{NewJob, TargetScope};
use aldis_store::{Done, Write};

use super::bench::Bench;
use super::sample::{BEGIN, OTHER_ORG, OTHER_PRODUCT, WAITING, another_organization};
use crate::engine::Wake;
use crate::writer::WriterRequest;

/// Devices that a turn looks at in these tests.
const PER_TURN: usize = 3;
/// More turns than any of these tests takes.
const TURNS_MAX: usize = 200;

/// Turns until that many commands have been sent, each answered at once; their devices, in the order of sending.
fn answered_at_once(bench: &mut Bench, commands: usize) -> Vec<DeviceNo> {
    let mut served = Vec::new();
    for _ in 0..TURNS_MAX {
        bench.turn();
        for wire in bench.deliver() {
            let device = bench.device_of(wire);
            served.push(device);
            bench.say(device, wire, 200);
        }
        if served.len() >= commands {
            return served;
        }
    }
    panic!("only {} commands were sent", served.len());
}

fn register_others(bench: &mut Bench, devices: usize) -> Vec<DeviceNo> {
    let mut registered = Vec::new();
    for write in another_organization(devices) {
        if let Done::Devices(numbers) = bench.write(write) {
            registered.extend(numbers.into_iter().map(Result::unwrap));
        }
    }
    registered
}

fn for_others(job: NewJob) -> NewJob {
    NewJob {
        org: OTHER_ORG.into(),
        ..job
    }
}

#[test]
fn device_with_a_high_number_has_its_turn_while_lower_ones_answer_at_once() {
    let mut bench = Bench::new(3 * PER_TURN);
    bench.dispatch_at_most(PER_TURN);
    let devices = bench.devices.clone();
    for _ in 0..3 {
        bench.tasks_for(&devices, WAITING);
    }
    for device in &devices {
        bench.enter(*device);
    }
    let served = answered_at_once(&mut bench, 3 * devices.len());
    for round in served.chunks(devices.len()) {
        let mut round = round.to_vec();
        round.sort_unstable();
        assert_eq!(round, devices, "each once before any again: {served:?}");
    }
}

#[test]
fn commands_of_one_organization_do_not_wait_for_all_of_another() {
    let mut bench = Bench::new(20 * PER_TURN);
    bench.dispatch_at_most(PER_TURN);
    let many = bench.devices.clone();
    let few = register_others(&mut bench, 2);
    bench.tasks_for(&many, WAITING);
    bench.create(for_others(bench.new_job(&few, WAITING)));
    for device in many.iter().chain(&few) {
        bench.enter(*device);
    }
    let served = answered_at_once(&mut bench, 3 * PER_TURN);
    let last = served.iter().rposition(|device| few.contains(device));
    assert!(few.iter().all(|device| served.contains(device)), "{served:?}");
    assert!(last.is_some_and(|last| last < 2 * PER_TURN), "{served:?}");
}

#[test]
fn job_of_one_organization_triggers_beside_the_many_of_another() {
    let mut bench = Bench::new(6_000);
    let devices = bench.devices.clone();
    let few = register_others(&mut bench, 1);
    let later = BEGIN.plus_ms(60_000);
    let planned = |job: NewJob| NewJob { release: later, ..job };
    let mut jobs: Vec<JobNo> = (0..6)
        .map(|_| bench.create(planned(bench.new_job(&devices, WAITING))))
        .collect();
    jobs.push(bench.create(for_others(planned(bench.new_job(&few, WAITING)))));
    bench.now = later;
    bench.turn();
    let triggered: Vec<bool> = jobs.iter().map(|job| bench.job(*job).total.is_some()).collect();
    assert_eq!(triggered, [true, true, false, false, false, false, true]);
    bench.settle();
    assert!(jobs.iter().all(|job| bench.job(*job).total.is_some()));
}

#[test]
fn bulk_work_of_one_organization_goes_on_beside_the_many_jobs_of_another() {
    let mut bench = Bench::new(25_000);
    register_others(&mut bench, 5);
    let others = TargetScope::Products {
        products: vec![OTHER_PRODUCT.into()],
        entries: Vec::new(),
    };
    for _ in 0..5 {
        let job = bench.new_product_job(WAITING);
        let _answered = bench.request(|answer| WriterRequest::Write {
            writes: vec![Write::CreateJob(job)],
            answer,
        });
    }
    let mut job = for_others(bench.new_product_job(WAITING));
    job.text.targets = others;
    let mut created = bench.request(|answer| WriterRequest::Write {
        writes: vec![Write::CreateJob(job)],
        answer,
    });
    bench.turn();
    let Ok(Ok(done)) = created.try_recv() else {
        panic!("the job is not created")
    };
    let Done::Job { no, .. } = done[0] else {
        panic!("no job was created: {done:?}")
    };
    // One turn triggers the jobs; then one slice is written in each.
    let mut turns = 0;
    while bench.job(no).counters.of(State::Queued) < 5 {
        assert_eq!(bench.turn(), Wake::Now);
        turns += 1;
        assert!(turns <= 4, "it waits for {turns} slices of others");
    }
}
