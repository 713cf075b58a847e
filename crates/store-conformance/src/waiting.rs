//! What waits: for a device, for a turn, for a moment.

use aldis_core::ids::{DeviceNo, TaskNo};
use aldis_core::task::{Event, State, Task};
use aldis_core::time::Timestamp;
use aldis_store::Write;

use super::bench::Bench;
use super::sample::{self, PRESENT, device_job};

fn numbers(tasks: &[Task]) -> Vec<TaskNo> {
    let mut numbers: Vec<TaskNo> = tasks.iter().map(|task| task.no).collect();
    numbers.sort();
    numbers
}

/// A running job of four devices that retries after a minute.
fn retrying(bench: &mut Bench) -> Vec<TaskNo> {
    let devices = bench.with_devices(&["d1", "d2", "d3", "d4"]);
    let mut new = device_job(&devices);
    new.policy = sample::retrying();
    bench.running(new).1
}

pub fn queued_tasks_are_listed_by_device(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1", "d2", "d3"]);
    let (_, first) = bench.running(device_job(&devices[..2]));
    let (_, second) = bench.running(device_job(&devices[..1]));
    bench.create(device_job(&devices));
    bench.publish(first[1]);
    let asked = [devices[2], devices[1], devices[0], devices[1]];
    let queued = bench.read().queued(&asked).unwrap();
    let expected = [vec![], vec![], vec![first[0], second[0]], vec![]];
    assert_eq!(queued.iter().map(|tasks| numbers(tasks)).collect::<Vec<_>>(), expected);
    let task = bench.task(second[0]);
    assert!(queued[2].contains(&task));
    let unknown = DeviceNo(99);
    let asked = [devices[2], devices[0], unknown, devices[1]];
    assert_eq!(bench.read().queue_lengths(&asked).unwrap(), [0, 2, 0, 0]);
}

pub fn waiting_includes_tasks_between_retries(bench: &mut Bench) {
    let tasks = retrying(bench);
    let device = bench.task(tasks[0]).device;
    let (_, other) = bench.running(device_job(&[device]));
    assert_eq!(bench.fail(tasks[0]).state, State::RetryWait);
    assert_eq!(numbers(&bench.read().waiting(device).unwrap()), [tasks[0], other[0]]);
    assert_eq!(numbers(&bench.read().queued(&[device]).unwrap()[0]), [other[0]]);
    bench.publish(other[0]);
    assert_eq!(numbers(&bench.read().waiting(device).unwrap()), [tasks[0]]);
}

pub fn what_was_sent_to_a_device_is_listed_whatever_waits_behind_it(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1", "d2"]);
    let mut sent = Vec::new();
    for _ in 0..4 {
        let (_, tasks) = bench.running(device_job(&devices));
        sent.push(tasks[0]);
    }
    assert_eq!(bench.read().attempted(devices[0], 10).unwrap(), []);
    bench.publish(sent[0]);
    for task in [sent[2], sent[3]] {
        bench.fail(task);
    }
    for (limit, expected) in [(10, vec![sent[0], sent[3], sent[2]]), (2, vec![sent[0], sent[3]])] {
        let found = bench.read().attempted(devices[0], limit).unwrap();
        let found: Vec<TaskNo> = found.iter().map(|task| task.no).collect();
        assert_eq!(found, expected, "what is out comes first");
    }
    assert_eq!(bench.read().attempted(devices[1], 10).unwrap(), []);
}

pub fn tasks_wake_at_their_own_moments(bench: &mut Bench) {
    let tasks = retrying(bench);
    assert_eq!(
        bench.read().due_tasks(Timestamp(i64::MAX), 10).unwrap(),
        [],
        "a job has one timer"
    );
    let mut due = Vec::new();
    for task in [tasks[2], tasks[0], tasks[1]] {
        due.push(bench.fail(task).due.unwrap());
    }
    let read = bench.read();
    let at = |moment, limit| -> Vec<TaskNo> {
        read.due_tasks(moment, limit)
            .unwrap()
            .iter()
            .map(|task| task.no)
            .collect()
    };
    assert_eq!(at(due[0].plus_ms(-1), 10), []);
    assert_eq!(at(due[0], 10), [tasks[2]], "at the very moment");
    assert_eq!(at(due[2], 10), [tasks[2], tasks[0], tasks[1]], "earliest first");
    assert_eq!(at(due[2], 2), [tasks[2], tasks[0]]);
    bench.now = due[0];
    let queued = bench.step(tasks[2], Event::Due(&PRESENT));
    assert_eq!(queued.state, State::Queued);
    let read = bench.read();
    let found = read.due_tasks(due[2], 10).unwrap();
    assert_eq!(numbers(&found), [tasks[0], tasks[1]], "it has another moment now");
    let window_end = due[0].plus_ms(sample::retrying().ttl_ms);
    assert_eq!(read.due_tasks(window_end, 10).unwrap().last(), Some(&queued));
    bench.step(tasks[2], Event::Claimed);
    assert_eq!(
        numbers(&bench.read().due_tasks(Timestamp(i64::MAX), 10).unwrap()),
        [tasks[0], tasks[1]]
    );
}

pub fn the_next_moment_is_after_now(bench: &mut Bench) {
    let tasks = retrying(bench);
    assert_eq!(bench.read().next_due(Timestamp(0)).unwrap(), None);
    let first = bench.fail(tasks[0]).due.unwrap();
    let second = bench.fail(tasks[1]).due.unwrap();
    let next = |bench: &mut Bench, now| bench.read().next_due(now).unwrap();
    assert_eq!(next(bench, Timestamp(0)), Some(first));
    assert_eq!(next(bench, first), Some(second));
    assert_eq!(next(bench, second), None);
    bench.step(tasks[0], Event::Cancelled { withdrawn: false });
    assert_eq!(next(bench, Timestamp(0)), Some(second));
    for task in &tasks[1..] {
        bench.step(*task, Event::Cancelled { withdrawn: false });
    }
    let job = bench.read().jobs_of(&tasks[..1]).unwrap()[0].no;
    bench.done(Write::DeleteJob { job, by: sample::by() });
    assert_eq!(next(bench, Timestamp(0)), None);
}
