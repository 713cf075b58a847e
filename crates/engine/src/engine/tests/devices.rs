//! Devices that are disabled or deleted while commands wait for them.

use aldis_core::task::{Refused, State, code};

use super::bench::Bench;
use super::sample::{AT_ONCE, REPLY_MS, WAITING, by, retrying};
use crate::writer::{TaskEntry, WriterRequest};

/// A device with an attempt out, a task between retries, one that waits and one that is not due.
fn busy() -> (Bench, [aldis_core::ids::TaskNo; 4], aldis_core::ids::WireId) {
    let mut bench = Bench::online(1);
    let device = bench.devices[0];
    let between = bench.task_for(device, retrying(2, 60_000));
    let wire = bench.one_sent();
    bench.reply(wire, 500);
    let out = bench.task_for(device, retrying(2, 60_000));
    let wire = bench.one_sent();
    let waits = bench.task_for(device, WAITING);
    let planned = bench.planned(&[device], WAITING, 3_600_000)[0];
    (bench, [out, between, waits, planned], wire)
}

#[test]
fn what_waits_for_a_disabled_device_fails_and_what_is_out_runs_out() {
    let (mut bench, [out, between, waits, planned], wire) = busy();
    let device = bench.devices[0];
    let session = bench.last_session();
    bench.disable(device, true);
    assert_eq!(bench.link.resets(), [session]);
    for task in [between, waits] {
        assert_eq!((bench.state(task), bench.code(task)), (State::Failed, code::NOT_ACTIVE));
    }
    assert_eq!(bench.states(&[out, planned]), [State::Published, State::Init]);
    bench.reply(wire, 200);
    assert_eq!(bench.state(out), State::Succeeded);
    let refused = bench.task_for(device, retrying(2, 1_000));
    assert_eq!(
        (bench.state(refused), bench.code(refused)),
        (State::Failed, code::NOT_ACTIVE),
        "and not tried again"
    );
    bench.disable(device, false);
    assert_eq!(bench.retry(refused), TaskEntry::Done);
}

#[test]
fn an_attempt_of_a_disabled_device_that_has_not_left_ends_with_the_rest() {
    let mut bench = Bench::online(1);
    let task = bench.task_for(bench.devices[0], WAITING);
    bench.disable(bench.devices[0], true);
    assert_eq!(bench.deliver(), []);
    assert_eq!((bench.state(task), bench.code(task)), (State::Failed, code::NOT_ACTIVE));
}

#[test]
fn what_waits_for_a_deleted_device_fails_and_cannot_be_retried() {
    let (mut bench, [out, between, waits, planned], _) = busy();
    bench.delete_device(bench.devices[0]);
    for task in [between, waits] {
        assert_eq!(
            (bench.state(task), bench.code(task)),
            (State::Failed, code::DEVICE_GONE)
        );
    }
    let gone = TaskEntry::Declined {
        why: Refused::DeviceGone,
        next_attempt: aldis_core::ids::AttemptNo(1),
        disarmed: false,
    };
    assert_eq!(bench.retry(waits), gone);
    bench.pass(REPLY_MS);
    assert_eq!(bench.state(out), State::RetryWait, "it ran out");
    bench.pass(60_000);
    assert_eq!((bench.state(out), bench.code(out)), (State::Failed, code::DEVICE_GONE));
    bench.pass(3_600_000);
    assert_eq!(
        (bench.state(planned), bench.code(planned)),
        (State::Failed, code::DEVICE_GONE)
    );
}

#[test]
fn a_device_with_the_keys_of_a_deleted_one_gets_none_of_its_commands() {
    let mut bench = Bench::new(1);
    bench.task_for(bench.devices[0], WAITING);
    bench.delete_device(bench.devices[0]);
    let another = bench.new_device("d0");
    bench.enter(another);
    assert_eq!(bench.sent(), []);
}

#[test]
fn a_device_that_was_disabled_while_it_logged_in_is_shown_out() {
    let mut bench = Bench::new(1);
    let device = bench.devices[0];
    bench.disable(device, true);
    let session = bench.enter(device);
    bench.settle();
    assert_eq!(bench.link.resets(), [session]);
}

#[test]
fn a_device_whose_keys_were_replaced_is_shown_out_and_keeps_its_tasks() {
    let mut bench = Bench::online(1);
    let device = bench.devices[0];
    let session = bench.last_session();
    bench.inbox.submit(WriterRequest::EndSession { device });
    bench.settle();
    assert_eq!(bench.link.resets(), [session]);
    let task = bench.task_for(device, AT_ONCE);
    assert_eq!(bench.sent(), [], "nothing goes to the old link");
    bench.leave(device, session);
    bench.enter(device);
    assert_eq!(bench.tasks_sent(), [task]);
}

#[test]
fn disabling_twice_is_refused() {
    let mut bench = Bench::new(1);
    let device = bench.devices[0];
    bench.disable(device, true);
    let twice = bench.answer(|answer| WriterRequest::DisableDevice {
        device,
        disabled: true,
        by: by(),
        answer,
    });
    assert!(twice.is_err());
}
