//! Whether the process has stood still between two turns, or within one.

use std::time::Duration;

/// The process did not run, or its disk stood still, if the next turn comes this much later than it was due.
const LATE_MS: i64 = 2_000;
/// A turn that took this long, its commit included: the process may have been stopped in the midst of it, and with it
/// the devices' thread, so that replies still wait in sockets. Longer than commits take on a disk that is merely slow.
const STALLED_MS: i64 = 3_000;

/// When the next turn should begin, in ticks of the clock; nothing before the first turn.
#[derive(Debug, Default)]
pub struct Punctuality(Option<Due>);

#[derive(Debug)]
struct Due {
    /// At the latest.
    at: i64,
    /// At the latest, had the last turn taken no time.
    at_best: i64,
}

impl Punctuality {
    /// By how many milliseconds a turn that begins now is late; `None` if it is not.
    #[must_use]
    pub fn late_ms(&self, ticks_ms: i64) -> Option<i64> {
        let due = self.0.as_ref()?;
        let since_best = ticks_ms.saturating_sub(due.at_best);
        let is_late = ticks_ms.saturating_sub(due.at) >= LATE_MS || since_best >= STALLED_MS;
        is_late.then_some(since_best)
    }

    /// A turn that began at `began_ms` has ended, and the next is due after a sleep.
    pub fn turn_ended(&mut self, began_ms: i64, ended_ms: i64, sleep: Duration) {
        let sleep_ms = i64::try_from(sleep.as_millis()).unwrap_or(i64::MAX);
        self.0 = Some(Due {
            at: ended_ms.saturating_add(sleep_ms),
            at_best: began_ms.saturating_add(sleep_ms),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(began: i64, ended: i64, sleep_ms: u64) -> Punctuality {
        let mut punctuality = Punctuality::default();
        punctuality.turn_ended(began, ended, Duration::from_millis(sleep_ms));
        punctuality
    }

    #[test]
    fn first_turn_is_not_late() {
        assert_eq!(Punctuality::default().late_ms(i64::MAX), None);
    }

    #[test]
    fn turn_that_begins_two_seconds_after_its_moment_is_late() {
        let punctuality = after(100, 110, 1_000);
        assert_eq!(punctuality.late_ms(50), None, "a nudge came first");
        assert_eq!(punctuality.late_ms(3_109), None);
        assert_eq!(punctuality.late_ms(3_110), Some(2_010));
    }

    #[test]
    fn turn_behind_one_of_three_seconds_is_late_at_once() {
        assert_eq!(after(100, 3_099, 0).late_ms(3_099), None, "a slow commit");
        assert_eq!(after(100, 3_100, 0).late_ms(3_100), Some(3_000));
        assert_eq!(
            after(100, 10_100, 1_000).late_ms(10_100),
            Some(9_000),
            "stopped in the midst of it"
        );
    }
}
