//! How many calls per second each access key may make, if the operator has set a limit (docs/api.md, "Rate limit").
//!
//! A bucket of tokens per key: it holds one second's worth and fills evenly. A call is charged once its signature has
//! been verified, so that no caller can use up the calls of another's key. Requests for tokens and unverified calls are
//! not charged.

use std::num::NonZeroU32;

use aldis_core::ids::{AppKey, OrgId};
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use parking_lot::RwLock;

use aldis_app::{App, Caller};

/// After this many seconds a refused caller has at least one call again, whatever the limit: it is one per second or
/// more.
pub(super) const RETRY_AFTER_S: u64 = 1;
/// Callers with a bucket that is not full. When there would be more, all are forgotten, which at worst gives each caller
/// one second's worth twice.
const CALLERS_MAX: usize = 10_000;

/// Who is charged.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Payer {
    Key(AppKey),
    /// Unsigned calls of an organization.
    Unsigned(OrgId),
}

type Buckets<C> = RateLimiter<Payer, HashMapStateStore<Payer>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// The limit, and what each caller has left of it.
pub(super) struct RateLimit<C: Clock = ServerClock> {
    per_second: NonZeroU32,
    clock: C,
    buckets: RwLock<Buckets<C>>,
}

/// The server's one clock, as governor reads it.
#[derive(Clone)]
pub(super) struct ServerClock(pub(super) App);

impl Clock for ServerClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let ms = u64::try_from(self.0.now().0).unwrap_or_default();
        Nanos::from(ms.saturating_mul(1_000_000))
    }
}

impl<C: Clock + Clone> RateLimit<C> {
    pub(super) fn new(per_second: NonZeroU32, clock: C) -> Self {
        let buckets = RwLock::new(empty(per_second, clock.clone()));
        Self {
            per_second,
            clock,
            buckets,
        }
    }

    /// Charges one call; `false`: this caller has none left.
    pub(super) fn admits(&self, caller: &Caller) -> bool {
        let payer = match &caller.app_key {
            Some(key) => Payer::Key(key.clone()),
            None => Payer::Unsigned(caller.org.clone()),
        };
        let admitted = self.buckets.read().check_key(&payer).is_ok();
        self.bound_memory();
        admitted
    }

    /// Forgets full buckets once there are too many, and all if that does not help.
    fn bound_memory(&self) {
        if self.buckets.read().len() < CALLERS_MAX {
            return;
        }
        let mut buckets = self.buckets.write();
        buckets.retain_recent();
        if buckets.len() >= CALLERS_MAX {
            *buckets = empty(self.per_second, self.clock.clone());
        }
    }

    /// What a caller over the limit is told.
    pub(super) fn message(&self) -> String {
        format!("at most {} calls per second are allowed, found more", self.per_second)
    }
}

fn empty<C: Clock>(per_second: NonZeroU32, clock: C) -> Buckets<C> {
    RateLimiter::new(Quota::per_second(per_second), HashMapStateStore::default(), clock)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aldis_store::rows::Role;
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn caller(org: &str, app_key: Option<&str>) -> Caller {
        Caller {
            org: org.into(),
            role: Role::Reader,
            app_key: app_key.map(AppKey::from),
            address: None,
            request_id: String::new(),
            repeats: false,
        }
    }

    fn limit(per_second: u32) -> (RateLimit<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let limit = RateLimit::new(NonZeroU32::new(per_second).unwrap(), clock.clone());
        (limit, clock)
    }

    #[test]
    fn a_bucket_holds_one_second_and_fills_evenly() {
        let ((limit, clock), caller) = (limit(4), caller("o1", Some("k1")));
        let after = |ms| {
            clock.advance(Duration::from_millis(ms));
            limit.admits(&caller)
        };
        assert_eq!([0; 5].map(after), [true, true, true, true, false]);
        assert_eq!([249, 1, 0].map(after), [false, true, false]);
        assert_eq!(
            [60_000, 0, 0, 0, 0].map(after),
            [true, true, true, true, false],
            "never more than a second's worth"
        );
    }

    #[test]
    fn callers_are_charged_apart() {
        let (limit, _clock) = limit(1);
        for caller in [
            caller("o1", Some("k1")),
            caller("o1", Some("k2")),
            caller("o1", None),
            caller("o2", None),
            caller("o2", Some("o2")),
        ] {
            assert!(limit.admits(&caller), "{caller:?}");
            assert!(!limit.admits(&caller), "{caller:?}");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let (limit, _clock) = limit(1);
        for n in 0..3 * CALLERS_MAX {
            limit.admits(&caller(&n.to_string(), None));
            assert!(limit.buckets.read().len() <= CALLERS_MAX);
        }
    }

    #[test]
    fn full_buckets_are_forgotten_before_others() {
        let (limit, clock) = limit(1);
        for n in 0..CALLERS_MAX - 1 {
            limit.admits(&caller(&n.to_string(), None));
        }
        clock.advance(Duration::from_secs(2));
        let late = caller("late", None);
        assert!(limit.admits(&late));
        assert!(!limit.admits(&late), "it is still known");
        assert_eq!(limit.buckets.read().len(), 1);
    }
}
