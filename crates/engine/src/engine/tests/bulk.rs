//! Work over many rows: slice by slice, counters right after every turn (the bench recounts them).

use aldis_core::job::JobState;
use aldis_core::task::State;
use aldis_store::Write;

use super::bench::Bench;
use super::sample::{WAITING, within};
use crate::engine::Wake;
use crate::writer::WriterRequest;

const MEMBERS: usize = 25_000;

fn count(bench: &mut Bench) -> usize {
    let mut turns = 1;
    while bench.turn() == Wake::Now {
        turns += 1;
        assert!(turns < 100, "the engine spins");
    }
    turns
}

#[test]
fn a_whole_products_job_is_written_and_cancelled_and_purged_in_slices() {
    let mut bench = Bench::new(MEMBERS);
    let create = Write::CreateJob(bench.new_product_job(WAITING));
    let _answered = bench.request(|answer| WriterRequest::Write {
        writes: vec![create],
        answer,
    });
    bench.turn();
    let job = bench.jobs()[0].no;
    assert_eq!(bench.job(job).total, None);
    bench.turn();
    assert_eq!(bench.job(job).total, Some(25_000), "members are counted at the trigger");
    assert!(count(&mut bench) >= 3);
    assert_eq!(bench.job(job).counters.of(State::Queued), 25_000);

    let _answered = bench.request(|answer| WriterRequest::CancelJob {
        job,
        by: super::sample::by(),
        answer,
    });
    assert!(count(&mut bench) >= 3);
    assert_eq!(bench.job(job).counters.of(State::Cancelled), 25_000);
    assert_eq!(
        (bench.job_state(job), bench.job(job).cancels.settled),
        (JobState::Finished, 1)
    );

    bench.delete_job(job).unwrap();
    assert_eq!(
        bench.turn(),
        Wake::Nudged,
        "the rows are gone, and nothing is left to do"
    );
    bench.restart();
    assert_eq!(bench.turn(), Wake::Nudged);
}

#[test]
fn a_whole_products_job_expires_in_slices() {
    let mut bench = Bench::new(MEMBERS);
    let job = bench.create(bench.new_product_job(within(60_000)));
    bench.settle();
    bench.now = bench.now.plus_ms(60_000);
    assert!(count(&mut bench) >= 3);
    assert_eq!(bench.job(job).counters.of(State::TtlTimedOut), 25_000);
    assert_eq!(bench.job_state(job), JobState::Finished);
}

#[test]
fn members_written_after_the_window_has_ended_are_born_expired() {
    let mut bench = Bench::new(MEMBERS);
    let mut new = bench.new_product_job(within(60_000));
    new.release = bench.now.plus_ms(-60_000);
    let job = bench.create(new);
    bench.settle();
    assert_eq!(bench.job(job).counters.of(State::TtlTimedOut), 25_000);
}

#[test]
fn devices_are_served_while_rows_are_written() {
    let mut bench = Bench::new(MEMBERS);
    let last = *bench.devices.last().unwrap();
    bench.enter(last);
    let create = Write::CreateJob(bench.new_product_job(WAITING));
    let _answered = bench.request(|answer| WriterRequest::Write {
        writes: vec![create],
        answer,
    });
    for _ in 0..3 {
        bench.turn();
    }
    let single = bench.task_for(last, WAITING);
    assert_eq!(
        bench.sent()[0].task(),
        single,
        "its row of the large job comes last, and holds up nothing"
    );
    assert_eq!(bench.state(single), State::Published);
}

#[test]
fn members_born_for_a_present_device_are_sent() {
    let mut bench = Bench::online(3);
    let job = bench.create(bench.new_product_job(WAITING));
    let tasks: Vec<_> = bench.tasks_of(job).into_iter().map(|task| task.no).collect();
    assert_eq!(bench.tasks_sent(), tasks);
}
