//! Random histories.

use aldis_core::ids::{ATTEMPT_MAX, AttemptNo};
use aldis_core::policy::{Policy, RETRY_COUNT_MAX, Retry, Rules};
use aldis_core::task::{Condition, State};
use proptest::prelude::*;

use super::happening::{AttemptRef, Happening, condition, happening};
use super::world::World;
use crate::support::{PRESENT, REPLY_TIMEOUT_MS, RETRY_INTERVAL_MS, TTL_MS, rules};

/// What happens next, and how long after the thing before.
#[derive(Debug, Clone)]
enum Next {
    Happens(usize, Happening),
    JobCancelled,
}

fn next() -> impl Strategy<Value = (i64, Next)> {
    let pause = prop_oneof![
        6 => 0..100_i64,
        2 => Just(RETRY_INTERVAL_MS),
        2 => Just(REPLY_TIMEOUT_MS),
        1 => Just(TTL_MS)
    ];
    let what = prop_oneof![
        40 => (any::<usize>(), happening()).prop_map(|(which, happening)| Next::Happens(which, happening)),
        1 => Just(Next::JobCancelled),
    ];
    (pause, what)
}

fn any_rules() -> impl Strategy<Value = Rules> {
    (prop_oneof![Just(0), Just(TTL_MS)], 0..4_u8).prop_map(|(ttl_ms, retries)| rules(ttl_ms, retries))
}

/// Most tasks are new; some are close to the last number that there is.
fn latest() -> impl Strategy<Value = AttemptNo> {
    prop_oneof![3 => Just(0), 1 => ATTEMPT_MAX - 3..=ATTEMPT_MAX].prop_map(AttemptNo)
}

fn play(world: &mut World, history: &[(i64, Next)]) {
    for (pause, next) in history {
        world.now = world.now.plus_ms(*pause);
        match next {
            Next::Happens(which, happening) => world.happens(*which, happening),
            Next::JobCancelled => world.rules.cancel_mark += 1,
        }
    }
}

/// Lets time alone do the rest: each task gets only what its stored reason to move brings about.
fn let_time_pass(world: &mut World, condition: Condition) {
    for which in 0..world.tasks.len() {
        let moves = 4 * (usize::from(RETRY_COUNT_MAX) + 2);
        for _ in 0..moves {
            let task = &world.tasks[which].task;
            let (at, happening) = match task.state {
                State::Init | State::RetryWait => (task.due_at(&world.rules), Happening::Due(condition)),
                State::Queued => (task.window_end(&world.rules), Happening::WindowEnded(condition)),
                State::Published | State::InProgress => {
                    let intent = task.times.intent.unwrap_or_default();
                    let deadline = intent.plus_ms(world.rules.policy.reply_timeout_ms);
                    (
                        deadline,
                        Happening::ReplyDeadline(AttemptRef::Latest, aldis_core::task::Link::Up),
                    )
                }
                _ => break,
            };
            world.now = world.now.max(at);
            world.happens(which, &happening);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_rule_holds_after_every_event(
        rules in any_rules(),
        latest in latest(),
        history in proptest::collection::vec(next(), 0..80),
    ) {
        play(&mut World::new(rules, 2, latest), &history);
    }

    #[test]
    fn whatever_has_happened_every_task_ends(
        rules in any_rules(),
        condition in condition(),
        history in proptest::collection::vec(next(), 0..40),
    ) {
        let mut world = World::new(rules, 2, AttemptNo(0));
        play(&mut world, &history);
        let_time_pass(&mut world, condition);
        for watched in &world.tasks {
            prop_assert!(watched.task.state.is_final(), "stuck: {watched:?}");
        }
    }

    #[test]
    fn an_attempt_that_is_out_with_a_success_known_ends_well_whatever_its_end(
        rules in any_rules(),
        fails in any::<bool>(),
        late in any::<bool>(),
    ) {
        let mut world = World::new(with_a_retry(rules), 1, AttemptNo(0));
        let failure = Happening::Replied(AttemptRef::Latest, crate::support::reply(Some(500)));
        let success = Happening::Replied(AttemptRef::Before(1), crate::support::reply(Some(200)));
        let silence = Happening::ReplyDeadline(AttemptRef::Latest, aldis_core::task::Link::Up);
        for happening in [Happening::Due(PRESENT), Happening::Claimed, silence.clone()] {
            world.happens(0, &happening);
        }
        world.now = world.now.plus_ms(RETRY_INTERVAL_MS);
        for happening in [Happening::Due(PRESENT), Happening::Claimed, success] {
            world.happens(0, &happening);
        }
        if late {
            world.happens(0, &Happening::Replied(AttemptRef::Before(1), crate::support::reply(Some(500))));
        }
        world.happens(0, if fails { &failure } else { &silence });
        prop_assert_eq!(world.tasks[0].task.state, State::Succeeded);
    }
}

fn with_a_retry(rules: Rules) -> Rules {
    let retry = Some(Retry {
        count: 1,
        interval_ms: RETRY_INTERVAL_MS,
    });
    Rules {
        policy: Policy { retry, ..rules.policy },
        ..rules
    }
}
