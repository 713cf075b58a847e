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

#[test]
fn histories_never_seen_before_hold() {
    let fresh = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    hold(Medium::Memory, fresh << 16..(fresh << 16) + 200);
}
