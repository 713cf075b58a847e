//! Who waits behind whom for a device.

use aldis_core::ids::{AttemptNo, DeviceNo, TaskNo, WireId};
use aldis_core::task::{QUEUE_MAX, Refused, State, code};

use super::bench::Bench;
use super::sample::{AT_ONCE, WAITING, retrying};
use crate::writer::TaskEntry;

fn next(bench: &mut Bench, code: i64) -> TaskNo {
    let wire = bench.one_sent();
    bench.reply(wire, code);
    wire.task()
}

/// A device whose queue is full.
fn full(bench: &mut Bench, device: DeviceNo) -> Vec<TaskNo> {
    let waiting: Vec<TaskNo> = (0..QUEUE_MAX).map(|_| bench.task_for(device, WAITING)).collect();
    assert_eq!(bench.states(&waiting), [State::Queued; QUEUE_MAX]);
    waiting
}

#[test]
fn a_device_gets_the_tasks_of_all_jobs_one_by_one_in_the_order_due() {
    let mut bench = Bench::new(2);
    let devices = bench.devices.clone();
    let later = bench.planned(&devices, WAITING, 3_000);
    let sooner = bench.planned(&devices, WAITING, 2_000);
    let same = bench.planned(&devices, WAITING, 2_000);
    let first = bench.tasks_for(&devices, WAITING);
    bench.pass(5_000);
    bench.enter(devices[1]);
    let got: Vec<TaskNo> = (0..4).map(|_| next(&mut bench, 200)).collect();
    assert_eq!(got, [first[1], sooner[1], same[1], later[1]]);
    assert_eq!(bench.sent(), []);
}

#[test]
fn a_due_retry_joins_the_tail() {
    let mut bench = Bench::online(1);
    let device = bench.devices[0];
    let failing = bench.task_for(device, retrying(1, 1_000));
    let out = bench.one_sent();
    let second = bench.task_for(device, WAITING);
    bench.pass(500);
    let third = bench.task_for(device, WAITING);
    bench.reply(out, 500);
    let behind = bench.one_sent();
    bench.pass(2_000);
    bench.reply(behind, 200);
    let order = [behind.task(), next(&mut bench, 200), next(&mut bench, 200)];
    assert_eq!(order, [second, third, failing]);
}

#[test]
fn task_in_its_retry_interval_blocks_no_other_task() {
    let mut bench = Bench::online(1);
    let device = bench.devices[0];
    let waits = bench.task_for(device, retrying(1, 60_000));
    let out = bench.one_sent();
    bench.reply(out, 500);
    assert_eq!(bench.state(waits), State::RetryWait);
    let other = bench.task_for(device, AT_ONCE);
    assert_eq!(bench.tasks_sent(), [other]);
}

#[test]
fn a_not_sent_return_keeps_its_place() {
    let mut bench = Bench::online(1);
    let device = bench.devices[0];
    let first = bench.task_for(device, WAITING);
    bench.pass(1_000);
    let second = bench.task_for(device, WAITING);
    bench.lose();
    assert_eq!(next(&mut bench, 200), first);
    assert_eq!(next(&mut bench, 200), second);
}

#[test]
fn only_queued_and_due_tasks_count_towards_the_fifty() {
    let mut bench = Bench::online(1);
    let device = bench.devices[0];
    let failing = bench.task_for(device, retrying(1, 60_000));
    let wire = bench.one_sent();
    bench.reply(wire, 500);
    bench.planned(&[device], WAITING, 3_600_000);
    let out = bench.task_for(device, WAITING);
    assert_eq!(bench.tasks_sent(), [out]);
    full(&mut bench, device);
    let refused = bench.task_for(device, WAITING);
    assert_eq!(bench.states(&[failing, out]), [State::RetryWait, State::Published]);
    assert_eq!(
        (bench.state(refused), bench.code(refused)),
        (State::Failed, code::QUEUE_FULL)
    );
}

#[test]
fn only_queued_tasks_of_an_absent_device_count_towards_the_fifty() {
    let mut bench = Bench::online(1);
    let device = bench.devices[0];
    let failing = bench.task_for(device, retrying(1, 60_000));
    let wire = bench.one_sent();
    bench.reply(wire, 500);
    bench.leave(device, bench.last_session());
    full(&mut bench, device);
    assert_eq!(bench.state(failing), State::RetryWait);
    bench.pass(60_000);
    let (code, used) = (bench.code(failing), bench.task(failing).retries.auto);
    assert_eq!((code, used), (code::QUEUE_FULL, 1), "it was due, and there was no room");
}

#[test]
fn the_fifty_first_waiting_task_of_an_absent_device_fails() {
    let mut bench = Bench::new(1);
    let device = bench.devices[0];
    let waiting = full(&mut bench, device);
    let refused = bench.task_for(device, WAITING);
    assert_eq!(
        (bench.state(refused), bench.code(refused)),
        (State::Failed, code::QUEUE_FULL)
    );
    assert_eq!(bench.retry(refused), declined_as_full());
    assert_eq!(bench.task(refused).retries.manual, 0, "the task is unchanged");
    bench.cancel(waiting[7]);
    assert_eq!(bench.retry(refused), TaskEntry::Done);
    assert_eq!(
        bench.code(bench.last_task()),
        code::QUEUE_FULL,
        "one more has no room again"
    );
}

fn declined_as_full() -> TaskEntry {
    TaskEntry::Declined {
        why: Refused::QueueFull,
        next_attempt: aldis_core::ids::AttemptNo(1),
        disarmed: false,
    }
}

#[test]
fn every_way_out_of_a_queue_makes_room() {
    let mut bench = Bench::online(1);
    let device = bench.devices[0];
    let out = bench.task_for(device, WAITING);
    let wire = bench.one_sent();
    let mut waiting = full(&mut bench, device);
    // Each way takes one out; the next takes its room, and one more is too many.
    let short = waiting.remove(0);
    bench.cancel(short);
    bench.fills_one_place(device);
    bench.reply(wire, 200);
    let sent = bench.one_sent();
    bench.fills_one_place(device);
    let job = bench.job_of(waiting[5]).no;
    bench.cancel_job(job);
    bench.fills_one_place(device);
    bench.leave(device, bench.last_session());
    bench.settle();
    let room = bench.task_for(device, WAITING);
    assert_eq!(bench.code(room), code::QUEUE_FULL, "the count outlives the session");
    bench.enter(device);
    bench.settle();
    let room = bench.task_for(device, WAITING);
    assert_eq!(bench.code(room), code::QUEUE_FULL, "and is there when it comes back");
    bench.reply(sent, 500);
    bench.one_sent();
    bench.fills_one_place(device);
    assert_eq!(bench.state(out), State::Succeeded);
}

#[test]
fn several_tasks_that_become_due_in_one_turn_see_each_other() {
    let mut bench = Bench::new(1);
    let device = bench.devices[0];
    full(&mut bench, device);
    let last = bench.tasks_for(&[device], WAITING);
    assert_eq!(bench.code(last[0]), code::QUEUE_FULL);
    let bench = &mut Bench::new(1);
    let tasks: Vec<TaskNo> = (0..QUEUE_MAX + 2)
        .flat_map(|_| bench.planned(&[device], WAITING, 1_000))
        .collect();
    bench.pass(1_000);
    let queued = tasks.iter().filter(|task| bench.state(**task) == State::Queued).count();
    assert_eq!(queued, QUEUE_MAX);
}

#[test]
fn command_of_a_service_that_its_device_subscribed_to_by_name_goes_before_the_device_has_settled() {
    let mut bench = Bench::new(1);
    let device = bench.devices[0];
    let session = bench.connect(device);
    let task = bench.task_for(device, AT_ONCE);
    let ready_for = |session, service: &str| crate::link::DeviceEvent::ReadyFor {
        session,
        device,
        services: vec![service.to_owned()],
    };
    bench.notify(ready_for(session, "another"));
    assert_eq!(bench.sent(), []);
    bench.notify(ready_for(session, "spin"));
    assert_eq!(bench.tasks_sent(), [task]);
    let wire = WireId::new(task, AttemptNo(1));
    bench.reply(wire, 200);
    bench.leave(device, session);
    let again = bench.connect(device);
    let next = bench.task_for(device, AT_ONCE);
    bench.notify(ready_for(session, "spin"));
    assert_eq!(bench.sent(), [], "what an earlier session has subscribed to is over");
    bench.notify(ready_for(again, "spin"));
    assert_eq!(bench.tasks_sent(), [next]);
}

#[test]
fn a_command_of_a_kind_that_is_not_ready_waits_and_goes_when_it_is() {
    let mut bench = Bench::new(1);
    let device = bench.devices[0];
    let session = bench.connect(device);
    let task = bench.task_for(device, AT_ONCE);
    assert_eq!(bench.sent(), [], "the session has not settled");
    assert_eq!(bench.state(task), State::Queued);
    let points = crate::link::Kinds {
        points: true,
        services: false,
    };
    bench.notify(crate::link::DeviceEvent::Ready {
        session,
        device,
        kinds: points,
    });
    assert_eq!(bench.sent(), []);
    bench.notify(crate::link::DeviceEvent::Ready {
        session,
        device,
        kinds: crate::link::Kinds::ALL,
    });
    assert_eq!(bench.tasks_sent(), [task]);
}
