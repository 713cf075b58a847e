//! Devices that come and go.

use aldis_core::task::State;

use super::bench::Bench;
use super::sample::{AT_ONCE, WAITING};
use crate::link::DeviceEvent;

#[test]
fn a_login_activates_and_moments_are_kept() {
    let mut bench = Bench::new(1);
    let device = bench.devices[0];
    bench.pass(1_000);
    let came = bench.now;
    let session = bench.enter(device);
    bench.pass(1_000);
    let left = bench.now;
    bench.leave(device, session);
    bench.settle();
    let kept = bench.device(device);
    assert_eq!(
        (kept.activated, kept.last_online, kept.last_offline),
        (Some(came), Some(came), Some(left))
    );
}

#[test]
fn the_end_of_a_session_that_was_taken_over_ends_nothing() {
    let mut bench = Bench::online(1);
    let device = bench.devices[0];
    let first = bench.last_session();
    bench.pass(1_000);
    bench.enter(device);
    bench.settle();
    bench.notify(DeviceEvent::Disconnected { session: first, device });
    bench.settle();
    assert_eq!(
        bench.device(device).last_offline,
        None,
        "the device was online all the time"
    );
    let task = bench.task_for(device, AT_ONCE);
    assert_eq!(bench.tasks_sent(), [task]);
}

#[test]
fn a_device_that_was_online_when_the_process_died_was_last_online_then() {
    let mut bench = Bench::online(2);
    let [device, gone] = [bench.devices[0], bench.devices[1]];
    bench.pass(1_000);
    let left = bench.now;
    bench.leave(gone, bench.session_of(gone));
    bench.settle();
    bench.pass(60_000);
    let died = bench.now;
    bench.task_for(gone, WAITING);
    bench.now = bench.now.plus_ms(3_600_000);
    bench.restart();
    assert_eq!(
        bench.device(device).last_offline,
        Some(died),
        "the last moment that is known"
    );
    assert_eq!(bench.device(gone).last_offline, Some(left));
    bench.pass(60_000);
    let task = bench.task_for(device, AT_ONCE);
    let (_, desc) = bench.result(task);
    assert!(desc.starts_with("offline since 2023-11-14T22:14:2"), "{desc}");
}

#[test]
fn a_device_that_came_back_in_the_turn_of_its_end_is_online_for_the_next_start() {
    let mut bench = Bench::online(1);
    let device = bench.devices[0];
    bench.pass(1_000);
    bench.leave(device, bench.last_session());
    bench.enter(device);
    bench.settle();
    bench.pass(5_000);
    bench.task_for(device, WAITING);
    let died = bench.now;
    bench.pass(1_000_000);
    bench.restart();
    assert!(bench.device(device).last_offline >= Some(died));
}

#[test]
fn a_device_that_left_in_the_turn_of_its_arrival_is_gone() {
    let mut bench = Bench::new(1);
    let device = bench.devices[0];
    let session = bench.enter(device);
    bench.leave(device, session);
    bench.settle();
    let left = bench.now;
    bench.pass(5_000);
    bench.task_for(device, WAITING);
    bench.restart();
    assert_eq!(bench.device(device).last_offline, Some(left));
}

#[test]
fn what_waits_for_a_device_that_leaves_stays_for_its_return() {
    let mut bench = Bench::new(1);
    let device = bench.devices[0];
    let task = bench.task_for(device, WAITING);
    for _ in 0..3 {
        let session = bench.connect(device);
        bench.pass(1_000);
        bench.leave(device, session);
        bench.pass(1_000);
        assert_eq!(bench.state(task), State::Queued);
    }
    bench.enter(device);
    assert_eq!(bench.tasks_sent(), [task]);
}
