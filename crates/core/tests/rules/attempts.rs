//! Attempts: their numbers, PUBACKs, replies, and successes that come late.

use aldis_core::ids::{ATTEMPT_MAX, AttemptNo};
use aldis_core::task::{AttemptOutcome, Event, Refused, State, code};

use crate::course::{ABSENT, Course};
use crate::support::{PRESENT, REPLY_TIMEOUT_MS, TTL_MS, rules};

#[test]
fn only_the_puback_of_the_open_attempt_counts() {
    let acked = |attempt| Event::Acked {
        attempt: AttemptNo(attempt),
        handed: None,
    };
    let mut course = Course::published(rules(TTL_MS, 1));
    course.silent();
    assert_eq!(course.try_step(acked(1)), Err(Refused::WrongState), "it has ended");
    course.retry_due(&PRESENT);
    assert_eq!(
        course.try_step(acked(1)),
        Err(Refused::WrongState),
        "the next one is not out yet"
    );
    course.apply(Event::Claimed);
    assert_eq!(course.try_step(acked(1)), Err(Refused::NotThatAttempt));
    assert_eq!(course.try_step(acked(3)), Err(Refused::NotThatAttempt));
    course.apply(acked(2));
    assert_eq!(course.task.state, State::InProgress);
}

#[test]
fn the_session_is_told_until_when_an_attempt_may_leave() {
    let mut course = Course::queued(rules(TTL_MS, 0));
    course.wait(1_000);
    let publish = course.apply(Event::Claimed).publish.unwrap();
    assert_eq!(publish.attempt, AttemptNo(1));
    assert_eq!(
        publish.reply_deadline,
        course.now.plus_ms(REPLY_TIMEOUT_MS),
        "from the commit of the intent"
    );
    assert_eq!(
        publish.window_end,
        course.rules.release.plus_ms(TTL_MS),
        "from the planned moment"
    );
}

#[test]
fn an_attempt_that_never_left_uses_no_retry_and_its_number_is_not_used_again() {
    let mut course = Course::published(rules(TTL_MS, 1));
    let step = course.not_sent();
    assert_eq!(
        step.ended.iter().map(|ended| ended.how).collect::<Vec<_>>(),
        [AttemptOutcome::NotSent]
    );
    assert_eq!((course.task.state, course.task.retries.used), (State::Queued, 0));
    assert_eq!(course.task.result, None, "nothing has ended yet");
    course.apply(Event::Claimed);
    assert_eq!(course.task.attempt, AttemptNo(2));
}

#[test]
fn an_attempt_that_never_left_ends_well_if_a_success_is_known() {
    let mut course = Course::published(rules(TTL_MS, 1));
    course.silent();
    course.retry_due(&PRESENT);
    course.apply(Event::Claimed);
    course.replied(1, 200);
    course.not_sent();
    assert_eq!((course.task.state, course.code()), (State::Succeeded, Some(code::OK)));
}

#[test]
fn an_attempt_that_may_have_left_stays_out_until_its_reply_or_deadline() {
    let mut course = Course::published(rules(TTL_MS, 1));
    course.acked();
    let never_left = Event::NotSent(AttemptNo(1), &PRESENT);
    assert_eq!(
        course.try_step(never_left),
        Err(Refused::WrongState),
        "it was acknowledged"
    );
    for event in [
        Event::DeviceDisabled,
        Event::DeviceDeleted,
        Event::WindowEnded(&ABSENT),
        Event::Due(&ABSENT),
    ] {
        let mut course = Course::published(rules(TTL_MS, 1));
        course.wait(TTL_MS);
        assert_eq!(course.try_step(event), Err(Refused::WrongState), "{event:?}");
        course.silent();
        assert_eq!(course.task.state, State::RetryWait);
    }
}

#[test]
fn attempts_only_grow_and_end_with_the_last_number() {
    let mut course = Course::queued(rules(TTL_MS, 0));
    for number in 1..=ATTEMPT_MAX {
        let publish = course.apply(Event::Claimed).publish.unwrap();
        assert_eq!(
            (publish.attempt, course.task.attempt),
            (AttemptNo(number), AttemptNo(number))
        );
        if number < ATTEMPT_MAX {
            course.not_sent();
        }
    }
    let mut unsent = course.clone();
    unsent.not_sent();
    assert!(unsent.apply(Event::Claimed).publish.is_none());
    assert_eq!(
        (unsent.task.state, unsent.code()),
        (State::Failed, Some(code::NUMBERS_USED_UP))
    );

    course.replied(ATTEMPT_MAX, 500);
    assert_eq!(
        course.try_step(Event::RetryAsked(&PRESENT)),
        Err(Refused::NumbersUsedUp)
    );
}

#[test]
fn a_success_of_any_attempt_forbids_further_ones() {
    let mut resting = Course::published(rules(TTL_MS, 1));
    resting.silent();
    let mut waiting = resting.clone();
    waiting.retry_due(&PRESENT);
    for course in [&mut resting, &mut waiting] {
        course.replied(1, 200);
        assert_eq!((course.task.state, course.code()), (State::Succeeded, Some(code::OK)));
        assert_eq!(course.try_step(Event::Claimed), Err(Refused::WrongState));
        assert_eq!(course.try_step(Event::RetryAsked(&PRESENT)), Err(Refused::WrongState));
    }
}

#[test]
fn an_earlier_success_waits_for_the_newer_attempt_and_decides_if_that_fails() {
    let mut course = Course::published(rules(TTL_MS, 2));
    course.silent();
    course.retry_due(&PRESENT);
    course.apply(Event::Claimed);
    course.replied(1, 200);
    assert_eq!(course.task.state, State::Published, "the newer one is awaited");
    let recorded = course.task.late_success.clone();

    let (mut fails, mut falls_silent, mut succeeds) = (course.clone(), course.clone(), course);
    fails.replied(2, 500);
    assert_eq!((fails.task.state, &fails.task.result), (State::Succeeded, &recorded));
    falls_silent.silent();
    assert_eq!(
        (falls_silent.task.state, &falls_silent.task.result),
        (State::Succeeded, &recorded)
    );
    succeeds.replied(2, 0);
    assert_eq!(succeeds.task.state, State::Succeeded);
    assert_ne!(succeeds.task.result, recorded, "its own reply counts");
}

#[test]
fn a_late_error_uses_up_no_retry_and_moves_nothing() {
    let mut resting = Course::published(rules(TTL_MS, 2));
    resting.silent();
    let mut out = resting.clone();
    out.retry_due(&PRESENT);
    out.apply(Event::Claimed);
    for course in [&mut resting, &mut out] {
        let before = course.task.clone();
        course.wait(10);
        let step = course.replied(1, 500);
        assert_eq!(step.task, before);
        assert_eq!(
            step.ended.iter().map(|ended| ended.how).collect::<Vec<_>>(),
            [AttemptOutcome::Late]
        );
    }
}

#[test]
fn cancelling_a_running_task_is_declined_but_disarms_its_retries() {
    for fails in [true, false] {
        let mut course = Course::published(rules(TTL_MS, 3));
        course.acked();
        let step = course.apply(Event::Cancelled { withdrawn: false });
        assert_eq!(
            (step.declined, course.task.state),
            (Some(Refused::Running), State::InProgress)
        );
        if fails {
            course.replied(1, 500);
            assert_eq!(course.task.state, State::Failed);
        } else {
            course.silent();
            assert_eq!(course.task.state, State::ResponseTimedOut);
        }
    }
}
