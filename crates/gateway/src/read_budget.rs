//! How much of the devices' one thread a connection may use, so that none keeps the others waiting.
//!
//! Work is charged by the bytes that have to be read, after unpacking: a packed packet of some hundred bytes can hold
//! half a megabyte. In one pass a connection does a small piece of work and lets the others go on; over a longer time
//! it does as much as the fastest device has cause to ask for, and then waits.

use std::time::{Duration, Instant};

/// Bytes of work in one pass. The packet that exceeds them is the last of its pass.
const PASS_BYTES: usize = 64 * 1024;
/// Charged for every packet beside its bytes: what reading and answering it costs at least.
const PACKET_BYTES: usize = 32;
/// Bytes of work per second over a longer time: several times what a gateway with two hundred sub-devices reports.
const BYTES_PER_S: u64 = 4 * 1024 * 1024;
/// Work that may be ahead of that: what has collected while a connection was away is taken at once.
const AHEAD: Duration = Duration::from_secs(2);

/// What a connection has used.
#[derive(Debug)]
pub(super) struct ReadBudget {
    /// Bytes in this pass.
    pass: usize,
    /// When all of its work would have been done at the allowed speed.
    paid_until: Instant,
}

impl ReadBudget {
    pub(super) fn begin(now: Instant) -> Self {
        Self {
            pass: 0,
            paid_until: now,
        }
    }

    /// A packet with so much to read has been dealt with.
    pub(super) fn charge(&mut self, bytes: usize) {
        self.pass = self.pass.saturating_add(bytes).saturating_add(PACKET_BYTES);
    }

    /// Whether the pass has to end.
    pub(super) fn is_spent(&self) -> bool {
        self.pass >= PASS_BYTES
    }

    /// The pass is over: how long the connection waits before the next; `None` if it need not.
    pub(super) fn end_pass(&mut self, now: Instant) -> Option<Duration> {
        let bytes = u64::try_from(std::mem::take(&mut self.pass)).unwrap_or(u64::MAX);
        let cost = Duration::from_micros(bytes.saturating_mul(1_000_000) / BYTES_PER_S);
        self.paid_until = self.paid_until.max(now) + cost;
        let ahead = self.paid_until.duration_since(now);
        ahead.checked_sub(AHEAD).filter(|wait| !wait.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pass_ends_with_the_packet_that_exceeds_it() {
        let mut pace = ReadBudget::begin(Instant::now());
        pace.charge(PASS_BYTES - 2 * PACKET_BYTES);
        assert!(!pace.is_spent());
        pace.charge(0);
        assert!(pace.is_spent());
        pace.end_pass(Instant::now());
        assert!(!pace.is_spent());
    }

    #[test]
    fn pass_of_many_small_packets_ends_too() {
        let mut pace = ReadBudget::begin(Instant::now());
        let packets = (0..).take_while(|_| {
            pace.charge(2);
            !pace.is_spent()
        });
        assert!(packets.count() <= PASS_BYTES / PACKET_BYTES);
    }

    #[test]
    fn connection_that_keeps_to_the_speed_never_waits() {
        let start = Instant::now();
        let mut pace = ReadBudget::begin(start);
        for second in 0..100 {
            pace.charge(4 * 1024 * 1024 - PACKET_BYTES);
            assert_eq!(pace.end_pass(start + Duration::from_secs(second)), None);
        }
    }

    #[test]
    fn connection_that_is_ahead_waits_until_it_is_not() {
        let start = Instant::now();
        let mut pace = ReadBudget::begin(start);
        let mut waited = Duration::ZERO;
        for _ in 0..100 {
            pace.charge(512 * 1024);
            waited += pace.end_pass(start + waited).unwrap_or_default();
        }
        let at_full_speed = Duration::from_secs(100 * 512 * 1024 / BYTES_PER_S);
        assert!(waited + AHEAD >= at_full_speed, "{waited:?}");
        pace.charge(0);
        let rested = start + waited + Duration::from_secs(60);
        assert_eq!(
            pace.end_pass(rested),
            None,
            "what is not used is not saved up beyond that"
        );
    }
}
