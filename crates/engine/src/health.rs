//! What keeps the server from doing its work, for `/health/ready` (docs/api.md, "Health"). The engine says what it
//! meets, the shutdown that it has begun; whether the writer answers at all is asked by `api::health`.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

/// The state of this process, shared by the writer and the API.
#[derive(Debug, Default)]
pub struct Health {
    store_failing: AtomicBool,
    stopping: AtomicBool,
    held: Mutex<Option<&'static str>>,
}

impl Health {
    /// A commit or a read of the writer has failed, or (`false`) a commit has succeeded.
    pub fn store_fails(&self, failing: bool) {
        // Called after every commit: a write to a shared cache line is saved while nothing changes.
        if self.store_failing.load(Ordering::Relaxed) != failing {
            self.store_failing.store(failing, Ordering::Relaxed);
        }
    }

    /// No command leaves, for this reason; `None`: commands leave again.
    pub fn hold_dispatch(&self, reason: Option<&'static str>) {
        *self.held.lock() = reason;
    }

    /// The server has begun to stop.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Everything that is wrong at the moment, in words without names; empty if nothing is.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let failing = self
            .store_failing
            .load(Ordering::Relaxed)
            .then(|| "store failing".to_owned());
        let held = (*self.held.lock()).map(|reason| format!("dispatch held: {reason}"));
        let stopping = self.stopping.load(Ordering::Relaxed).then(|| "stopping".to_owned());
        [failing, held, stopping].into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_come_and_go_with_their_causes() {
        let health = Health::default();
        assert!(health.reasons().is_empty());
        health.store_fails(true);
        health.hold_dispatch(Some("the clock is in doubt"));
        health.stop();
        assert_eq!(
            health.reasons(),
            ["store failing", "dispatch held: the clock is in doubt", "stopping"]
        );
        health.store_fails(false);
        health.hold_dispatch(None);
        assert_eq!(health.reasons(), ["stopping"]);
    }
}
