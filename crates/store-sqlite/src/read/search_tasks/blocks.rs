//! A page of the tasks in some states. From the counters of jobs, and of their shards, follows on which blocks of rows
//! it lies; only those are walked over.

use std::ops::Range;

use aldis_core::ids::{JobNo, TaskNo};
use aldis_core::job::Counters;
use aldis_core::task::State;

use super::JobRange;
use super::by_rows::Rows;
use crate::driver_error::Result;
use crate::shards;

/// Rows that follow each other, of one job, or of several small ones.
pub(super) struct Block {
    low: u64,
    high: u64,
    /// How many of the rows are in the states.
    pub(super) matches: u64,
    /// Whose rows these are, if they are too many for a walk.
    large: Option<JobNo>,
}

/// The blocks of neighbouring ranges; both newest first.
pub(super) fn of_ranges(ranges: &[JobRange], states: &[State]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for range in ranges {
        let next = Block {
            low: range.first,
            high: range.first + range.written - 1,
            matches: sum(&range.counters, states),
            large: (range.written > shards::WALK_MAX).then_some(range.job),
        };
        match blocks.last_mut().filter(|last| last.takes(&next)) {
            Some(last) => {
                last.low = next.low;
                last.matches += next.matches;
            }
            None => blocks.push(next),
        }
    }
    blocks
}

impl Block {
    /// Adds those of the matches whose places among them are wanted, largest number first.
    pub(super) fn find(
        &self,
        rows: &Rows<'_>,
        states: &[State],
        wanted: Range<u64>,
        found: &mut Vec<TaskNo>,
    ) -> Result<()> {
        if wanted.is_empty() {
            return Ok(());
        }
        if self.matches == self.rows() {
            found.extend(wanted.map(|place| TaskNo(self.high - place)));
            return Ok(());
        }
        let Some(job) = self.large else {
            found.extend(rows.in_states(self.low, self.high, states, &wanted)?);
            return Ok(());
        };
        let mut passed = 0;
        for shard in self.shards(shards::read(&rows.db.conn, job)?, states) {
            let place = |wanted: u64| wanted.saturating_sub(passed).min(shard.matches);
            let of_shard = place(wanted.start)..place(wanted.end);
            passed += shard.matches;
            shard.find(rows, states, of_shard, found)?;
        }
        Ok(())
    }

    /// The shards of a large job, last first.
    fn shards(&self, counters: Vec<Counters>, states: &[State]) -> impl Iterator<Item = Self> {
        let lows = (self.low..=self.high).step_by(usize::try_from(shards::TASKS).unwrap_or(usize::MAX));
        let shards: Vec<Self> = lows
            .zip(counters)
            .map(|(low, counters)| Self {
                low,
                high: self.high.min(low + shards::TASKS - 1),
                matches: sum(&counters, states),
                large: None,
            })
            .collect();
        shards.into_iter().rev()
    }

    const fn rows(&self) -> u64 {
        self.high - self.low + 1
    }

    /// Whether one walk may go over both.
    fn takes(&self, next: &Self) -> bool {
        self.large.is_none() && next.large.is_none() && self.rows() + next.rows() <= shards::WALK_MAX
    }
}

fn sum(counters: &Counters, states: &[State]) -> u64 {
    states.iter().map(|state| counters.of(*state)).sum()
}
