//! Where questions to the store run that would hold up a network thread.

/// A piece of work that blocks its thread for a while.
pub type Work = Box<dyn FnOnce() + Send>;

/// Runs work that blocks. The server has a pool of threads; the simulation runs it at once, so that a seed repeats.
pub trait Blocking: Send + Sync {
    /// Runs `work` once, now or later. A panic of `work` must not reach the caller's thread.
    fn run(&self, work: Work);
}

/// The threads for blocking work of the Tokio runtime that the caller is on.
#[derive(Debug, Clone, Copy, Default)]
pub struct BlockingPool;

impl Blocking for BlockingPool {
    fn run(&self, work: Work) {
        // The work itself says when it has ended, so nothing waits for its handle.
        drop(tokio::task::spawn_blocking(work));
    }
}
