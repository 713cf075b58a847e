//! Moments and spans, in milliseconds. The clock itself is a trait so that tests and simulations can turn its hands.

use serde::{Deserialize, Serialize};

/// A moment: Unix epoch milliseconds, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// The largest number that is taken for seconds where milliseconds are expected: as seconds it lies beyond the year
/// 5000, as milliseconds in March 1973.
const SECONDS_MAX: i64 = 100_000_000_000;

impl Timestamp {
    /// A moment that was given in milliseconds; `None` for a number that can only have been meant in seconds.
    #[must_use]
    pub const fn given(ms: i64) -> Option<Self> {
        match ms {
            1..=SECONDS_MAX => None,
            _ => Some(Self(ms)),
        }
    }

    /// The moment `ms` milliseconds later; saturates instead of wrapping.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to `self`; negative if `self` is before it.
    #[must_use]
    pub const fn ms_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Where the time comes from. The real one is attached in the server's wiring alone.
pub trait Clock: Send + Sync {
    /// The current moment. Never goes back.
    fn now(&self) -> Timestamp;

    /// What the machine's wall clock shows, for what is compared with the wall clock of another machine. It may be
    /// wrong, and may go back.
    fn wall(&self) -> Timestamp {
        self.now()
    }

    /// Why the clock is in doubt, in words for an operator: nothing is sent and nothing ends meanwhile. `None` if it is
    /// not.
    fn doubt(&self) -> Option<String> {
        None
    }
}
