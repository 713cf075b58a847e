//! Slows down addresses whose logins are refused: refused clients of some libraries never stop trying.
//!
//! A successful login is never slowed down: only the answer to a refused one is held back.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Refusals an address may have before the next are held back: a fleet behind one address may hold a few wrong secrets.
const FREE_REFUSALS: u32 = 5;
/// How much longer each further refusal is held back.
const STEP: Duration = Duration::from_millis(200);
/// The longest wait, well below the time after which clients give up a connect.
const LONGEST: Duration = Duration::from_secs(5);
/// An address without refusals for this long starts anew.
const FORGET_AFTER: Duration = Duration::from_secs(60);
/// Addresses remembered: bounds the memory that strangers can take.
const ADDRESSES_MAX: usize = 10_000;
/// Answers held back at a time. Each keeps a connection that a device could have; beyond that, refusals are told at once.
const HELD_MAX: usize = 1024;

pub(super) struct Throttle {
    refused: Mutex<HashMap<IpAddr, (u32, Instant)>>,
    held: Semaphore,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            refused: Mutex::default(),
            held: Semaphore::new(HELD_MAX),
        }
    }
}

impl Throttle {
    /// A place to hold an answer back in; `None` if too many are.
    pub(super) fn hold(&self) -> Option<SemaphorePermit<'_>> {
        self.held.try_acquire().ok()
    }

    /// A login from `address` was refused; how long to hold the answer back.
    pub(super) fn refused(&self, address: IpAddr, now: Instant) -> Duration {
        let mut refused = self.refused.lock();
        if refused.len() >= ADDRESSES_MAX {
            refused.retain(|_, (_, last)| now.duration_since(*last) < FORGET_AFTER);
        }
        if refused.len() >= ADDRESSES_MAX && !refused.contains_key(&address) {
            return LONGEST;
        }
        let (count, last) = refused.entry(address).or_insert((0, now));
        if now.duration_since(*last) >= FORGET_AFTER {
            *count = 0;
        }
        *count += 1;
        *last = now;
        (STEP * count.saturating_sub(FREE_REFUSALS)).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_refusals_are_free_and_the_rest_wait_longer_and_longer() {
        let throttle = Throttle::default();
        let (here, there) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let start = Instant::now();
        for _ in 0..FREE_REFUSALS {
            assert_eq!(throttle.refused(here, start), Duration::ZERO);
        }
        assert_eq!(throttle.refused(here, start), STEP);
        assert_eq!(throttle.refused(here, start), STEP * 2);
        assert_eq!(throttle.refused(there, start), Duration::ZERO);
        for _ in 0..1000 {
            throttle.refused(here, start);
        }
        assert_eq!(throttle.refused(here, start), LONGEST);
        assert_eq!(throttle.refused(here, start + FORGET_AFTER), Duration::ZERO);
    }

    #[test]
    fn no_more_than_so_many_answers_are_held_back() {
        let throttle = Throttle::default();
        let held: Vec<_> = (0..HELD_MAX).map(|_| throttle.hold().unwrap()).collect();
        assert!(throttle.hold().is_none());
        drop(held);
        assert!(throttle.hold().is_some());
    }
}
