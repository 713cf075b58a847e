//! The seam to everything that follows commits without deciding anything: callers that wait, and whatever publishes
//! events.

use aldis_store::{Committed, Error, Read, Write};

/// Follows the engine's commits.
///
/// The engine calls every observer after each commit, in the order of commits, before callers are answered and orders
/// leave. It runs on the writer's thread: an observer takes what it needs and returns.
pub trait CommitObserver: Send + Sync {
    /// A commit is durable: `committed.done` has one result for each of `writes`.
    fn committed(&self, writes: &[Write], committed: &Committed);

    /// A commit may have become durable although the store answered with an error: what the store says now counts.
    ///
    /// # Errors
    /// The store cannot be read; the engine calls again.
    fn answer_lost(&self, store: &dyn Read) -> Result<(), Error> {
        let _ = store;
        Ok(())
    }

    /// The server stops: tasks that have not ended by now end after the next start.
    fn stopping(&self) {}
}
