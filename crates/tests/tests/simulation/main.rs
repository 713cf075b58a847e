//! The simulation: histories drawn from seeds, and those that once broke something.

mod reproductions;

use aldis_tests::simulation::{Medium, draw, run};

const OPERATIONS: usize = 400;

fn hold(medium: Medium, seeds: std::ops::Range<u64>) {
    for seed in seeds {
        if let Err((at, violation)) = run(seed, medium, &draw(seed, OPERATIONS)) {
            panic!("seed {seed}, after {at} operations: {violation:?}; shrink it with `just sim {seed}`");
        }
    }
}

#[test]
fn histories_in_memory_hold() {
    hold(Medium::Memory, 0..400);
}

#[test]
fn histories_on_sqlite_hold() {
    hold(Medium::Sqlite, 0..100);
}

/// A seed that failed on one machine has to fail on every other, however busy either is.
#[test]
fn a_history_that_is_played_again_is_the_same() {
    for seed in 0..20 {
        let operations = draw(seed, OPERATIONS);
        let medium = if seed % 4 == 0 { Medium::Sqlite } else { Medium::Memory };
        let played = run(seed, medium, &operations).expect("these seeds hold");
        assert_eq!(
            run(seed, medium, &operations).expect("it held before"),
            played,
            "seed {seed}"
        );
    }
}
