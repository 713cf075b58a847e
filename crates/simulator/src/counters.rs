//! What has happened so far, countable while it happens, and a way to wait for it without sleeping.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The figures of a fleet at one moment.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)*
        }

        /// The figures of a fleet, while they change.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: Figure,)*
            changed: Notify,
        }

        impl Counters {
            pub(crate) fn counts(&self) -> Counts {
                Counts { $($name: self.$name.get(),)* }
            }
        }
    };
}

counters! {
    /// Devices that are connected now.
    connected,
    /// Connections that the server accepted.
    accepted,
    /// Of these, the ones of a device that had been connected before.
    reconnected,
    /// CONNECTs that the server had no room for just then: CONNACK code 3.
    put_off,
    /// CONNECTs that the server refused with any other code.
    refused,
    /// The code of the latest refusal.
    refused_with,
    /// Attempts to connect that ended without CONNACK.
    unreachable,
    /// Connections that ended otherwise than by the fleet's own DISCONNECT.
    lost,
    /// Commands received.
    commands,
    /// PUBACKs sent for commands.
    pubacks,
    /// Replies sent, second copies included, repetitions after a reconnect not.
    replies,
    /// Replies that the server acknowledged.
    replies_acknowledged,
    /// Replies sent again after a reconnect, because the server had not acknowledged them.
    replies_repeated,
    /// Commands that a subscribing device dropped, because they came before the SUBACK.
    dropped_unsubscribed,
    /// Publications that are no readable command.
    unreadable,
    /// Publications on a topic of another device.
    foreign,
    /// PINGREQs sent.
    pings,
}

/// One figure. Only the fleet's thread changes it, so plain loads and stores of an atomic suffice.
#[derive(Debug, Default)]
pub(crate) struct Figure(AtomicU64);

impl Figure {
    pub(crate) fn add(&self, more: u64) {
        self.set(self.get().wrapping_add(more));
    }

    pub(crate) fn one_less(&self) {
        self.set(self.get().saturating_sub(1));
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Release);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

impl Counters {
    /// Tells everybody who waits that something has changed.
    pub(crate) fn notify(&self) {
        self.changed.notify_waiters();
    }

    /// Waits until the figures are as wanted.
    pub(crate) async fn wait_until(&self, wanted: impl Fn(&Counts) -> bool) -> Counts {
        loop {
            // Registered before looking, or a change in between would be lost.
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let counts = self.counts();
            if wanted(&counts) {
                return counts;
            }
            changed.await;
        }
    }
}
