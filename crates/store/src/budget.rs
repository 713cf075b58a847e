//! How long a search may go on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The time that a search has, and whether anyone still wants its result.
#[derive(Debug)]
pub struct Budget {
    ends: Instant,
    unwanted: AtomicBool,
}

impl Budget {
    /// A budget of this much time, from now on.
    #[must_use]
    pub fn new(time: Duration) -> Self {
        Self {
            ends: Instant::now() + time,
            unwanted: AtomicBool::new(false),
        }
    }

    /// Ends the search before its time: its result is not wanted any more.
    pub fn give_up(&self) {
        self.unwanted.store(true, Ordering::Relaxed);
    }

    /// Whether the search was given up, in time or not.
    #[must_use]
    pub fn was_given_up(&self) -> bool {
        self.unwanted.load(Ordering::Relaxed)
    }

    /// Whether the search has to end.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.was_given_up() || Instant::now() >= self.ends
    }
}
