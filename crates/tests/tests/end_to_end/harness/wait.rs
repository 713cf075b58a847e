//! Waiting for what has to come, with a limit.

use std::future::Future;
use std::time::{Duration, Instant};

/// Longer than anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks: short enough not to be felt, long enough to leave the processor to the server.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Looks again and again until there is something to see, and fails with `what` if there never is.
#[track_caller]
pub(crate) fn eventually<T, F, L>(what: &str, mut look: L) -> impl Future<Output = T>
where
    L: FnMut() -> F,
    F: Future<Output = Option<T>>,
{
    let caller = std::panic::Location::caller();
    async move {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            assert!(Instant::now() < end, "{caller}: waited in vain for {what}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
