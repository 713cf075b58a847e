//! What a job finishes with, and what its cancellation reaches.

use aldis_core::job::{Counters, JobState, roll_up};
use aldis_core::task::{Event, State};

use crate::course::Course;
use crate::support::{PRESENT, TTL_MS, rules};

#[test]
fn a_job_is_finished_only_when_all_tasks_are_created_and_all_are_final() {
    let mut counters = Counters::default();
    counters.add(State::Succeeded, 2);
    assert_eq!(
        roll_up(Some(3), &counters, false),
        JobState::InProgress,
        "a row is missing"
    );
    for state in State::ALL {
        let mut counters = counters;
        counters.add(state, 1);
        let expected = if state.is_final() {
            JobState::Finished
        } else {
            JobState::InProgress
        };
        assert_eq!(roll_up(Some(3), &counters, false), expected, "the third is {state:?}");
    }
}

#[test]
fn nothing_of_a_cancelled_job_is_sent_any_more() {
    let mut waiting = Course::queued(rules(TTL_MS, 3));
    waiting.rules.cancel_mark = 1;
    assert!(waiting.apply(Event::Claimed).publish.is_none());
    assert_eq!(waiting.task.state, State::Cancelled);

    let mut resting = Course::published(rules(TTL_MS, 3));
    resting.replied(1, 500);
    resting.rules.cancel_mark = 1;
    resting.retry_due(&PRESENT);
    assert_eq!(resting.task.state, State::Cancelled);
}

#[test]
fn a_task_running_while_its_job_is_cancelled_is_not_tried_again() {
    for fails in [true, false] {
        let mut course = Course::published(rules(TTL_MS, 3));
        course.acked();
        course.rules.cancel_mark = 1;
        if fails {
            course.replied(1, 500);
            assert_eq!(course.task.state, State::Failed);
        } else {
            course.silent();
            assert_eq!(course.task.state, State::ResponseTimedOut);
        }
    }
}

#[test]
fn members_of_a_cancelled_job_are_born_cancelled() {
    let mut course = Course::new(rules(TTL_MS, 0));
    course.rules.cancel_mark = 1;
    course.apply(Event::Due(&PRESENT));
    assert_eq!(course.task.state, State::Cancelled);
}

#[test]
fn a_task_retried_by_hand_after_its_job_was_cancelled_runs() {
    let mut course = Course::published(rules(TTL_MS, 1));
    course.acked();
    course.rules.cancel_mark = 1;
    course.replied(1, 500);
    course.apply(Event::RetryAsked(&PRESENT));
    assert!(course.apply(Event::Claimed).publish.is_some());
    course.replied(2, 500);
    assert_eq!(course.task.state, State::RetryWait, "with its automatic retries");

    course.rules.cancel_mark = 2;
    course.retry_due(&PRESENT);
    assert_eq!(
        course.task.state,
        State::Cancelled,
        "a second cancellation reaches it again"
    );
}
