//! Details of the rules: which reason comes first, what a result says, how retries are planned.

use aldis_core::ids::{AttemptNo, DeviceNo, TaskNo};
use aldis_core::policy::{Retry, Rules};
use aldis_core::task::{
    AttemptOutcome, Condition, Event, Hold, Link, OUTPUT_MAX_BYTES, OutcomeNotes, Presence, QUEUE_MAX, Refused, Reply,
    State, Task, Visits, code,
};
use aldis_core::time::Timestamp;

use crate::course::{ABSENT, Course};
use crate::support::{PRESENT, RELEASE, TTL_MS, reply, rules};

const FULL: Condition = Condition {
    queued: QUEUE_MAX,
    ..PRESENT
};

fn desc(course: &Course) -> &str {
    course.task.result.as_ref().map_or("", |result| &result.desc)
}

#[test]
fn an_absent_device_is_told_apart_from_a_full_queue_by_trigger_and_retry_alike() {
    let condition = Condition {
        queued: QUEUE_MAX,
        ..ABSENT
    };
    let mut course = Course::new(rules(0, 0));
    course.apply(Event::Due(&condition));
    assert_eq!((course.task.state, course.code()), (State::Failed, Some(code::OFFLINE)));
    course.apply(Event::RetryAsked(&condition));
    assert_eq!((course.task.state, course.code()), (State::Failed, Some(code::OFFLINE)));
    assert_eq!(course.task.retries.manual, 1);
}

#[test]
fn a_retry_by_hand_leaves_the_task_as_it_is_if_the_queue_is_full() {
    let mut course = Course::published(rules(0, 0));
    course.replied(1, 500);
    assert_eq!(course.try_step(Event::RetryAsked(&FULL)), Err(Refused::QueueFull));
}

#[test]
fn the_fiftieth_command_waits_and_the_next_does_not() {
    let condition = Condition {
        queued: QUEUE_MAX - 1,
        ..PRESENT
    };
    let mut course = Course::new(rules(TTL_MS, 0));
    let mut next = course.clone();
    course.apply(Event::Due(&condition));
    assert_eq!(course.task.state, State::Queued);
    next.apply(Event::Due(&FULL));
    assert_eq!((next.task.state, next.code()), (State::Failed, Some(code::QUEUE_FULL)));
}

#[test]
fn a_device_that_was_never_activated_counts_as_absent_with_a_code_of_its_own() {
    let never = Condition {
        activated: false,
        ..ABSENT
    };
    let mut course = Course::new(rules(0, 1));
    course.apply(Event::Due(&never));
    assert_eq!(
        (course.task.state, course.code()),
        (State::RetryWait, Some(code::NOT_ACTIVE)),
        "it may yet come"
    );
    let mut waiting = Course::new(rules(TTL_MS, 1));
    waiting.apply(Event::Due(&never));
    assert_eq!(waiting.task.state, State::Queued);
}

#[test]
fn time_does_not_heal_a_disabled_or_deleted_device() {
    let disabled = Condition {
        disabled: true,
        ..PRESENT
    };
    let deleted = Condition {
        deleted: true,
        ..PRESENT
    };
    for (condition, expected) in [(disabled, code::NOT_ACTIVE), (deleted, code::DEVICE_GONE)] {
        let mut course = Course::new(rules(TTL_MS, 3));
        course.apply(Event::Due(&condition));
        assert_eq!((course.task.state, course.code()), (State::Failed, Some(expected)));
    }
    let mut course = Course::published(rules(TTL_MS, 3));
    course.replied(1, 500);
    course.apply(Event::DeviceDeleted);
    assert_eq!(
        (course.task.state, course.code()),
        (State::Failed, Some(code::DEVICE_GONE))
    );
    assert_eq!(course.try_step(Event::RetryAsked(&deleted)), Err(Refused::DeviceGone));
}

#[test]
fn a_window_that_ended_with_a_ttl_is_not_retried_and_without_one_it_is() {
    let mut with_ttl = Course::queued(rules(TTL_MS, 3));
    with_ttl.window_ended(&PRESENT);
    assert_eq!(with_ttl.task.state, State::TtlTimedOut);
    let mut without = Course::queued(rules(0, 3));
    without.window_ended(&PRESENT);
    assert_eq!(without.task.state, State::RetryWait);
}

#[test]
fn a_retry_becomes_due_a_second_after_the_attempt_at_the_earliest_and_has_a_window_of_its_own() {
    let mut rules = rules(TTL_MS, 1);
    rules.policy.retry = Some(Retry {
        count: 1,
        interval_ms: 0,
    });
    let mut course = Course::published(rules);
    course.replied(1, 500);
    let due = course.now.plus_ms(1_000);
    assert_eq!(course.task.due, Some(due));
    assert_eq!(course.task.wake_at(&course.rules), Some(due));
    course.retry_due(&ABSENT);
    assert_eq!(
        course.task.wake_at(&course.rules),
        Some(due.plus_ms(TTL_MS)),
        "from the planned moment"
    );
}

#[test]
fn a_retry_by_hand_starts_over() {
    let mut course = Course::published(rules(TTL_MS, 1));
    course.acked();
    course.apply(Event::Cancelled { withdrawn: false });
    course.replied(1, 500);
    course.wait(3 * TTL_MS);
    course.apply(Event::RetryAsked(&PRESENT));
    assert_eq!(course.task.window_end(&course.rules), course.now.plus_ms(TTL_MS));
    course.apply(Event::Claimed);
    assert_eq!(course.task.attempt, AttemptNo(2));
    course.silent();
    assert_eq!(course.task.state, State::RetryWait, "its automatic retries are back");
    assert_eq!((course.task.retries.auto, course.task.retries.manual), (0, 1));
}

#[test]
fn the_last_result_is_kept_while_a_retry_waits_and_runs() {
    let mut course = Course::published(rules(TTL_MS, 1));
    assert_eq!(course.code(), None);
    course.replied(1, 500);
    assert_eq!(course.code(), Some(500));
    course.retry_due(&PRESENT);
    assert_eq!(course.code(), Some(500));
    course.apply(Event::Claimed);
    assert_eq!(course.code(), Some(500));
    course.acked();
    course.silent();
    assert_eq!(
        (course.task.state, course.code()),
        (State::ResponseTimedOut, Some(code::NO_REPLY))
    );
}

#[test]
fn a_retry_that_was_not_sent_tells_what_the_last_attempt_came_to() {
    let mut course = Course::published(rules(TTL_MS, 1));
    course.replied(1, 500);
    course.retry_due(&ABSENT);
    course.window_ended(&ABSENT);
    assert_eq!(
        desc(&course),
        "offline; retry 1 not sent; attempt 1: 500 the device replied with code 500"
    );
}

#[test]
fn what_ends_the_wait_for_a_retry_names_that_retry() {
    let waiting = || {
        let mut course = Course::published(rules(TTL_MS, 1));
        course.replied(1, 500);
        course
    };
    let attempt = "retry 1 not sent; attempt 1: 500 the device replied with code 500";
    let mut cancelled = waiting();
    cancelled.apply(Event::Cancelled { withdrawn: false });
    assert_eq!(desc(&cancelled), format!("withdrawn before sending; {attempt}"));
    let mut disabled = waiting();
    disabled.apply(Event::DeviceDisabled);
    assert_eq!(desc(&disabled), format!("device disabled; {attempt}"));
}

#[test]
fn a_number_given_to_an_attempt_that_never_left_is_not_credited_with_an_earlier_result() {
    let mut course = Course::published(rules(TTL_MS, 1));
    course.replied(1, 500);
    course.retry_due(&PRESENT);
    course.apply(Event::Claimed);
    course.not_sent();
    course.window_ended(&ABSENT);
    assert_eq!(
        desc(&course),
        "offline; retry 1 not sent; attempt before 2: 500 the device replied with code 500"
    );
}

#[test]
fn why_a_command_was_not_sent_is_told() {
    let since = Some(Timestamp(1_699_999_000_000));
    let away = Condition {
        presence: Presence::Absent { since },
        ..PRESENT
    };
    let behind = Condition {
        busy_with: Some(TaskNo(9)),
        ..PRESENT
    };
    let held = |hold| Condition {
        hold: Some(hold),
        ..PRESENT
    };
    let visited = |times: i64| {
        let mut visits = Visits::NONE;
        visits.note(Timestamp(RELEASE.0 - 1));
        (0..times).for_each(|time| visits.note(RELEASE.plus_ms(time)));
        Condition { visits, ..away }
    };
    for (condition, expected) in [
        (away, "offline since 2023-11-14T21:56:40Z".to_owned()),
        (behind, format!("behind task {}", TaskNo(9).to_task_id())),
        (PRESENT, "its turn did not come".to_owned()),
        (
            held(Hold::Settling),
            "the device is connected, but not ready for the command yet".to_owned(),
        ),
        (
            held(Hold::Clock),
            "sending is held because the server's clock is in doubt".to_owned(),
        ),
        (
            visited(1),
            "offline since 2023-11-14T21:56:40Z; the device came once and left before it was ready for the command"
                .to_owned(),
        ),
        (
            visited(3),
            "offline since 2023-11-14T21:56:40Z; the device came 3 times and left before it was ready for the command"
                .to_owned(),
        ),
        (
            visited(20),
            "offline since 2023-11-14T21:56:40Z; the device came at least 8 times and left before it was ready for the command"
                .to_owned(),
        ),
    ] {
        let mut course = Course::queued(rules(TTL_MS, 0));
        course.window_ended(&condition);
        assert_eq!(
            (course.code(), desc(&course)),
            (Some(code::NOT_SENT_IN_TIME), expected.as_str())
        );
    }
}

#[test]
fn how_an_attempt_fell_silent_is_told() {
    let lost = Link::LostAt(RELEASE);
    for (acked, link, expected) in [
        (false, Link::Up, "unacknowledged"),
        (true, Link::Up, "acknowledged but silent"),
        (true, lost, "acknowledged but silent, link lost at 2023-11-14T22:13:20Z"),
        (false, lost, "unacknowledged, link lost at 2023-11-14T22:13:20Z"),
    ] {
        let mut course = Course::published(rules(TTL_MS, 0));
        if acked {
            course.acked();
        }
        let attempt = AttemptNo(1);
        course.apply(Event::ReplyDeadline {
            attempt,
            handed: None,
            link,
            unreadable: false,
        });
        assert_eq!((course.code(), desc(&course)), (Some(code::NO_REPLY), expected));
    }
}

#[test]
fn silence_with_a_reply_that_could_not_be_read_says_so() {
    let mut course = Course::published(rules(TTL_MS, 0));
    course.apply(Event::ReplyDeadline {
        attempt: AttemptNo(1),
        handed: None,
        link: Link::Up,
        unreadable: true,
    });
    assert_eq!(course.code(), Some(code::NO_REPLY));
    assert_eq!(desc(&course), "a reply came whose id could not be read");
}

#[test]
fn reply_without_a_readable_code_ends_the_task_without_another_attempt() {
    let mut course = Course::published(rules(TTL_MS, 3));
    let reply = Reply {
        code: None,
        message: None,
        output: Some("1".to_owned()),
    };
    course.apply(Event::Replied {
        attempt: AttemptNo(1),
        handed: None,
        reply: &reply,
    });
    assert_eq!(
        (course.task.state, course.code()),
        (State::Failed, Some(code::BAD_REPLY))
    );
    assert_eq!(course.task.retries.auto, 0);
}

#[test]
fn cancelling_tells_whether_the_device_may_have_executed_the_command() {
    for (withdrawn, how, told) in [
        (true, AttemptOutcome::NotSent, "withdrawn before sending"),
        (
            false,
            AttemptOutcome::Cancelled,
            "cancelled after sending, the device may have executed it",
        ),
    ] {
        let mut course = Course::published(rules(TTL_MS, 3));
        let step = course.apply(Event::Cancelled { withdrawn });
        assert_eq!((course.task.state, desc(&course)), (State::Cancelled, told));
        assert_eq!(course.task.result.as_ref().map(|result| result.sent), Some(!withdrawn));
        assert_eq!(step.ended.iter().map(|ended| ended.how).collect::<Vec<_>>(), [how]);
    }
}

#[test]
fn cancelling_an_attempt_keeps_what_the_one_before_it_came_to() {
    for (withdrawn, told) in [
        (
            true,
            "withdrawn before sending; retry 1 not sent; attempt before 2: 500 the device replied with code 500",
        ),
        (
            false,
            "cancelled after sending, the device may have executed it; attempt before 2: 500 the device replied with code 500",
        ),
    ] {
        let mut course = Course::published(rules(TTL_MS, 3));
        course.replied(1, 500);
        course.retry_due(&PRESENT);
        course.apply(Event::Claimed);
        let step = course.apply(Event::Cancelled { withdrawn });
        assert_eq!((course.task.state, desc(&course)), (State::Cancelled, told));
        assert!(
            !step.ended[0].outcome.desc.contains("500"),
            "the attempt itself has its own end"
        );
    }
}

#[test]
fn word_of_an_earlier_attempt_does_not_take_back_the_one_that_is_out_of_a_cancelled_job() {
    let mut course = Course::published(rules(TTL_MS, 0));
    course.not_sent();
    course.apply(Event::Claimed);
    course.rules.cancel_mark = 1;
    let step = course.apply(Event::NotSent(AttemptNo(1), &PRESENT));
    assert_eq!(
        step.ended.iter().map(|ended| ended.how).collect::<Vec<_>>(),
        [AttemptOutcome::Cancelled],
        "it may have left"
    );
}

#[test]
fn replies_to_attempts_that_were_never_made_are_refused() {
    let unasked = reply(Some(200));
    let replied = |attempt| Event::Replied {
        attempt: AttemptNo(attempt),
        handed: None,
        reply: &unasked,
    };
    let course = Course::published(rules(TTL_MS, 0));
    for attempt in [0, 2, u16::MAX] {
        assert_eq!(course.try_step(replied(attempt)), Err(Refused::NeverSent));
    }
    let waiting = Course::queued(rules(TTL_MS, 0));
    assert_eq!(waiting.try_step(replied(1)), Err(Refused::NeverSent));
}

#[test]
fn codes_of_replies_are_read_as_settled() {
    for (said, state, shown) in [
        (Some(0), State::Succeeded, 0),
        (Some(200), State::Succeeded, 0),
        (Some(201), State::Failed, 201),
        (Some(-1), State::Failed, -1),
        (None, State::Failed, code::BAD_REPLY),
    ] {
        let mut course = Course::published(rules(TTL_MS, 0));
        let reply = reply(said);
        course.apply(Event::Replied {
            attempt: AttemptNo(1),
            handed: None,
            reply: &reply,
        });
        assert_eq!((course.task.state, course.code()), (state, Some(shown)), "{said:?}");
    }
}

#[test]
fn output_is_kept_up_to_its_limit_and_beyond_it_the_description_says_so() {
    for (bytes, kept) in [(OUTPUT_MAX_BYTES, true), (OUTPUT_MAX_BYTES + 1, false)] {
        let output = Some("1".repeat(bytes));
        let reply = Reply {
            output,
            ..reply(Some(200))
        };
        let mut course = Course::published(rules(TTL_MS, 0));
        course.apply(Event::Replied {
            attempt: AttemptNo(1),
            handed: None,
            reply: &reply,
        });
        let result = course.task.result.unwrap();
        assert_eq!((result.code, result.output.is_some()), (code::OK, kept));
        assert_eq!(result.desc.contains("too large"), !kept);
    }
}

#[test]
fn the_first_window_runs_from_the_planned_moment_also_after_a_stop() {
    let rules: Rules = rules(TTL_MS, 0);
    let task = Task::new(TaskNo(1), DeviceNo(1), RELEASE.plus_ms(-5));
    assert_eq!(task.window_end(&rules), rules.first_window_end());
    let mut course = Course::new(rules);
    course.wait(TTL_MS - 1);
    course.apply(Event::Due(&PRESENT));
    assert_eq!(course.task.window_end(&rules), RELEASE.plus_ms(TTL_MS));
}

#[test]
fn words_of_a_device_are_never_read_as_the_servers_own() {
    let words = "the output is too large and was not kept; attempt 7: 0 OK";
    let mut course = Course::published(rules(TTL_MS, 1));
    let reply = Reply {
        code: Some(500),
        message: Some(words.to_owned()),
        output: None,
    };
    course.apply(Event::Replied {
        attempt: AttemptNo(1),
        handed: None,
        reply: &reply,
    });
    let result = course.task.result.clone().expect("the attempt has failed");
    assert_eq!((result.desc.as_str(), result.notes), (words, OutcomeNotes::default()));
    let gone = course.apply(Event::DeviceDeleted);
    let result = gone.task.result.expect("the task has ended");
    assert_eq!(
        result.desc,
        format!("device deleted; retry 1 not sent; attempt 1: 500 {words}")
    );
    assert!(result.notes.repeats_earlier && !result.notes.output_dropped);
}
