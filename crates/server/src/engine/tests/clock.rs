//! A wall clock that is wrong.

use aldis_core::task::State;

use super::bench::Bench;
use super::sample::{AT_ONCE, WAITING};
use crate::engine::Wake;

/// A drift that nobody cares about.
const DRIFT_MAX_MS: i64 = 5 * 60_000;

fn behind(ms: i64) -> Bench {
    let mut bench = Bench::new(1);
    bench.task_for(bench.devices[0], WAITING);
    bench.now = bench.now.plus_ms(-ms);
    bench.restart();
    bench.enter(bench.devices[0]);
    bench
}

#[test]
fn dispatch_is_held_while_the_clock_is_far_behind_the_store() {
    let mut bench = behind(DRIFT_MAX_MS + 1);
    assert_eq!(bench.sent(), []);
    assert_eq!(
        bench.inbox.health().reasons(),
        ["dispatch held: the clock is behind the store's"]
    );
    assert_ne!(bench.turn(), Wake::Now, "and it does not spin meanwhile");
    bench.now = bench.now.plus_ms(DRIFT_MAX_MS);
    assert_eq!(bench.sent(), []);
    bench.now = bench.now.plus_ms(1);
    assert_eq!(bench.sent().len(), 1);
    assert!(bench.inbox.health().reasons().is_empty());
}

#[test]
fn a_little_behind_is_a_drift() {
    let mut bench = behind(DRIFT_MAX_MS);
    assert_eq!(bench.sent().len(), 1);
}

#[test]
fn the_engines_clock_never_runs_backwards() {
    let mut bench = Bench::new(1);
    bench.pass(100_000);
    let before = bench.now;
    bench.now = bench.now.plus_ms(-50_000);
    let task = bench.task_for(bench.devices[0], AT_ONCE);
    assert_eq!(bench.task(task).updated, before);
    assert_eq!(bench.state(task), State::Failed);
}
