//! Slows down addresses whose logins are refused: refused clients of some libraries never stop trying.
//!
//! Only the answer to a refused login is held back, never a successful one. Where as many answers wait as an address may have
//! waiting, further connections from it are closed before their login is looked at, since nothing could slow down the next
//! guess otherwise.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Refusals an address may have before the next are held back: a fleet behind one address may hold a few wrong secrets.
const FREE_REFUSALS: u32 = 5;
/// How much longer each further refusal is held back.
const STEP: Duration = Duration::from_millis(200);
/// The longest wait, well below the time after which clients give up a connect.
const LONGEST: Duration = Duration::from_secs(5);
/// An address without refusals for this long starts anew.
const FORGET_AFTER: Duration = Duration::from_secs(60);
/// Addresses in one of the two halves that are remembered: when it is full, the older half is forgotten. Bounds the memory
/// that strangers can take.
const HALF_MAX: usize = 5_000;
/// Answers to one address held back at a time: some thirteen refusals a second then. Fewer, and a building full of wrong
/// devices would keep the right ones out; more, and somebody who guesses could occupy everything.
const HELD_OF_ONE_MAX: usize = 64;
/// Answers held back at a time. Each keeps a connection that a device could have.
const HELD_MAX: usize = 1024;

/// What has been refused to an address.
struct Refusals {
    count: u32,
    last: Instant,
    held: Arc<Semaphore>,
}

impl Refusals {
    fn is_slowed(&self, now: Instant) -> bool {
        self.count >= FREE_REFUSALS && !self.is_old(now)
    }

    fn is_old(&self, now: Instant) -> bool {
        now.duration_since(self.last) >= FORGET_AFTER
    }
}

/// Those that were refused something lately.
#[derive(Default)]
struct Addresses {
    newer: HashMap<IpAddr, Refusals>,
    older: HashMap<IpAddr, Refusals>,
}

impl Addresses {
    fn get(&self, address: IpAddr) -> Option<&Refusals> {
        self.newer.get(&address).or_else(|| self.older.get(&address))
    }

    fn of_mut(&mut self, address: IpAddr, now: Instant) -> &mut Refusals {
        if !self.newer.contains_key(&address) && self.newer.len() >= HALF_MAX {
            self.older = std::mem::take(&mut self.newer);
        }
        let older = &mut self.older;
        self.newer.entry(address).or_insert_with(|| {
            older.remove(&address).unwrap_or_else(|| Refusals {
                count: 0,
                last: now,
                held: Arc::new(Semaphore::new(HELD_OF_ONE_MAX)),
            })
        })
    }
}

pub(super) struct Throttle {
    addresses: Mutex<Addresses>,
    held: Arc<Semaphore>,
}

/// When a refused login is told so.
pub(super) enum Telling {
    AtOnce,
    /// So much later; the place is kept until then.
    After(Duration, Place),
    /// Its connection is closed without a word: too many wait for theirs.
    Never,
}

/// A place to hold an answer back in: of the address, and of all.
pub(super) struct Place {
    _kept: [OwnedSemaphorePermit; 2],
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            addresses: Mutex::default(),
            held: Arc::new(Semaphore::new(HELD_MAX)),
        }
    }
}

impl Throttle {
    /// Whether a login from `address` is not even looked at: were it refused, the answer could not be held back. An address
    /// without a few refusals is looked at whatever others do.
    pub(super) fn is_full(&self, address: IpAddr, now: Instant) -> bool {
        let addresses = self.addresses.lock();
        let slowed = addresses.get(address).filter(|refusals| refusals.is_slowed(now));
        slowed.is_some_and(|refusals| refusals.held.available_permits() == 0 || self.held.available_permits() == 0)
    }

    /// A login from `address` was refused; when to say so.
    pub(super) fn refused(&self, address: IpAddr, now: Instant) -> Telling {
        let mut addresses = self.addresses.lock();
        let refusals = addresses.of_mut(address, now);
        if refusals.is_old(now) {
            refusals.count = 0;
        }
        refusals.count = refusals.count.saturating_add(1);
        refusals.last = now;
        let wait = STEP
            .saturating_mul(refusals.count.saturating_sub(FREE_REFUSALS))
            .min(LONGEST);
        if wait.is_zero() {
            return Telling::AtOnce;
        }
        let places = (
            Arc::clone(&refusals.held).try_acquire_owned(),
            Arc::clone(&self.held).try_acquire_owned(),
        );
        match places {
            (Ok(own), Ok(common)) => Telling::After(wait, Place { _kept: [own, common] }),
            _ => Telling::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));

    /// How long the answer waits; `None`: there is none.
    fn wait(telling: &Telling) -> Option<Duration> {
        match telling {
            Telling::AtOnce => Some(Duration::ZERO),
            Telling::After(wait, _) => Some(*wait),
            Telling::Never => None,
        }
    }

    fn address(n: usize) -> IpAddr {
        let [.., a, b, c] = n.to_be_bytes();
        IpAddr::from([10, a, b, c])
    }

    #[test]
    fn the_first_refusals_are_free_and_the_rest_wait_longer_and_longer() {
        let throttle = Throttle::default();
        let start = Instant::now();
        let refused = |address, at| wait(&throttle.refused(address, at)).unwrap();
        for _ in 0..FREE_REFUSALS {
            assert_eq!(refused(HERE, start), Duration::ZERO);
        }
        assert_eq!(refused(HERE, start), STEP);
        assert_eq!(refused(HERE, start), STEP * 2);
        assert_eq!(refused(THERE, start), Duration::ZERO);
        for _ in 0..1000 {
            refused(HERE, start);
        }
        assert_eq!(refused(HERE, start), LONGEST);
        assert_eq!(refused(HERE, start + FORGET_AFTER), Duration::ZERO);
    }

    #[test]
    fn an_address_has_a_share_of_the_places_and_beyond_it_is_not_looked_at() {
        let throttle = Throttle::default();
        let now = Instant::now();
        let mut held = Vec::new();
        for _ in 0..FREE_REFUSALS as usize + HELD_OF_ONE_MAX {
            assert!(!throttle.is_full(HERE, now));
            held.push(throttle.refused(HERE, now));
        }
        assert!(throttle.is_full(HERE, now));
        assert_eq!(wait(&throttle.refused(HERE, now)), None, "it was looked at before");
        assert!(!throttle.is_full(THERE, now), "others have their own");
        for _ in 0..=FREE_REFUSALS {
            assert!(wait(&throttle.refused(THERE, now)).is_some());
        }
        drop(held.pop());
        assert!(!throttle.is_full(HERE, now));
        drop(held);
    }

    #[test]
    fn whoever_was_refused_nothing_is_looked_at_though_all_places_are_taken() {
        let throttle = Throttle::default();
        let now = Instant::now();
        let mut held = Vec::new();
        for n in 0..HELD_MAX / HELD_OF_ONE_MAX {
            for _ in 0..FREE_REFUSALS as usize + HELD_OF_ONE_MAX {
                held.push(throttle.refused(address(n), now));
            }
        }
        for _ in 0..FREE_REFUSALS {
            assert!(!throttle.is_full(HERE, now));
            assert_eq!(wait(&throttle.refused(HERE, now)), Some(Duration::ZERO));
        }
        assert!(throttle.is_full(HERE, now));
        assert_eq!(wait(&throttle.refused(HERE, now)), None);
        assert!(!throttle.is_full(HERE, now + FORGET_AFTER));
        drop(held);
        assert!(!throttle.is_full(HERE, now));
    }

    #[test]
    fn of_addresses_those_refused_lately_are_remembered_and_memory_has_an_end() {
        let throttle = Throttle::default();
        let now = Instant::now();
        for n in 0..3 * HALF_MAX {
            throttle.refused(address(n), now);
            if n % 1000 == 0 {
                throttle.refused(HERE, now);
            }
        }
        let addresses = throttle.addresses.lock();
        assert_eq!(addresses.get(HERE).unwrap().count, 15);
        assert!(addresses.get(address(0)).is_none());
        assert!(addresses.newer.len() + addresses.older.len() <= 2 * HALF_MAX);
    }
}
