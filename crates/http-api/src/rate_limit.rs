//! How many calls per second each access key may make, if the operator has set a limit (docs/api.md, "Rate limit").
//!
//! A bucket of tokens per key: it holds one second's worth and fills evenly. A call is charged once its signature has
//! been verified, so that no caller can use up the calls of another's key. Requests for tokens and unverified calls are
//! not charged.

use std::collections::HashMap;
use std::num::NonZeroU32;

use aldis_core::ids::{AppKey, OrgId};
use aldis_core::time::Timestamp;
use parking_lot::Mutex;

use aldis_app::Caller;

/// After this many seconds a refused caller has at least one call again, whatever the limit: it is one per second or
/// more.
pub(super) const RETRY_AFTER_S: u64 = 1;
/// Buckets remembered. When there would be more, all are forgotten, which at worst gives each caller one second's worth
/// twice.
const BUCKETS_MAX: usize = 10_000;
/// What a call costs. A bucket gains as many of these per millisecond as there may be calls per second.
const CALL: u64 = 1000;

/// Who is charged.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Payer {
    Key(AppKey),
    /// Unsigned calls of an organization.
    Unsigned(OrgId),
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    holds: u64,
    at: Timestamp,
}

/// The limit, and what each caller has left of it.
#[derive(Debug)]
pub(super) struct RateLimit {
    per_second: NonZeroU32,
    buckets: Mutex<HashMap<Payer, Bucket>>,
}

impl RateLimit {
    pub(super) fn new(per_second: NonZeroU32) -> Self {
        Self {
            per_second,
            buckets: Mutex::default(),
        }
    }

    /// Charges one call; `false`: this caller has none left.
    pub(super) fn admits(&self, caller: &Caller, now: Timestamp) -> bool {
        let payer = match &caller.app_key {
            Some(key) => Payer::Key(key.clone()),
            None => Payer::Unsigned(caller.org.clone()),
        };
        let mut buckets = self.buckets.lock();
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(&payer) {
            buckets.clear();
        }
        let full = CALL * u64::from(self.per_second.get());
        let bucket = buckets.entry(payer).or_insert(Bucket { holds: full, at: now });
        // A clock that was put back gives nothing, and is believed from then on.
        let passed = u64::try_from(now.ms_since(bucket.at)).unwrap_or(0);
        let gained = passed.saturating_mul(u64::from(self.per_second.get()));
        bucket.holds = bucket.holds.saturating_add(gained).min(full);
        bucket.at = now;
        let enough = bucket.holds >= CALL;
        if enough {
            bucket.holds -= CALL;
        }
        enough
    }

    /// What a caller over the limit is told.
    pub(super) fn message(&self) -> String {
        format!("at most {} calls per second are allowed, found more", self.per_second)
    }
}

#[cfg(test)]
mod tests {
    use aldis_store::rows::Role;

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

    fn limit(per_second: u32) -> RateLimit {
        RateLimit::new(NonZeroU32::new(per_second).unwrap())
    }

    #[test]
    fn a_bucket_holds_one_second_and_fills_evenly() {
        let (limit, caller) = (limit(4), caller("o1", Some("k1")));
        let at = |ms| limit.admits(&caller, Timestamp(ms));
        assert_eq!([0; 5].map(at), [true, true, true, true, false]);
        assert_eq!([249, 250, 250].map(at), [false, true, false]);
        assert_eq!(
            [60_000; 5].map(at),
            [true, true, true, true, false],
            "never more than a second's worth"
        );
    }

    #[test]
    fn a_clock_that_is_put_back_stops_nobody_for_long() {
        let (limit, caller) = (limit(1), caller("o1", None));
        assert!(limit.admits(&caller, Timestamp(3_600_000)));
        assert!(!limit.admits(&caller, Timestamp(0)));
        assert!(limit.admits(&caller, Timestamp(1000)));
    }

    #[test]
    fn callers_are_charged_apart() {
        let limit = limit(1);
        for caller in [
            caller("o1", Some("k1")),
            caller("o1", Some("k2")),
            caller("o1", None),
            caller("o2", None),
            caller("o2", Some("o2")),
        ] {
            assert!(limit.admits(&caller, Timestamp(0)), "{caller:?}");
            assert!(!limit.admits(&caller, Timestamp(0)), "{caller:?}");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let limit = limit(1);
        for n in 0..3 * BUCKETS_MAX {
            limit.admits(&caller(&n.to_string(), None), Timestamp(0));
            assert!(limit.buckets.lock().len() <= BUCKETS_MAX);
        }
    }
}
