//! Tasks: compared, kept, given back; and the slots of their attempts.

use std::sync::Arc;

use aldis_core::ids::{AttemptNo, DeviceNo, TaskNo};
use aldis_core::task::{
    AttemptOutcome, AttemptRecord, AttemptTimes, Event, Outcome, OutcomeNotes, Retries, State, Task,
};
use aldis_core::time::Timestamp;
use aldis_store::rows::Slot;
use aldis_store::{Done, JobTasks, StepWrite, TaskInfo, Write};

use super::bench::Bench;
use super::sample::{self, PRESENT, PRODUCT, device_job, reply};

fn outcome(code: i64) -> Outcome {
    Outcome {
        code,
        desc: format!("says {code}, 'quoted'"),
        output: Some("{\"a\": [1, null]}".to_owned()),
        sent: true,
        notes: OutcomeNotes::default(),
    }
}

fn times(moments: [Option<i64>; 4]) -> AttemptTimes {
    let [intent, handed, acked, ended] = moments.map(|moment| moment.map(Timestamp));
    AttemptTimes {
        intent,
        handed,
        acked,
        ended,
    }
}

/// Writes whatever row, as if a step had decided it.
fn write(bench: &mut Bench, task: &Task, ended: &[AttemptRecord]) {
    let before = bench.task(task.no);
    let job = bench.read().jobs_of(&[task.no]).unwrap().remove(0);
    let step = StepWrite {
        job: job.no,
        from: (before.state, before.attempt),
        task: task.clone(),
        wake_at: task.wake_at(&job.rules()),
        ended: ended.to_vec(),
    };
    assert_eq!(bench.one(Write::Steps(vec![step])), Done::Steps(vec![true]));
}

fn late(attempt: u16, at: i64, code: i64) -> AttemptRecord {
    AttemptRecord {
        attempt: AttemptNo(attempt),
        how: AttemptOutcome::Late,
        times: times([None, None, None, Some(at)]),
        outcome: outcome(code),
    }
}

pub fn every_part_of_a_task_comes_back(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1"]);
    let (_, tasks) = bench.running(device_job(&devices));
    let plain = bench.task(tasks[0]);
    let base = bench.now.0;
    let full = Task {
        state: State::InProgress,
        attempt: AttemptNo(4095),
        due: Some(Timestamp(base + 5)),
        retries: Retries {
            auto: 300,
            used: 10,
            manual: 400,
        },
        disarmed: true,
        mark: 65_535,
        times: times([
            Some(base + 10),
            Some(base + 11),
            Some(base + 9),
            Some(base + 90_000_000),
        ]),
        result: Some(outcome(-7)),
        late_success: Some(outcome(0)),
        updated: Timestamp(base + 12),
        ..plain.clone()
    };
    let unsent = Outcome {
        sent: false,
        output: None,
        desc: String::new(),
        code: i64::MAX,
        notes: OutcomeNotes {
            output_dropped: true,
            repeats_earlier: true,
        },
    };
    let variants = [
        full.clone(),
        Task {
            times: times([None, Some(base), None, None]),
            result: None,
            ..full.clone()
        },
        Task {
            times: times([Some(base), None, None, Some(base + 1)]),
            result: Some(unsent),
            late_success: None,
            disarmed: false,
            ..full
        },
        plain,
    ];
    for task in variants {
        for state in State::ALL {
            let task = Task { state, ..task.clone() };
            write(bench, &task, &[]);
            assert_eq!(bench.task(task.no), task);
        }
    }
}

pub fn a_step_needs_the_row_as_it_was_seen(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1"]);
    let (job, tasks) = bench.running(device_job(&devices));
    let good = bench.decide(tasks[0], Event::Claimed);
    let wrong_state = StepWrite {
        from: (State::Init, AttemptNo(0)),
        ..good.clone()
    };
    let wrong_attempt = StepWrite {
        from: (State::Queued, AttemptNo(1)),
        ..good.clone()
    };
    let wrong_job = StepWrite {
        job: aldis_core::ids::JobNo(99),
        ..good.clone()
    };
    let no_row = StepWrite {
        task: Task {
            no: TaskNo(99),
            ..good.task.clone()
        },
        ..good.clone()
    };
    let steps = vec![wrong_state, wrong_attempt, wrong_job, no_row, good.clone(), good];
    let expected = Done::Steps(vec![false, false, false, false, true, false]);
    assert_eq!(bench.one(Write::Steps(steps)), expected);
    assert_eq!(bench.job(job).counters.of(State::Published), 1);
}

pub fn a_lost_step_writes_nothing(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1"]);
    let (job, tasks) = bench.running(device_job(&devices));
    bench.publish(tasks[0]);
    let attempt = AttemptNo(1);
    let failed = bench.decide(
        tasks[0],
        Event::Replied {
            attempt,
            handed: None,
            reply: &reply(500),
        },
    );
    assert_eq!(failed.ended.len(), 1);
    bench.step(tasks[0], Event::Acked { attempt, handed: None });
    let (task, stored) = (bench.task(tasks[0]), bench.job(job));
    assert_eq!(bench.one(Write::Steps(vec![failed])), Done::Steps(vec![false]));
    assert_eq!(bench.task(tasks[0]), task);
    assert_eq!(bench.job(job), stored);
    assert_eq!(bench.read().history(tasks[0]).unwrap(), []);
}

pub fn steps_of_one_commit_see_each_other(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1"]);
    let (_, tasks) = bench.running(device_job(&devices));
    let publish = bench.decide(tasks[0], Event::Claimed);
    let acked = StepWrite {
        from: (State::Published, AttemptNo(1)),
        task: Task {
            state: State::InProgress,
            ..publish.task.clone()
        },
        ..publish.clone()
    };
    let done = bench.commit(&[Write::Steps(vec![publish, acked.clone()]), Write::Steps(vec![acked])]);
    assert_eq!(done, [Done::Steps(vec![true, true]), Done::Steps(vec![false])]);
    assert_eq!(bench.task(tasks[0]).state, State::InProgress);
}

pub fn a_late_reply_is_kept_once(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1", "d2"]);
    let (_, tasks) = bench.running(device_job(&devices));
    bench.fail(tasks[0]);
    bench.fail(tasks[1]);
    let task = bench.task(tasks[0]);
    write(bench, &task, &[late(1, 5_000, 1), late(1, 5_001, 2)]);
    write(bench, &task, &[late(1, 5_002, 3)]);
    write(bench, &task, &[late(2, 5_003, 4)]);
    let other = bench.task(tasks[1]);
    write(bench, &other, &[late(1, 5_004, 5)]);
    let history = bench.read().history(tasks[0]).unwrap();
    let kept: Vec<AttemptRecord> = history
        .into_iter()
        .filter(|row| row.how == AttemptOutcome::Late)
        .collect();
    assert_eq!(kept, [late(1, 5_000, 1), late(2, 5_003, 4)]);
    assert_eq!(bench.read().history(tasks[1]).unwrap().len(), 2);
}

pub fn history_is_ordered_by_attempt_and_time(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1"]);
    let (_, tasks) = bench.running(device_job(&devices));
    let task = bench.task(tasks[0]);
    let ended = |attempt, how, at| AttemptRecord {
        how,
        times: times([Some(at - 30), Some(at - 20), Some(at - 10), Some(at)]),
        ..late(attempt, at, 500)
    };
    let rows = [
        ended(3, AttemptOutcome::Cancelled, 9_000),
        late(1, 8_000, 0),
        ended(2, AttemptOutcome::NotSent, 3_000),
        ended(1, AttemptOutcome::TimedOut, 2_000),
    ];
    write(bench, &task, &rows[..2]);
    write(bench, &task, &rows[2..]);
    let [third, late, second, first] = rows;
    assert_eq!(bench.read().history(tasks[0]).unwrap(), [first, late, second, third]);
    assert_eq!(bench.read().history(TaskNo(99)).unwrap(), []);
}

pub fn rows_of_a_job_come_by_kind_and_in_slices(bench: &mut Bench) {
    let keys = ["d1", "d2", "d3", "d4", "d5", "d6", "d7", "d8"];
    let devices = bench.with_devices(&keys);
    let mut new = device_job(&devices);
    new.policy = sample::retrying();
    let job = bench.create(new);
    bench.create(device_job(&devices));
    bench.trigger(job);
    let tasks = bench.numbers(job);
    for task in &tasks[1..] {
        bench.queue(*task);
    }
    bench.publish(tasks[2]);
    bench.succeed(tasks[3]);
    bench.step(tasks[4], Event::Cancelled { withdrawn: false });
    bench.fail(tasks[5]);
    for (index, state) in [(6, State::Failed), (7, State::TtlTimedOut)] {
        let task = Task {
            state,
            due: Some(Timestamp(7)),
            ..bench.task(tasks[index])
        };
        write(bench, &task, &[]);
    }
    let numbers = |bench: &mut Bench, which| -> Vec<usize> {
        let rows = bench.rows(job, which);
        let place = |no| tasks.iter().position(|task| *task == no).unwrap();
        rows.iter().map(|task| place(task.no)).collect()
    };
    assert_eq!(numbers(bench, JobTasks::All), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(numbers(bench, JobTasks::Init), [0]);
    assert_eq!(numbers(bench, JobTasks::FirstRound), [1]);
    assert_eq!(numbers(bench, JobTasks::Unfinished), [0, 1, 2, 5]);
    assert_eq!(numbers(bench, JobTasks::Retryable), [6, 7]);
    let succeeded_late = Task {
        late_success: Some(outcome(0)),
        ..bench.task(tasks[6])
    };
    write(bench, &succeeded_late, &[]);
    assert_eq!(numbers(bench, JobTasks::Retryable), [7]);
    bench.step(tasks[7], Event::RetryAsked(&PRESENT));
    assert_eq!(numbers(bench, JobTasks::FirstRound), [1], "a retry has its own window");
    let stored = bench.job(job);
    let rows = bench
        .read()
        .job_tasks(&stored, JobTasks::Unfinished, Some(tasks[0]), 2)
        .unwrap();
    let slice: Vec<TaskNo> = rows.iter().map(|task| task.no).collect();
    assert_eq!(slice, [tasks[1], tasks[2]]);
}

pub fn a_task_shows_its_job_and_its_device(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1", "d2"]);
    let (job, tasks) = bench.running(device_job(&devices));
    bench.delete_device(devices[1]);
    let infos = bench.read().task_infos(&[tasks[1], TaskNo(99), tasks[0]]).unwrap();
    let expected = |bench: &mut Bench, index: usize, key: &str| TaskInfo {
        task: bench.task(tasks[index]),
        job: Arc::new(bench.job(job)),
        asset: sample::new_device(sample::ORG, PRODUCT, key).asset,
        product: PRODUCT.into(),
        device_key: key.into(),
    };
    let (first, second) = (expected(bench, 0, "d1"), expected(bench, 1, "d2"));
    assert_eq!(infos, [Some(second), None, Some(first)], "also of a deleted device");
}

pub fn tasks_of_a_deleted_job_are_gone(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1"]);
    let (job, tasks) = bench.running(device_job(&devices));
    bench.fail(tasks[0]);
    let stored = bench.job(job);
    let late = bench.decide(
        tasks[0],
        Event::Replied {
            attempt: AttemptNo(1),
            handed: None,
            reply: &reply(200),
        },
    );
    bench.done(Write::DeleteJob { job, by: sample::by() });
    assert_eq!(bench.one(Write::Steps(vec![late])), Done::Steps(vec![false]));
    assert_eq!(bench.read().tasks(&tasks).unwrap(), [None]);
    assert_eq!(bench.read().task_infos(&tasks).unwrap(), [None]);
    assert_eq!(bench.read().jobs_of(&tasks).unwrap(), []);
    assert_eq!(bench.read().history(tasks[0]).unwrap(), []);
    let rows = bench.read().job_tasks(&stored, JobTasks::All, None, 10).unwrap();
    assert_eq!(rows, []);
}

pub fn slots_hold_until_they_are_cleared(bench: &mut Bench) {
    let slot = |device, task, acked| Slot {
        device: DeviceNo(device),
        task: TaskNo(task),
        attempt: AttemptNo(3),
        reply_deadline: Timestamp(1_700_000_200_000),
        acked,
    };
    let hold = |slot: Slot| (slot.device, Some(slot));
    assert_eq!(bench.read().slots().unwrap(), []);
    bench.done(Write::Slots(vec![
        hold(slot(1, 10, false)),
        hold(slot(2, 20, false)),
        hold(slot(3, 30, true)),
    ]));
    bench.done(Write::Slots(vec![
        (DeviceNo(1), None),
        hold(slot(2, 21, true)),
        (DeviceNo(9), None),
    ]));
    let mut slots = bench.read().slots().unwrap();
    slots.sort_by_key(|slot| slot.device);
    assert_eq!(slots, [slot(2, 21, true), slot(3, 30, true)]);
}
