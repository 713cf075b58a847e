//! Numbers at the ends of their ranges: nothing panics, nothing wraps round, nothing is sent too late.

use aldis_core::ids::{ATTEMPT_MAX, AttemptNo, DeviceNo, TASK_NO_MAX, TaskNo, WireId};
use aldis_core::job::Counters;
use aldis_core::policy::{Policy, Retry, Rules};
use aldis_core::task::{AttemptTimes, Outcome, OutcomeNotes, Retries, State, Task, step};
use aldis_core::time::Timestamp;
use proptest::prelude::*;

use super::happening::{Happening, happening};

fn extreme() -> impl Strategy<Value = i64> {
    prop_oneof![
        Just(i64::MIN),
        Just(i64::MIN + 1),
        Just(-1),
        Just(0),
        Just(1),
        Just(i64::MAX - 1),
        Just(i64::MAX),
        any::<i64>()
    ]
}

fn moment() -> impl Strategy<Value = Timestamp> {
    extreme().prop_map(Timestamp)
}

fn any_rules() -> impl Strategy<Value = Rules> {
    let retry =
        proptest::option::of((any::<u8>(), extreme()).prop_map(|(count, interval_ms)| Retry { count, interval_ms }));
    (moment(), extreme(), extreme(), retry, any::<u16>()).prop_map(
        |(release, ttl_ms, reply_timeout_ms, retry, cancel_mark)| Rules {
            release,
            policy: Policy {
                ttl_ms,
                reply_timeout_ms,
                retry,
            },
            cancel_mark,
        },
    )
}

fn any_task() -> impl Strategy<Value = Task> {
    let at = || proptest::option::of(moment());
    let times = (at(), at(), at(), at()).prop_map(|(intent, handed, acked, ended)| AttemptTimes {
        intent,
        handed,
        acked,
        ended,
    });
    let outcome = || {
        let outcome = (extreme(), ".{0,20}", any::<bool>()).prop_map(|(code, desc, sent)| Outcome {
            code,
            desc,
            output: None,
            sent,
            notes: OutcomeNotes::default(),
        });
        proptest::option::of(outcome)
    };
    let retries =
        (any::<u16>(), any::<u8>(), any::<u16>()).prop_map(|(auto, used, manual)| Retries { auto, used, manual });
    let place = (
        0..=TASK_NO_MAX,
        0..State::COUNT,
        0..=ATTEMPT_MAX,
        proptest::option::of(moment()),
    );
    let results = (outcome(), outcome());
    (place, retries, (any::<bool>(), any::<u16>()), times, results, moment()).prop_map(
        |((no, state, attempt, due), retries, (disarmed, mark), times, (result, late_success), updated)| Task {
            no: TaskNo(no),
            device: DeviceNo(no),
            state: State::from_index(state).expect("below COUNT"),
            attempt: AttemptNo(attempt),
            due,
            retries,
            disarmed,
            mark,
            times,
            result,
            late_success,
            updated,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_number_makes_step_panic_or_wrap(
        task in any_task(),
        rules in any_rules(),
        happening in happening(),
        now in moment(),
    ) {
        let Ok(step) = step(&task, &rules, happening.event(task.attempt), now) else { return Ok(()) };
        prop_assert!(step.task.attempt >= task.attempt);
        prop_assert!(step.task.retries.auto >= task.retries.auto);
        prop_assert!(step.task.retries.manual >= task.retries.manual);
        if let Some(publish) = step.publish {
            prop_assert!(now < publish.window_end);
            prop_assert!(rules.policy.reply_timeout_ms < 0 || publish.reply_deadline >= now);
        }
        if step.task.state == State::RetryWait && task.state != State::RetryWait {
            prop_assert!(step.task.due > Some(now) || now.0 == i64::MAX, "a retry is not due at once");
        }
    }

    #[test]
    fn a_claimed_attempt_is_named_by_its_wire_id_alone(task in any_task(), rules in any_rules(), now in moment()) {
        if let Ok(Some(publish)) = step(&task, &rules, Happening::Claimed.event(task.attempt), now).map(|step| step.publish) {
            let wire = WireId::new(task.no, publish.attempt);
            let read: WireId = wire.to_string().parse().unwrap();
            prop_assert_eq!((read.task(), read.attempt()), (task.no, publish.attempt));
        }
    }

    #[test]
    fn counters_never_fall_below_zero(changes in proptest::collection::vec((0..State::COUNT, extreme()), 0..4)) {
        let mut counters = Counters::default();
        for (state, change) in changes {
            let state = State::from_index(state).unwrap();
            let before = counters.of(state);
            counters.add(state, change);
            prop_assert!(change >= 0 || counters.of(state) <= before);
            prop_assert!(change <= 0 || counters.of(state) >= before);
        }
    }
}
