//! One signal to stop, seen by all.

use tokio::sync::watch;

/// Says stop.
#[derive(Debug)]
pub struct Stop(watch::Sender<bool>);

/// Hears it; cheap to clone.
#[derive(Debug, Clone)]
pub struct Stopped(watch::Receiver<bool>);

/// A pair of both.
#[must_use]
pub fn channel() -> (Stop, Stopped) {
    let (sender, receiver) = watch::channel(false);
    (Stop(sender), Stopped(receiver))
}

impl Stop {
    /// Everybody stops from now on.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stopped {
    /// Returns once stop was said, or its owner is gone.
    pub async fn wait(mut self) {
        // A sender that is gone is as good as a stop.
        let _gone = self.0.wait_for(|stopped| *stopped).await;
    }

    /// Whether stop was said.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }
}
