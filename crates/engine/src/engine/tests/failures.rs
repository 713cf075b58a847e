//! A store that fails: nothing is sent, nothing acknowledged, and what is in memory is read again.

use aldis_core::ids::AttemptNo;
use aldis_core::task::State;
use aldis_store::{Done, Store, Write};

use super::bench::Bench;
use super::sample::{AT_ONCE, REPLY_MS, WAITING, by, retrying};
use crate::engine::Wake;
use crate::link::{DeviceEvent, Kinds};
use crate::writer::{WriterError, WriterRequest};

/// A failure is followed by a pause.
const PAUSE_MS: i64 = 200;

#[test]
fn nothing_is_published_before_its_intent_is_durable() {
    let mut bench = Bench::new(1);
    let task = bench.task_for(bench.devices[0], WAITING);
    bench.enter(bench.devices[0]);
    bench.faults.lock().commits = 1;
    let wake = bench.turn();
    assert_eq!(wake, Wake::At(bench.now.plus_ms(PAUSE_MS)));
    assert_eq!(bench.deliver(), []);
    assert_eq!(bench.state(task), State::Queued);
    bench.pass(PAUSE_MS);
    let sent = bench.one_sent();
    assert_eq!((sent.task(), sent.attempt()), (task, AttemptNo(1)));
}

#[test]
fn an_intent_whose_commit_has_an_unknown_end_is_not_published() {
    let mut bench = Bench::new(1);
    let task = bench.task_for(bench.devices[0], retrying(1, 1_000));
    bench.enter(bench.devices[0]);
    bench.faults.lock().answers = 1;
    bench.turn();
    assert_eq!(bench.deliver(), []);
    assert_eq!(bench.state(task), State::Published, "it was stored after all");
    bench.pass(PAUSE_MS);
    let sent = bench.one_sent();
    assert_eq!(
        (sent.task(), sent.attempt()),
        (task, AttemptNo(2)),
        "the first certainly never left"
    );
    assert_eq!(bench.task(task).retries.auto, 0);
}

#[test]
fn a_reply_is_acknowledged_only_once_it_is_durable() {
    for lost_answer in [false, true] {
        let mut bench = Bench::online(1);
        let device = bench.devices[0];
        let task = bench.task_for(device, WAITING);
        let wire = bench.one_sent();
        let packet = bench.say(device, wire, 200);
        if lost_answer {
            bench.faults.lock().answers = 1;
        } else {
            bench.faults.lock().commits = 2;
        }
        bench.turn();
        assert!(bench.link.acknowledged().is_empty());
        bench.pass(3 * PAUSE_MS);
        assert_eq!(bench.link.acknowledged(), [packet]);
        assert_eq!(bench.state(task), State::Succeeded);
        assert_eq!(bench.slots().len(), 0);
    }
}

#[test]
fn callers_are_told_that_nothing_is_known() {
    for lost_answer in [false, true] {
        let mut bench = Bench::new(1);
        let new = Write::CreateJob(bench.new_job(&bench.devices.clone(), WAITING));
        let mut answered = bench.request(|answer| WriterRequest::Write {
            writes: vec![new],
            answer,
        });
        *bench.faults.lock() = aldis_test_support::Faults {
            commits: usize::from(!lost_answer),
            answers: usize::from(lost_answer),
            ..Default::default()
        };
        bench.turn();
        assert!(matches!(answered.try_recv().unwrap(), Err(WriterError::Unavailable)));
        bench.pass(PAUSE_MS);
        let jobs = bench.jobs();
        assert_eq!(jobs.len(), usize::from(lost_answer));
        if lost_answer {
            assert_eq!(
                bench.state(bench.last_task()),
                State::Queued,
                "a job that is stored is worked on"
            );
        }
    }
}

#[test]
fn a_cancelled_attempt_that_was_taken_back_is_not_forgotten_by_a_failing_commit() {
    for lost_answer in [false, true] {
        let mut bench = Bench::online(1);
        let task = bench.task_for(bench.devices[0], WAITING);
        let job = bench.job_of(task).no;
        let _answered = bench.request(|answer| WriterRequest::CancelTasks {
            job,
            tasks: vec![task],
            by: by(),
            answer,
        });
        bench.faults.lock().commits = usize::from(!lost_answer);
        bench.faults.lock().answers = usize::from(lost_answer);
        bench.turn();
        assert_eq!(bench.deliver(), [], "it was withdrawn");
        bench.pass(PAUSE_MS);
        let expected = if lost_answer { vec![] } else { vec![task] };
        assert_eq!(
            bench.tasks_sent(),
            expected,
            "a new attempt, unless the cancel was stored"
        );
    }
}

#[test]
fn an_attempt_taken_back_in_a_turn_that_could_not_read_on_is_sent_again() {
    for reads in 0..20 {
        let mut bench = Bench::online(2);
        let device = bench.devices[0];
        let task = bench.task_for(device, AT_ONCE);
        let job = bench.job_of(task).no;
        let _answered = bench.request(|answer| WriterRequest::CancelTasks {
            job,
            tasks: vec![task],
            by: by(),
            answer,
        });
        let other = bench.new_job(&bench.devices[1..], WAITING);
        let _created = bench.request(|answer| WriterRequest::Write {
            writes: vec![Write::CreateJob(other)],
            answer,
        });
        let _deleted = bench.request(|answer| WriterRequest::DeleteDevice {
            device: bench_device(1),
            by: by(),
            answer,
        });
        bench.faults.lock().reads_after = Some(reads);
        bench.turn();
        bench.faults.lock().reads_after = None;
        bench.pass(PAUSE_MS);
        bench.deliver();
        bench.pass(REPLY_MS);
        let (state, desc) = (bench.state(task), bench.result(task).1);
        let never_left = bench.task(task).times.handed.is_none();
        assert!(
            !(state == State::ResponseTimedOut && never_left),
            "{reads} reads: {desc}"
        );
    }
}

fn bench_device(index: u64) -> aldis_core::ids::DeviceNo {
    aldis_core::ids::DeviceNo(index + 1)
}

#[test]
fn a_link_that_was_to_be_reset_in_a_failing_turn_is_reset_in_the_next() {
    let mut bench = Bench::online(1);
    let device = bench.devices[0];
    let session = bench.last_session();
    bench.task_for(device, AT_ONCE);
    bench.one_sent();
    bench.now = bench.now.plus_ms(REPLY_MS);
    bench.faults.lock().commits = 1;
    bench.turn();
    assert_eq!(bench.link.resets(), []);
    bench.pass(PAUSE_MS);
    assert_eq!(bench.link.resets(), [session]);
}

#[test]
fn a_device_that_was_to_be_disabled_in_a_failing_turn_goes_on() {
    let mut bench = Bench::online(1);
    let device = bench.devices[0];
    let mut answered = bench.request(|answer| WriterRequest::DisableDevice {
        device,
        disabled: true,
        by: by(),
        answer,
    });
    bench.faults.lock().commits = 1;
    bench.turn();
    assert!(answered.try_recv().unwrap().is_err());
    bench.pass(PAUSE_MS);
    let task = bench.task_for(device, AT_ONCE);
    assert_eq!(
        bench.tasks_sent(),
        [task],
        "it is not disabled, and its session takes commands"
    );
}

#[test]
fn a_departure_in_a_failing_turn_is_recorded_by_the_next() {
    let mut bench = Bench::online(1);
    let device = bench.devices[0];
    bench.pass(1_000);
    bench.leave(device, bench.last_session());
    bench.faults.lock().commits = 1;
    bench.turn();
    bench.pass(PAUSE_MS);
    assert!(bench.device(device).last_offline.is_some());
}

#[test]
fn an_arrival_in_a_failing_turn_gets_what_waits() {
    let mut bench = Bench::new(1);
    let device = bench.devices[0];
    let task = bench.task_for(device, WAITING);
    let session = bench.connect(device);
    bench.faults.lock().commits = 1;
    bench.turn();
    bench.notify(DeviceEvent::Ready {
        session,
        device,
        kinds: Kinds::ALL,
    });
    bench.pass(PAUSE_MS);
    assert_eq!(bench.tasks_sent(), [task]);
    assert!(bench.device(device).activated.is_some());
}

#[test]
fn a_retry_of_a_whole_job_that_fails_half_way_skips_nothing_when_it_is_asked_again() {
    let mut bench = Bench::new(10_500);
    let job = bench.create(bench.new_product_job(AT_ONCE));
    bench.settle();
    let mut answered = bench.request(|answer| WriterRequest::Retry {
        job,
        tasks: None,
        by: by(),
        idempotency: None,
        answer,
    });
    bench.faults.lock().commits = 1;
    bench.pass(PAUSE_MS * 2);
    assert!(
        matches!(answered.try_recv(), Ok(Err(WriterError::Unavailable)) | Err(_)),
        "no answer says that all were retried"
    );
    assert_eq!(bench.retry_job(job).eligible, 10_500);
    assert!(bench.tasks_of(job).iter().all(|task| task.retries.manual == 1));
}

#[test]
fn memory_does_not_grow_while_the_store_fails() {
    let mut bench = Bench::online(50);
    let devices = bench.devices.clone();
    bench.tasks_for(&devices, WAITING);
    let wires = bench.sent();
    for _ in 0..2 {
        bench.tasks_for(&devices, WAITING);
    }
    for wire in wires {
        let device = bench.device_of(wire);
        bench.say(device, wire, 200);
    }
    bench.faults.lock().commits = 30;
    bench.turn();
    let kept = bench.kept();
    for _ in 0..29 {
        bench.now = bench.now.plus_ms(PAUSE_MS);
        bench.turn();
    }
    assert!(
        bench.kept() <= kept,
        "{} events are kept, {kept} were after the first failure",
        bench.kept()
    );
    bench.pass(PAUSE_MS);
    assert_eq!(bench.sent().len(), 50);
}

#[test]
fn devices_feel_that_the_store_fails() {
    let mut bench = Bench::online(1);
    let device = bench.devices[0];
    bench.task_for(device, WAITING);
    let wire = bench.one_sent();
    bench.say(device, wire, 200);
    bench.faults.lock().commits = 3;
    bench.turn();
    for _ in 0..2 {
        bench.notify(DeviceEvent::Acked { device, wire });
        bench.now = bench.now.plus_ms(PAUSE_MS);
        bench.turn();
        assert!(
            !bench.inbox.is_empty(),
            "the inbox fills, and its bound reaches the devices"
        );
    }
    bench.pass(PAUSE_MS);
    assert!(
        bench.inbox.is_empty(),
        "the store is well again and everything has been read"
    );
}

#[test]
fn a_step_that_lost_its_race_sends_nothing() {
    let mut bench = Bench::new(1);
    let device = bench.devices[0];
    let task = bench.task_for(device, WAITING);
    bench.faults.lock().meddling = Some(Box::new(move |store, _| {
        super::stored::settle_as(store, task, State::Cancelled)
    }));
    bench.enter(device);
    bench.turn();
    assert_eq!(bench.deliver(), [], "another node was faster");
    bench.settle();
    assert_eq!(bench.state(task), State::Cancelled);
    assert_eq!(
        bench.slots().len(),
        0,
        "the slot of an attempt that was never made is free"
    );
    let next = bench.task_for(device, AT_ONCE);
    assert_eq!(bench.tasks_sent(), [next]);
}

#[test]
fn a_step_lost_to_a_deletion_does_not_stop_the_engine() {
    let mut bench = Bench::online(1);
    let device = bench.devices[0];
    let task = bench.task_for(device, AT_ONCE);
    let job = bench.job_of(task).no;
    let wire = bench.one_sent();
    bench.say(device, wire, 200);
    let delete = move |store: &mut aldis_store_memory::MemoryStore, _: &[Write]| {
        super::stored::settle_as(store, task, State::Failed);
        let done = Store::commit(
            store,
            store.epoch(),
            super::sample::BEGIN,
            &[Write::DeleteJob { job, by: by() }],
        );
        assert_eq!(done.unwrap().done, [Done::Yes]);
    };
    bench.faults.lock().meddling = Some(Box::new(delete));
    bench.settle();
    let next = bench.task_for(device, AT_ONCE);
    assert_eq!(bench.tasks_sent(), [next]);
}

#[test]
fn a_writer_that_was_replaced_sends_nothing_and_ends() {
    let mut bench = Bench::new(1);
    let task = bench.task_for(bench.devices[0], WAITING);
    bench.enter(bench.devices[0]);
    bench.store.begin_epoch().unwrap();
    bench.turn();
    assert_eq!(bench.deliver(), []);
    assert_eq!(bench.state(task), State::Queued);
    assert!(bench.engine.is_lost());
}

#[test]
fn health_says_store_failing_until_a_commit_succeeds() {
    let mut bench = Bench::new(1);
    let nothing = || vec![Write::Activity(Vec::new())];
    bench.faults.lock().commits = 1;
    let _failed = bench.request(|answer| WriterRequest::Write {
        writes: nothing(),
        answer,
    });
    bench.turn();
    assert_eq!(bench.shared.health.reasons(), ["store failing"]);
    bench.pass(2 * PAUSE_MS);
    assert_eq!(
        bench.shared.health.reasons(),
        ["store failing"],
        "turns without a commit prove nothing"
    );
    let _stored = bench.request(|answer| WriterRequest::Write {
        writes: nothing(),
        answer,
    });
    bench.settle();
    assert!(bench.shared.health.reasons().is_empty());
}
