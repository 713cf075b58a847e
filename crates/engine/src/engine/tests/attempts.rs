//! What becomes of an attempt: it leaves or is taken back, is answered in time, late, twice, by another device or
//! never.

use aldis_core::ids::{AttemptNo, WireId};
use aldis_core::task::{AttemptOutcome, Reply, State, code};

use super::bench::Bench;
use super::sample::{AT_ONCE, REPLY_MS, TTL_MS, WAITING, by, retrying};
use crate::link::{AnswerTo, DeviceEvent, SessionNo};
use crate::writer::WriterRequest;

/// An attempt is ordered and has not left.
fn ordered() -> (Bench, aldis_core::ids::TaskNo) {
    let mut bench = Bench::online(1);
    let task = bench.task_for(bench.devices[0], retrying(1, 1_000));
    (bench, task)
}

#[test]
fn a_cancelled_task_is_withdrawn_at_the_last_look() {
    let (mut bench, task) = ordered();
    bench.cancel(task);
    assert_eq!(bench.deliver(), []);
    assert_eq!(
        bench.result(task),
        (code::CANCELLED, "withdrawn before sending".to_owned())
    );
    assert_eq!(bench.slots().len(), 0);
}

#[test]
fn a_cancelled_job_is_withdrawn_at_the_last_look() {
    let (mut bench, task) = ordered();
    let job = bench.job_of(task).no;
    let answered = bench.request(|answer| WriterRequest::CancelJob { job, by: by(), answer });
    bench.turn();
    assert_eq!(bench.deliver(), [], "taken back in the mark's own commit");
    let whole = answered.blocking_recv().unwrap().unwrap();
    assert_eq!((whole.eligible, whole.first), (1, vec![task]));
    assert_eq!(bench.state(task), State::Cancelled);
}

#[test]
fn a_success_recorded_meanwhile_withdraws_at_the_last_look() {
    let (mut bench, task) = ordered();
    let device = bench.devices[0];
    let first = bench.deliver()[0];
    bench.pass(REPLY_MS);
    bench.enter(device);
    bench.pass(1_000);
    bench.say(device, first, 200);
    bench.settle();
    assert_eq!(bench.deliver(), [], "the second attempt is spared");
    assert_eq!(bench.state(task), State::Succeeded);
    assert_eq!(bench.slots().len(), 0);
}

#[test]
fn nothing_leaves_after_the_window() {
    let mut bench = Bench::online(1);
    let task = bench.task_for(bench.devices[0], super::sample::within(5_000));
    bench.now = bench.now.plus_ms(5_000);
    assert_eq!(bench.deliver(), [], "the session looks at the clock");
    bench.pass(REPLY_MS);
    assert_eq!(bench.state(task), State::TtlTimedOut);
}

#[test]
fn nothing_leaves_after_the_reply_deadline() {
    let mut bench = Bench::online(1);
    bench.task_for(bench.devices[0], WAITING);
    bench.now = bench.now.plus_ms(REPLY_MS);
    assert_eq!(bench.deliver(), []);
}

#[test]
fn only_the_session_that_was_meant_gets_an_attempt() {
    let mut bench = Bench::online(1);
    bench.task_for(bench.devices[0], WAITING);
    let first = bench.last_session();
    bench.enter(bench.devices[0]);
    bench.settle();
    let ordered: Vec<SessionNo> = bench
        .link
        .attempts()
        .into_iter()
        .map(|outgoing| outgoing.session)
        .collect();
    assert_eq!(
        ordered,
        [first],
        "the second login gets it only once it is certain that the first did not"
    );
}

#[test]
fn an_attempt_that_never_left_uses_no_retry() {
    let (mut bench, task) = ordered();
    for _ in 0..3 {
        bench.lose();
    }
    let wire = bench.one_sent();
    assert_eq!(wire.attempt(), AttemptNo(4), "a new number each time");
    assert_eq!(bench.task(task).retries, aldis_core::task::Retries::default());
    assert!(
        bench
            .history(task)
            .iter()
            .all(|ended| ended.how == AttemptOutcome::NotSent)
    );
}

#[test]
fn an_attempt_that_may_have_left_is_awaited() {
    let (mut bench, task) = ordered();
    bench.deliver();
    let session = bench.last_session();
    bench.leave(bench.devices[0], session);
    bench.pass(REPLY_MS - 1);
    assert_eq!(bench.state(task), State::Published);
    bench.pass(1);
    assert_eq!(bench.state(task), State::RetryWait);
    let (code, desc) = bench.result(task);
    assert_eq!(code, code::NO_REPLY);
    assert!(desc.starts_with("unacknowledged, link lost at"), "{desc}");
}

#[test]
fn reply_that_mentions_the_id_of_the_command_that_is_out_ends_it() {
    for (device, attempt, code, expected) in [
        (0, 0, Some(200), State::Succeeded),
        (0, 0, None, State::Failed),
        (0, 1, Some(200), State::Published),
        (1, 0, Some(200), State::Published),
    ] {
        let mut bench = Bench::online(2);
        let task = bench.task_for(bench.devices[0], WAITING);
        let wire = bench.one_sent();
        let device = bench.devices[device];
        bench.notify(DeviceEvent::Replied {
            session: bench.session_of(device),
            device,
            wire: None,
            mentioned: Some(WireId::new(task, AttemptNo(wire.attempt().0 + attempt))),
            to: AnswerTo::Service("spin".to_owned()),
            reply: Reply {
                code,
                message: None,
                output: None,
            },
            packet: None,
        });
        bench.settle();
        assert_eq!(bench.state(task), expected, "{code:?}");
    }
}

#[test]
fn reply_without_a_readable_id_on_the_topic_of_the_command_that_is_out_is_told_of_at_its_deadline() {
    for (service, expected) in [
        ("spin", "a reply came whose id could not be read"),
        ("another", "acknowledged but silent"),
    ] {
        let mut bench = Bench::online(1);
        let device = bench.devices[0];
        let task = bench.task_for(device, AT_ONCE);
        let wire = bench.one_sent();
        bench.ack(wire);
        bench.notify(DeviceEvent::Replied {
            session: bench.last_session(),
            device,
            wire: None,
            mentioned: None,
            to: AnswerTo::Service(service.to_owned()),
            reply: Reply {
                code: Some(200),
                message: None,
                output: None,
            },
            packet: None,
        });
        bench.settle();
        assert_eq!(bench.state(task), State::InProgress);
        bench.pass(REPLY_MS);
        assert_eq!(bench.result(task), (code::NO_REPLY, expected.to_owned()));
    }
}

#[test]
fn a_success_of_an_earlier_attempt_ends_a_waiting_task() {
    let (mut bench, task) = ordered();
    let device = bench.devices[0];
    let first = bench.deliver()[0];
    bench.pass(REPLY_MS);
    assert_eq!(bench.state(task), State::RetryWait);
    bench.say(device, first, 0);
    bench.pass(10_000);
    assert_eq!(bench.state(task), State::Succeeded);
    assert_eq!(bench.sent(), []);
}

#[test]
fn a_success_of_an_earlier_attempt_wins_over_the_failure_of_the_newer_one() {
    let (mut bench, task) = ordered();
    let device = bench.devices[0];
    let first = bench.deliver()[0];
    bench.pass(REPLY_MS);
    bench.enter(device);
    bench.pass(1_000);
    let second = bench.one_sent();
    bench.reply(first, 200);
    assert_eq!(bench.state(task), State::Published, "the newer one is awaited");
    bench.reply(second, 500);
    assert_eq!(bench.state(task), State::Succeeded);
}

#[test]
fn an_attempt_that_never_left_succeeds_if_a_success_is_recorded() {
    let (mut bench, task) = ordered();
    let device = bench.devices[0];
    let first = bench.deliver()[0];
    bench.pass(REPLY_MS);
    bench.enter(device);
    bench.pass(1_000);
    let second = bench.link.attempts().remove(0);
    assert!(second.gate.withdraw(), "the session has lost its link");
    bench.say(device, first, 200);
    bench.notify(DeviceEvent::NotSent {
        device,
        wire: second.wire,
    });
    bench.settle();
    assert_eq!(bench.state(task), State::Succeeded);
}

#[test]
fn a_late_error_changes_nothing_and_is_kept_once() {
    let (mut bench, task) = ordered();
    let device = bench.devices[0];
    let first = bench.deliver()[0];
    bench.pass(REPLY_MS);
    let before = bench.task(task);
    let packets = [bench.say(device, first, 500), bench.say(device, first, 501)];
    bench.settle();
    assert_eq!(bench.task(task), before, "no retry is used up");
    assert_eq!(bench.link.acknowledged(), packets);
    let late: Vec<i64> = bench
        .history(task)
        .iter()
        .filter(|row| row.how == AttemptOutcome::Late)
        .map(|row| row.outcome.code)
        .collect();
    assert_eq!(late, [500]);
}

#[test]
fn a_doubled_reply_counts_once() {
    let (mut bench, task) = ordered();
    let device = bench.devices[0];
    let wire = bench.deliver()[0];
    let packets = [bench.say(device, wire, 200), bench.say(device, wire, 200)];
    bench.settle();
    assert_eq!(bench.link.acknowledged(), packets);
    assert_eq!(bench.state(task), State::Succeeded);
}

#[test]
fn a_link_without_puback_is_reset_at_the_reply_deadline() {
    let mut bench = Bench::online(1);
    let device = bench.devices[0];
    let task = bench.task_for(device, AT_ONCE);
    bench.one_sent();
    bench.task_for(device, WAITING);
    let session = bench.last_session();
    bench.pass(REPLY_MS);
    assert_eq!(bench.state(task), State::ResponseTimedOut);
    assert_eq!(bench.link.resets(), [session]);
    assert_eq!(bench.sent(), [], "nothing goes to that link any more");
    bench.enter(device);
    assert_eq!(bench.sent().len(), 1);
}

#[test]
fn a_link_without_acknowledgements_is_reset_only_if_the_socket_still_has_the_command() {
    let mut bench = Bench::online(1);
    let device = bench.devices[0];
    bench.task_for(device, WAITING);
    bench.settle();
    let orders = bench.link.attempts();
    assert!(orders[0].gate.take());
    orders[0].gate.expect_no_puback();
    let next = bench.task_for(device, WAITING);
    orders[0].gate.handed_over(bench.now);
    bench.pass(REPLY_MS);
    assert_eq!(bench.link.resets(), []);
    let orders = bench.link.attempts();
    assert_eq!(orders[0].wire.task(), next);
    assert!(orders[0].gate.take());
    orders[0].gate.expect_no_puback();
    let session = bench.last_session();
    bench.pass(REPLY_MS);
    assert_eq!(bench.link.resets(), [session], "bytes may be stuck");
}

#[test]
fn a_link_whose_device_acknowledged_is_not_reset() {
    let mut bench = Bench::online(1);
    bench.task_for(bench.devices[0], WAITING);
    let wire = bench.one_sent();
    bench.ack(wire);
    let next = bench.task_for(bench.devices[0], WAITING);
    bench.pass(REPLY_MS);
    assert_eq!(bench.link.resets(), []);
    assert_eq!(bench.tasks_sent(), [next]);
}

#[test]
fn a_link_whose_device_acknowledged_a_cancelled_attempt_is_not_reset() {
    let mut bench = Bench::online(1);
    let task = bench.task_for(bench.devices[0], WAITING);
    let wire = bench.one_sent();
    bench.cancel(task);
    bench.ack(wire);
    bench.pass(REPLY_MS);
    assert_eq!(bench.link.resets(), [], "the device took every byte");
}

#[test]
fn replies_that_match_no_attempt_really_sent_to_that_device_are_dropped() {
    let mut bench = Bench::online(2);
    let [device, other] = [bench.devices[0], bench.devices[1]];
    let task = bench.task_for(device, WAITING);
    let wire = bench.one_sent();
    let unsent = WireId::new(task, AttemptNo(2));
    let foreign = [bench.say(other, wire, 200), bench.say(device, unsent, 200)];
    let reply = aldis_core::task::Reply {
        code: Some(200),
        message: None,
        output: None,
    };
    let wrong_topic = DeviceEvent::Replied {
        session: bench.last_session(),
        device,
        wire: Some(wire),
        mentioned: None,
        to: AnswerTo::Points,
        reply,
        packet: None,
    };
    bench.notify(wrong_topic);
    bench.settle();
    assert_eq!(bench.link.acknowledged(), foreign);
    assert_eq!(bench.state(task), State::Published);
    assert_eq!(bench.slots().len(), 1);
}

#[test]
fn a_reply_to_an_attempt_that_has_not_left_is_forged() {
    let (mut bench, task) = ordered();
    let wire = aldis_core::ids::WireId::new(task, AttemptNo(1));
    bench.reply(wire, 200);
    assert_eq!(bench.state(task), State::Published);
    assert_eq!(bench.deliver(), [wire]);
}

#[test]
fn attempt_numbers_end_at_4095() {
    let mut bench = Bench::new(1);
    let device = bench.devices[0];
    let task = bench.task_for(device, super::sample::within(TTL_MS));
    bench.meddle_task(task, |task| task.attempt = AttemptNo(4_094));
    bench.restart();
    bench.enter(device);
    let last = bench.one_sent();
    assert_eq!(last.attempt(), AttemptNo(4_095));
    bench.meddle_task(task, |task| task.state = State::Queued);
    bench.restart();
    bench.enter(device);
    bench.pass(REPLY_MS);
    assert_eq!(bench.sent(), []);
    assert_eq!(
        (bench.state(task), bench.code(task)),
        (State::Failed, code::NUMBERS_USED_UP)
    );
}
