//! Rounds, windows and retries.

use aldis_core::ids::{AttemptNo, TaskNo};
use aldis_core::task::{Condition, Event, Presence, Refused, State, code};

use crate::course::{ABSENT, Course};
use crate::support::{PRESENT, REPLY_TIMEOUT_MS, RETRY_INTERVAL_MS, TTL_MS, rules};

#[test]
fn without_ttl_a_command_waits_for_its_turn() {
    let busy = Condition {
        busy_with: Some(TaskNo(1)),
        ..PRESENT
    };
    let returning = Condition {
        presence: Presence::Returning,
        ..PRESENT
    };
    for (condition, code_at_the_end) in [
        (PRESENT, code::NOT_SENT_IN_TIME),
        (busy, code::NOT_SENT_IN_TIME),
        (returning, code::NOT_SENT_IN_TIME),
        (ABSENT, code::OFFLINE),
    ] {
        let mut course = Course::new(rules(0, 0));
        course.apply(Event::Due(if condition == ABSENT { &PRESENT } else { &condition }));
        assert_eq!(course.task.state, State::Queued);
        course.wait(REPLY_TIMEOUT_MS - 1);
        assert_eq!(course.try_step(Event::WindowEnded(&condition)), Err(Refused::TooEarly));
        course.wait(1);
        course.window_ended(&condition);
        assert_eq!(
            (course.task.state, course.code()),
            (State::Failed, Some(code_at_the_end))
        );
    }
}

#[test]
fn a_dropped_link_moves_nothing_that_waits_for_its_turn() {
    let mut course = Course::queued(rules(0, 0));
    course.wait(REPLY_TIMEOUT_MS - 1);
    // The device is away now; there is no event that says so, and asking for one is too early.
    assert_eq!(course.try_step(Event::WindowEnded(&ABSENT)), Err(Refused::TooEarly));
    // It is back.
    assert!(course.apply(Event::Claimed).publish.is_some());
}

#[test]
fn a_link_lost_before_the_last_look_moves_nothing_either() {
    let mut course = Course::published(rules(0, 0));
    course.apply(Event::NotSent(AttemptNo(1), &ABSENT));
    assert_eq!(course.task.state, State::Queued);
}

#[test]
fn at_the_end_of_its_window_a_command_is_never_sent() {
    for ttl_ms in [0, TTL_MS] {
        let mut course = Course::queued(rules(ttl_ms, 0));
        let end = course.task.window_end(&course.rules);
        course.now = end.plus_ms(-1);
        assert!(course.try_step(Event::Claimed).is_ok());
        for late in [0, 1, 1_000_000] {
            course.now = end.plus_ms(late);
            assert_eq!(course.try_step(Event::Claimed), Err(Refused::WindowOver));
        }
        course.now = end;
        assert!(course.apply(Event::WindowEnded(&PRESENT)).task.state.is_final());
    }
}

#[test]
fn a_round_that_becomes_due_after_its_window_is_not_queued() {
    let mut course = Course::new(rules(TTL_MS, 0));
    course.wait(TTL_MS);
    course.apply(Event::Due(&PRESENT));
    assert_eq!(
        (course.task.state, course.code()),
        (State::TtlTimedOut, Some(code::NOT_SENT_IN_TIME))
    );
}

#[test]
fn an_attempt_that_comes_back_unsent_after_its_window_is_not_queued_again() {
    let mut course = Course::published(rules(TTL_MS, 3));
    course.wait(TTL_MS);
    course.not_sent();
    assert_eq!(course.task.state, State::TtlTimedOut);
}

#[test]
fn a_retry_is_used_up_when_it_becomes_due_sent_or_not() {
    let mut course = Course::published(rules(0, 3));
    course.replied(1, 500);
    assert_eq!(
        (course.task.state, course.task.retries.auto),
        (State::RetryWait, 0),
        "not yet due"
    );
    course.retry_due(&ABSENT);
    assert_eq!(
        (course.task.state, course.task.retries.auto),
        (State::RetryWait, 1),
        "due, not sent"
    );
    course.retry_due(&PRESENT);
    assert_eq!((course.task.state, course.task.retries.auto), (State::Queued, 2), "due");
    course.apply(Event::Claimed);
    assert_eq!(course.task.retries.auto, 2, "sending uses up nothing more");
    course.silent();
    course.retry_due(&ABSENT);
    assert_eq!(
        (course.task.state, course.task.retries.auto),
        (State::Failed, 3),
        "the last one"
    );
    assert_eq!(course.task.attempt, AttemptNo(2));
}

#[test]
fn a_task_known_to_have_succeeded_late_says_so_until_it_is_retried_by_name() {
    let mut course = Course::published(rules(TTL_MS, 0));
    course.silent();
    assert_eq!(course.task.late_success, None);
    course.replied(1, 500);
    assert_eq!(course.task.late_success, None, "a failure is no success");
    course.replied(1, 200);
    assert_eq!(course.task.state, State::ResponseTimedOut, "the state stays");
    assert!(course.task.late_success.is_some(), "retryTask for all passes it over");
    course.apply(Event::RetryAsked(&PRESENT));
    assert_eq!(course.task.late_success, None, "asked for by name it is sent again");
    assert!(course.apply(Event::Claimed).publish.is_some());
}

#[test]
fn a_task_in_its_retry_interval_blocks_nobody() {
    let mut course = Course::published(rules(TTL_MS, 1));
    course.wait(5);
    course.replied(1, 500);
    assert_eq!(course.task.state, State::RetryWait, "so it is in no queue");
    assert_eq!(course.try_step(Event::Claimed), Err(Refused::WrongState));
    let ended = course.now;
    assert_eq!(
        course.task.due_at(&course.rules),
        ended.plus_ms(RETRY_INTERVAL_MS),
        "its place is at the tail"
    );
    course.wait(RETRY_INTERVAL_MS - 1);
    assert_eq!(course.try_step(Event::Due(&PRESENT)), Err(Refused::TooEarly));
    course.wait(1);
    course.apply(Event::Due(&PRESENT));
    assert_eq!(course.task.state, State::Queued);
}

#[test]
fn an_attempt_that_was_not_sent_keeps_its_place_in_the_queue() {
    let mut first_round = Course::published(rules(TTL_MS, 1));
    let mut retry = Course::published(rules(TTL_MS, 1));
    retry.replied(1, 500);
    retry.retry_due(&PRESENT);
    retry.apply(Event::Claimed);
    for course in [&mut first_round, &mut retry] {
        let place = course.task.due_at(&course.rules);
        let window_end = course.task.window_end(&course.rules);
        course.wait(1_000);
        course.not_sent();
        assert_eq!(course.task.state, State::Queued);
        assert_eq!(course.task.due_at(&course.rules), place);
        assert_eq!(course.task.window_end(&course.rules), window_end, "and no fresh window");
    }
}
