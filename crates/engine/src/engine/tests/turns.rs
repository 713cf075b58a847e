//! When the engine wants to be run again, and what its turns cost.

use aldis_core::ids::DeviceNo;
use aldis_core::job::JobState;
use aldis_core::task::State;
use aldis_store::Write;

use super::bench::Bench;
use super::sample::{AT_ONCE, BEGIN, REPLY_MS, WAITING};
use crate::engine::Wake;
use crate::engine::turn_budget::EVENTS_YIELDING;
use crate::link::{DeviceEvent, SessionNo};
use crate::writer::WriterRequest;

#[test]
fn an_engine_with_nothing_to_do_sleeps_until_something_arrives() {
    let mut bench = Bench::new(1);
    assert_eq!(bench.turn(), Wake::Nudged);
    bench.enter(bench.devices[0]);
    bench.settle();
    assert_eq!(bench.turn(), Wake::Nudged, "an idle session needs no turns");
    let tried = bench.faults.lock().tried;
    bench.turn();
    assert_eq!(bench.faults.lock().tried, tried, "a turn without work commits nothing");
}

#[test]
fn an_attempt_in_flight_is_looked_after_for_its_puback() {
    let mut bench = Bench::online(1);
    bench.task_for(bench.devices[0], WAITING);
    bench.one_sent();
    assert_eq!(bench.turn(), Wake::At(BEGIN.plus_ms(20)));
}

#[test]
fn a_turn_that_has_sent_everything_wants_no_other_at_once() {
    let mut bench = Bench::new(3);
    let devices = bench.devices.clone();
    bench.tasks_for(&devices, WAITING);
    for device in devices {
        bench.enter(device);
    }
    assert_ne!(bench.turn(), Wake::Now);
    assert_eq!(bench.deliver().len(), 3, "all in one turn");
}

#[test]
fn a_reply_and_the_next_command_are_one_commit() {
    let mut bench = Bench::online(1);
    let device = bench.devices[0];
    bench.task_for(device, WAITING);
    let wire = bench.one_sent();
    let next = bench.task_for(device, WAITING);
    bench.say(device, wire, 200);
    let tried = bench.faults.lock().tried;
    bench.turn();
    assert_eq!(bench.faults.lock().tried, tried + 1);
    assert_eq!(
        bench
            .deliver()
            .into_iter()
            .map(aldis_core::ids::WireId::task)
            .collect::<Vec<_>>(),
        [next]
    );
}

#[test]
fn a_stopping_engine_takes_back_what_has_not_left_and_rests() {
    let mut bench = Bench::online(2);
    let devices = bench.devices.clone();
    let tasks = bench.tasks_for(&devices, WAITING);
    let first = bench.link.attempts();
    assert!(first[0].gate.take(), "one has left");
    bench.stop();
    bench.settle();
    assert!(!first[1].gate.take(), "the other never will");
    use aldis_core::task::State::{Published, Queued};
    assert_eq!(bench.states(&tasks), [Published, Queued]);
    assert_ne!(bench.turn(), Wake::Now);
    let later = bench.task_for(devices[1], WAITING);
    assert_eq!(
        (bench.sent().len(), bench.state(later)),
        (0, Queued),
        "nothing new is sent"
    );
    bench.reply(first[0].wire, 200);
    assert_eq!(bench.link.acknowledged().len(), 1, "replies are still recorded");
}

#[test]
fn a_stopping_engine_reads_nothing_for_attempts_that_have_left() {
    let mut bench = Bench::online(1);
    bench.task_for(bench.devices[0], WAITING);
    bench.one_sent();
    bench.stop();
    bench.settle();
    bench.faults.lock().reads_after = Some(0);
    bench.turn();
    assert_eq!(bench.turn(), Wake::At(BEGIN.plus_ms(20)), "no read has failed");
}

#[test]
fn nothing_is_remembered_of_devices_and_jobs_that_are_gone() {
    let mut bench = Bench::new(1);
    for _ in 0..600 {
        let session = bench.enter(bench.devices[0]);
        let task = bench.task_for(bench.devices[0], AT_ONCE);
        let wire = bench.one_sent();
        assert_eq!(wire.task(), task);
        bench.reply(wire, 200);
        bench.leave(bench.devices[0], session);
        bench.settle();
    }
    bench.notify(DeviceEvent::Disconnected {
        session: SessionNo(9_999),
        device: DeviceNo(77),
    });
    bench.pass(REPLY_MS);
    assert!(
        bench.cached_things() < 200,
        "{} things are remembered",
        bench.cached_things()
    );
}

#[test]
fn after_a_call_about_a_single_device_turns_are_short_and_what_it_says_comes_first() {
    let mut bench = Bench::online(1 + 2 * EVENTS_YIELDING);
    let devices = bench.devices.clone();
    let (single, many) = devices.split_at(1);
    let many = bench.tasks_for(many, WAITING);
    let out = bench.sent();
    let task = bench.task_for(single[0], WAITING);
    let wire = bench.one_sent();
    for wire in out {
        let device = bench.device_of(wire);
        bench.say(device, wire, 200);
    }
    bench.say(single[0], wire, 200);

    assert_eq!(bench.turn(), Wake::Now, "more waits");
    assert_eq!(bench.state(task), State::Succeeded);
    let succeeded = |bench: &Bench| {
        let states = bench.states(&many);
        states.iter().filter(|state| **state == State::Succeeded).count()
    };
    assert_eq!(succeeded(&bench), EVENTS_YIELDING - 1);
    bench.settle();
    assert_eq!(succeeded(&bench), 2 * EVENTS_YIELDING, "no device is forgotten");
}

#[test]
fn turn_without_requests_takes_all_events() {
    let mut bench = Bench::online(2 * EVENTS_YIELDING);
    let devices = bench.devices.clone();
    let tasks = bench.tasks_for(&devices, WAITING);
    for wire in bench.sent() {
        let device = bench.device_of(wire);
        bench.say(device, wire, 200);
    }
    bench.turn();
    let states = bench.states(&tasks);
    assert!(states.iter().all(|state| *state == State::Succeeded));
}

#[test]
fn as_many_small_jobs_as_callers_create_are_triggered_in_one_turn() {
    let mut bench = Bench::new(64);
    let devices = bench.devices.clone();
    for device in devices {
        let create = Write::CreateJob(bench.new_job(&[device], WAITING));
        let _answered = bench.request(|answer| WriterRequest::Write {
            writes: vec![create],
            answer,
        });
    }
    bench.turn();
    bench.turn();
    let jobs = bench.jobs();
    assert_eq!(jobs.len(), 64);
    assert!(jobs.iter().all(|job| job.state == JobState::InProgress));
}
