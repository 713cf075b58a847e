//! Where the numbers of jobs and tasks go on at a start (docs/decisions/0016, docs/operating.md, "Backup").
//!
//! A copy of the database that is put back knows nothing of the ids that were given out after it was made. Devices and
//! callers do: a late reply to an old command must not meet a new one. So at each start numbers go on from the clock,
//! which is beyond every number that an earlier start can have given out.

use aldis_core::time::Timestamp;
use aldis_store::Write;

/// 2026-01-01T00:00:00Z: no server is older.
const EPOCH: Timestamp = Timestamp(1_767_225_600_000);
/// More tasks a second than a server makes for long, so that numbers never overtake the clock but for a while.
const NUMBERS_PER_SECOND: u64 = 1 << 18;
/// Half of the 50 bits that ids have room for: with the clock alone they last until 2094. A clock that shows more is
/// wrong.
const BY_CLOCK_MAX: u64 = 1 << 49;
/// Left out where numbers are ahead of the clock: it was wrong, or the last start was a moment ago. On average this
/// takes what the clock gives in half a minute, so that starts that follow each other do not use the range up.
const GAP: u64 = 1 << 20;
/// Bits of chance in that gap: two copies of one database shall not leave out the same.
const CHANCE_BITS: u32 = 24;

/// Numbers to leave out at a start now.
pub(super) fn skip(now: Timestamp, rng: u32) -> Write {
    let seconds = u64::try_from(now.ms_since(EPOCH)).unwrap_or(0) / 1000;
    let by_clock = seconds.saturating_mul(NUMBERS_PER_SECOND);
    Write::SkipNumbers {
        least: if by_clock <= BY_CLOCK_MAX { by_clock } else { 0 },
        gap: GAP + u64::from(rng >> (u32::BITS - CHANCE_BITS)),
    }
}

#[cfg(test)]
mod tests {
    use aldis_core::ids::TASK_NO_MAX;
    use aldis_store::skipped;

    use super::*;

    const YEAR_MS: i64 = 31_557_600_000;

    /// What is given out first by a start that finds `next`.
    fn first(next: u64, now: Timestamp, rng: u32) -> u64 {
        match skip(now, rng) {
            Write::SkipNumbers { least, gap } => skipped(next, least, gap),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_restored_copy_gives_out_no_number_that_was_given_out_after_it_was_made() {
        let begun = Timestamp(EPOCH.0 + YEAR_MS);
        let copied = first(1, begun, 0) + 5_000;
        // A start ten seconds later makes a million tasks; the copy is put back a minute after that.
        let used = first(copied, begun.plus_ms(10_000), 0) + 1_000_000;
        assert!(first(copied, begun.plus_ms(70_000), 0) > used);
    }

    #[test]
    fn two_starts_at_one_moment_from_one_copy_leave_out_different_numbers() {
        let now = Timestamp(EPOCH.0 + YEAR_MS);
        let ahead = first(1, now, 0) + 1;
        assert_ne!(first(ahead, now, 1 << 31), first(ahead, now, 1 << 30));
        assert!(first(ahead, now, 0) > ahead + 1_000_000);
    }

    #[test]
    fn the_range_lasts_and_a_wrong_clock_does_not_use_it_up() {
        let in_67_years = Timestamp(EPOCH.0 + 67 * YEAR_MS);
        let mut next = first(1, in_67_years, u32::MAX);
        assert!(next > BY_CLOCK_MAX / 2 && next <= BY_CLOCK_MAX);
        for wrong in [i64::MAX, EPOCH.0 + 90 * YEAR_MS, 0, i64::MIN + EPOCH.0] {
            next = first(next, Timestamp(wrong), u32::MAX);
        }
        const MOST: u64 = BY_CLOCK_MAX + 5 * (GAP + (1 << CHANCE_BITS));
        const { assert!(MOST < TASK_NO_MAX) };
        assert!(next < MOST);
    }

    #[test]
    fn starts_that_follow_each_other_use_less_than_the_clock_gives() {
        let mut next = 1;
        for minute in 0..100_000 {
            let now = Timestamp(EPOCH.0 + minute * 60_000);
            // Chance that is spread evenly.
            next = first(next, now, u32::try_from(minute).unwrap().wrapping_mul(2_654_435_761)) + 100;
        }
        assert!(next < 100_000 * 60 * NUMBERS_PER_SECOND + (1 << 30), "{next}");
    }
}
