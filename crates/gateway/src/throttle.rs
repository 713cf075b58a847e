//! Slows down addresses whose logins are refused: refused clients of some libraries never stop trying.
//!
//! Only the answer to a refused login is held back, never a successful one. Each answer that is held back takes a
//! place, of its address and of all. A login for whose refusal there would be no place is not looked at, and its
//! connection is closed, since nothing could slow down the next guess otherwise. Behind one address there may be a
//! whole site, so that places are given in this order (docs/decisions/0022-logins-behind-one-address.md):
//!
//! 1. A device that has logged in from this address before is always heard, until a few wrong signatures in its name.
//! 2. A device of which nothing is known is heard while the address has a place.
//! 3. A device that was refused here lately may take half of the places.

use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use aldis_engine::generational_cache::GenerationalCache;

/// Refusals an address may have before the next are held back: a fleet behind one address may hold a few wrong secrets.
const FREE_REFUSALS: u32 = 5;
/// How much longer each further refusal is held back.
const STEP: Duration = Duration::from_millis(200);
/// The longest wait, well below the time after which clients give up a connect.
const LONGEST: Duration = Duration::from_secs(5);
/// An address without refusals for this long starts anew.
const FORGET_AFTER: Duration = Duration::from_secs(60);
/// A device that was refused counts as such for this long: several rounds of many that wait for half of the places.
const REFUSED_FOR: Duration = Duration::from_secs(600);
/// Wrong signatures in the name of a device that is known to be good until it no longer is: another client may hold its
/// old secret, and a guess has to cost something.
const WRONG_MAX: u8 = 3;
/// Answers to one address held back at a time: some thirteen refusals a second then. More, and a client that guesses
/// could occupy everything.
const HELD_OF_ONE: usize = 64;
/// The same of an address with many good devices: one more for each of them, up to half of all.
const HELD_OF_ONE_MAX: usize = HELD_MAX / 2;
/// Answers held back at a time. Each keeps a connection that a device could have.
const HELD_MAX: usize = 1024;

/// Addresses in one half of those remembered for their refusals. Bounds the memory that strangers can take.
const ADDRESSES: usize = 5_000;
/// Devices in one half of those remembered for having been refused: 32 bytes each.
const REFUSED: usize = 50_000;
/// Devices in one half of those known to be good: 16 bytes each. Only successful logins fill it.
const GOOD: usize = 250_000;

/// Where a login comes from, and in whose name: what is noted of it is noted of both.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim {
    from: IpAddr,
    /// A digest of address and keys, which no stranger can foresee.
    who: u64,
}

/// What has been refused to an address.
struct Refusals {
    count: u32,
    last: Instant,
    /// Answers held back, and of these, those to devices that were refused before.
    held: Arc<AtomicUsize>,
    held_again: Arc<AtomicUsize>,
}

impl Refusals {
    fn none(now: Instant) -> Self {
        Self {
            count: 0,
            last: now,
            held: Arc::default(),
            held_again: Arc::default(),
        }
    }

    fn is_slowed(&self, now: Instant) -> bool {
        self.count >= FREE_REFUSALS && !self.is_old(now)
    }

    fn is_old(&self, now: Instant) -> bool {
        now.duration_since(self.last) >= FORGET_AFTER
    }
}

#[derive(Default)]
struct Tables {
    refusals: GenerationalCache<IpAddr, Refusals, ADDRESSES>,
    /// How many good devices an address has.
    sites: GenerationalCache<IpAddr, usize>,
    /// Devices that have logged in, by claim, and the wrong signatures in their names since.
    good: GenerationalCache<u64, u8, GOOD>,
    /// Devices that were refused, by claim, and when.
    refused: GenerationalCache<u64, Option<Instant>, REFUSED>,
}

impl Tables {
    /// Whether an answer to this claim could be held back.
    fn has_place(&self, claim: Claim, refusals: &Refusals, now: Instant) -> bool {
        let share = self.share(claim.from);
        let again = self.was_refused(claim, now);
        let taken = |places: &Arc<AtomicUsize>| places.load(Ordering::Relaxed);
        taken(&refusals.held) < share && (!again || taken(&refusals.held_again) < share / 2)
    }

    fn share(&self, from: IpAddr) -> usize {
        let good = self.sites.get(from).copied().unwrap_or_default();
        (HELD_OF_ONE + good).min(HELD_OF_ONE_MAX)
    }

    fn was_refused(&self, claim: Claim, now: Instant) -> bool {
        let last = self.refused.get(claim.who).copied().flatten();
        last.is_some_and(|last| now.duration_since(last) < REFUSED_FOR)
    }

    /// Notes a wrong signature in the name of a device.
    fn wrong(&mut self, claim: Claim, now: Instant) {
        *self.refused.get_mut(claim.who) = Some(now);
        let Some(wrong) = self.good.get(claim.who).copied() else {
            return;
        };
        if wrong + 1 < WRONG_MAX {
            *self.good.get_mut(claim.who) = wrong + 1;
        } else {
            self.good.remove(claim.who);
            let good = self.sites.get_mut(claim.from);
            *good = good.saturating_sub(1);
        }
    }
}

#[derive(Default)]
pub(super) struct Throttle {
    tables: Mutex<Tables>,
    held: Arc<AtomicUsize>,
    hasher: RandomState,
}

/// When a refused login is told so.
pub(super) enum Telling {
    AtOnce,
    /// So much later; the place is kept until then.
    After(Duration, DelayPermit),
    /// Its connection is closed without a word: too many wait for theirs.
    Never,
}

/// A place to hold an answer back in: one of all, one of its address, and of a device that was refused before one of
/// those.
pub(super) struct DelayPermit(Vec<Arc<AtomicUsize>>);

impl DelayPermit {
    fn take(places: Vec<Arc<AtomicUsize>>) -> Self {
        for taken in &places {
            taken.fetch_add(1, Ordering::Relaxed);
        }
        Self(places)
    }
}

impl Drop for DelayPermit {
    fn drop(&mut self) {
        for taken in &self.0 {
            taken.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Throttle {
    /// A login from `address` in the name of a device, given by its product key and its own.
    pub(super) fn claim(&self, address: IpAddr, (product, device): (&str, &str)) -> Claim {
        let from = site(address);
        let who = self.hasher.hash_one((from, product, device));
        Claim { from, who }
    }

    /// Whether a login is looked at; if not, its refusal could not be held back. An address without a few refusals is
    /// heard whatever others do, and so is a device that is known to be good.
    pub(super) fn hears(&self, claim: Claim, now: Instant) -> bool {
        let tables = self.tables.lock();
        let slowed = tables
            .refusals
            .get(claim.from)
            .filter(|refusals| refusals.is_slowed(now));
        let Some(refusals) = slowed else { return true };
        tables.good.get(claim.who).is_some() || (self.has_place() && tables.has_place(claim, refusals, now))
    }

    /// A login has succeeded.
    pub(super) fn let_in(&self, claim: Claim) {
        let mut tables = self.tables.lock();
        let known = tables.good.get(claim.who).is_some();
        *tables.good.get_mut(claim.who) = 0;
        tables.refused.remove(claim.who);
        if !known {
            let good = tables.sites.get_mut(claim.from);
            *good = good.saturating_add(1);
        }
    }

    /// A login was refused, because its signature is `wrong` or for another reason; when to say so.
    pub(super) fn refused(&self, claim: Claim, wrong: bool, now: Instant) -> Telling {
        let mut tables = self.tables.lock();
        let again = tables.was_refused(claim, now);
        let refusals = tables.refusals.get_mut_or(claim.from, || Refusals::none(now));
        if refusals.is_old(now) {
            refusals.count = 0;
        }
        refusals.count = refusals.count.saturating_add(1);
        refusals.last = now;
        let wait = STEP
            .saturating_mul(refusals.count.saturating_sub(FREE_REFUSALS))
            .min(LONGEST);
        let mut places = vec![Arc::clone(&self.held), Arc::clone(&refusals.held)];
        if again {
            places.push(Arc::clone(&refusals.held_again));
        }
        let refusals = tables.refusals.get(claim.from);
        let has_place = self.has_place() && refusals.is_some_and(|refusals| tables.has_place(claim, refusals, now));
        if wrong {
            tables.wrong(claim, now);
        }
        // Places are taken under the lock, so that none is taken twice.
        match (wait.is_zero(), has_place) {
            (true, _) => Telling::AtOnce,
            (false, true) => Telling::After(wait, DelayPermit::take(places)),
            (false, false) => Telling::Never,
        }
    }

    fn has_place(&self) -> bool {
        self.held.load(Ordering::Relaxed) < HELD_MAX
    }
}

/// Addresses that one client can have as it likes are one: those of a /64 in IPv6.
fn site(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
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

    fn claim(throttle: &Throttle, from: IpAddr, device: &str) -> Claim {
        throttle.claim(from, ("pump", device))
    }

    /// Refuses ever new devices until no place is left for another.
    fn fill(throttle: &Throttle, from: IpAddr, now: Instant) -> Vec<Telling> {
        let stranger = |n: usize| claim(throttle, from, &format!("stranger-{n}"));
        let mut held = Vec::new();
        while throttle.hears(stranger(held.len()), now) {
            held.push(throttle.refused(stranger(held.len()), true, now));
        }
        held
    }

    #[test]
    fn first_refusals_are_free_and_the_rest_wait_longer_and_longer() {
        let throttle = Throttle::default();
        let start = Instant::now();
        let refused = |from, at| {
            let telling = throttle.refused(claim(&throttle, from, "d1"), true, at);
            wait(&telling).unwrap()
        };
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
    fn an_address_has_a_share_of_the_places_and_beyond_it_strangers_are_not_heard() {
        let throttle = Throttle::default();
        let now = Instant::now();
        let mut held = fill(&throttle, HERE, now);
        assert_eq!(held.len(), FREE_REFUSALS as usize + HELD_OF_ONE);
        let one_more = claim(&throttle, HERE, "one-more");
        let told = throttle.refused(one_more, true, now);
        assert_eq!(wait(&told), None, "it was heard before the others took the places");
        assert!(
            throttle.hears(claim(&throttle, THERE, "d1"), now),
            "others have their own"
        );
        drop(held.pop());
        assert!(throttle.hears(claim(&throttle, HERE, "another"), now));
    }

    #[test]
    fn a_device_that_was_let_in_is_heard_though_its_address_is_full() {
        let throttle = Throttle::default();
        let now = Instant::now();
        let good = claim(&throttle, HERE, "good");
        throttle.let_in(good);
        let _held = fill(&throttle, HERE, now);
        assert!(throttle.hears(good, now));
        assert!(!throttle.hears(claim(&throttle, HERE, "new"), now));
        // It is known where it was let in.
        let _held = fill(&throttle, THERE, now);
        assert!(!throttle.hears(claim(&throttle, THERE, "good"), now));
    }

    #[test]
    fn a_few_wrong_signatures_end_a_devices_good_name_and_a_login_restores_it() {
        let throttle = Throttle::default();
        let now = Instant::now();
        let good = claim(&throttle, HERE, "good");
        throttle.let_in(good);
        let _held = fill(&throttle, HERE, now);
        for _ in 1..WRONG_MAX {
            assert_eq!(wait(&throttle.refused(good, true, now)), None);
            assert!(throttle.hears(good, now));
        }
        assert_eq!(
            wait(&throttle.refused(good, false, now)),
            None,
            "the store was busy: no fault of the device"
        );
        assert!(throttle.hears(good, now));
        throttle.refused(good, true, now);
        assert!(!throttle.hears(good, now));
        throttle.let_in(good);
        assert!(throttle.hears(good, now));
    }

    #[test]
    fn devices_that_were_refused_before_leave_half_of_the_places_to_new_ones() {
        let throttle = Throttle::default();
        let now = Instant::now();
        let wrong: Vec<Claim> = (0..300).map(|n| claim(&throttle, HERE, &format!("w{n}"))).collect();
        for claim in &wrong {
            drop(throttle.refused(*claim, true, now));
        }
        // From now on all 300 are known, and try again as fast as they can.
        let mut held = Vec::new();
        for claim in wrong.iter().cycle().take(3_000) {
            if throttle.hears(*claim, now) {
                held.push(throttle.refused(*claim, true, now));
            }
        }
        assert_eq!(held.len(), HELD_OF_ONE / 2);
        for n in 0..60 {
            let good = claim(&throttle, HERE, &format!("g{n}"));
            assert!(
                throttle.hears(good, now),
                "device {n} of 60 that come for the first time"
            );
            throttle.let_in(good);
        }
        let later = now + REFUSED_FOR;
        assert!(throttle.hears(wrong[0], later), "after a while it is as good as new");
    }

    #[test]
    fn the_share_of_an_address_grows_with_its_good_devices_up_to_half_of_all() {
        let now = Instant::now();
        for (good, share) in [(1, HELD_OF_ONE + 1), (100, HELD_OF_ONE + 100), (5_000, HELD_OF_ONE_MAX)] {
            let throttle = Throttle::default();
            for n in 0..good {
                let device = claim(&throttle, HERE, &format!("g{n}"));
                throttle.let_in(device);
                throttle.let_in(device);
            }
            assert_eq!(fill(&throttle, HERE, now).len(), FREE_REFUSALS as usize + share);
        }
    }

    #[test]
    fn an_address_that_was_refused_nothing_is_heard_though_all_places_are_taken() {
        let throttle = Throttle::default();
        let now = Instant::now();
        let mut held = Vec::new();
        for n in 0..HELD_MAX / HELD_OF_ONE {
            held.extend(fill(&throttle, address(n), now));
        }
        let here = claim(&throttle, HERE, "d1");
        for _ in 0..FREE_REFUSALS {
            assert!(throttle.hears(here, now));
            assert_eq!(wait(&throttle.refused(here, true, now)), Some(Duration::ZERO));
        }
        assert!(!throttle.hears(here, now));
        assert_eq!(wait(&throttle.refused(here, true, now)), None);
        assert!(throttle.hears(here, now + FORGET_AFTER));
        drop(held);
        assert!(throttle.hears(here, now));
        assert_eq!(throttle.held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn addresses_of_a_64_are_one_and_an_ipv4_address_is_itself_in_either_spelling() {
        let of = |text: &str| site(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:10.1.2.3"), of("10.1.2.3"));
        assert_ne!(of("::ffff:10.1.2.3"), of("::ffff:10.1.2.4"));
        let throttle = Throttle::default();
        let now = Instant::now();
        for n in 0..=FREE_REFUSALS {
            let from: IpAddr = format!("2001:db8::{n}").parse().unwrap();
            let told = throttle.refused(claim(&throttle, from, "d1"), true, now);
            assert_eq!(wait(&told).unwrap().is_zero(), n < FREE_REFUSALS, "{n}");
        }
    }
}
