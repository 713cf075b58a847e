//! What was dropped without changing anything: everyday under faults, worth a number, never worth an error.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the server's start.
#[derive(Debug, Default)]
pub struct Tally {
    /// Replies that name no attempt really sent to that device.
    pub foreign_replies: AtomicU64,
    /// Replies without a readable id.
    pub unreadable_replies: AtomicU64,
    /// Replies to attempts that had already ended.
    pub late_replies: AtomicU64,
    /// PUBACKs of attempts that are not open.
    pub stray_acks: AtomicU64,
}

impl Tally {
    /// One more.
    pub fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
