//! Random histories, applied to the store under test and to the model: both must answer alike, at every commit.

use aldis_store_memory::MemoryStore;

use aldis_store::{Store, Write};

use super::bench::{Bench, check_jobs};
use super::history::History;
use super::sample::{ORG, OTHER_ORG};
use super::snapshot;

/// Histories that are tried; a failure names its seed.
const SEEDS: u64 = 16;
/// Commits of each.
const COMMITS: u64 = 120;
/// Commits between two comparisons of everything.
const COMPARE_EVERY: u64 = 12;

pub fn random_histories_go_as_in_the_model(bench: &mut Bench) {
    for seed in 0..SEEDS {
        bench.renew();
        let mut history = history(bench, seed);
        for index in 0..COMMITS {
            commit(bench, &mut history, &format!("seed {seed}, commit {index}"));
            if index % COMPARE_EVERY == 0 || index == COMMITS - 1 {
                compare(bench, &history, &format!("seed {seed}, after commit {index}"));
            }
        }
    }
}

pub fn a_random_history_survives_reopening(bench: &mut Bench) {
    let mut history = history(bench, SEEDS);
    for index in 0..COMMITS {
        commit(bench, &mut history, &format!("commit {index}"));
        if index % COMPARE_EVERY == 0 {
            let before = snapshot::of_bench(bench);
            bench.reopen();
            snapshot::assert_same(&snapshot::of_bench(bench), &before, "after reopening");
        }
    }
    compare(bench, &history, "at the end");
}

fn history(bench: &mut Bench, seed: u64) -> History {
    let model = MemoryStore::default();
    let mut history = History::new(seed, model, bench.now);
    let beginning = history.beginning();
    apply(bench, &mut history, &beginning, "at the beginning");
    history
}

fn commit(bench: &mut Bench, history: &mut History, when: &str) {
    let (device, comes) = history.visitor();
    if comes {
        bench.sessions.come(device);
    } else {
        bench.sessions.go(device);
    }
    let writes = history.next();
    apply(bench, history, &writes, when);
}

fn apply(bench: &mut Bench, history: &mut History, writes: &[Write], when: &str) {
    let now = history.now;
    let expected = history.model.commit(history.model.epoch(), now, writes).unwrap();
    let epoch = bench.epoch;
    let found = bench.store().commit(epoch, now, writes).unwrap();
    assert_eq!(found, expected, "{when}: {writes:#?}");
    for org in [ORG, OTHER_ORG] {
        check_jobs(bench.read(), &org.into());
    }
}

fn compare(bench: &mut Bench, history: &History, when: &str) {
    let expected = snapshot::of(&history.model, bench.online());
    snapshot::assert_same(&snapshot::of_bench(bench), &expected, when);
}
