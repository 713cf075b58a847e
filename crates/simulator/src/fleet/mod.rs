//! Thousands of devices on one thread.
//!
//! One light task per device on a single-threaded runtime of the fleet's own, so that a fleet costs one core at most
//! and may be driven from any program. What is shared between the tasks lives in [`Shared`].

mod member;
mod options;
mod outbox;
mod subscribing;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::runtime::Builder;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;

pub use self::options::{BackOff, FleetOptions, Subscribes};
use crate::counters::{Counters, Counts};
use crate::{Behaviour, DeviceIdentity, Handler, Journal, Received, Recipient};

/// Starts fleets.
#[derive(Debug)]
pub struct Fleet;

impl Fleet {
    /// Starts a device for each identity. They connect at once, as many at a time as the options allow, and for ever
    /// try to stay connected; [`FleetHandle::all_connected`] tells when they are.
    ///
    /// # Errors
    /// If the operating system gives no thread or no event queue.
    pub fn start(addr: SocketAddr, devices: Vec<DeviceIdentity>, options: FleetOptions) -> io::Result<FleetHandle> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let (control, wanted) = watch::channel(Control::default());
        let (ended, end) = oneshot::channel();
        let size = devices.len();
        let shared = Arc::new(Shared::new(addr, options));
        let counters = Arc::clone(&shared.counters);
        thread::Builder::new().name("device-fleet".to_owned()).spawn(move || {
            runtime.block_on(run(&shared, devices, &wanted));
            drop(runtime);
            drop(ended);
        })?;
        Ok(FleetHandle {
            size,
            counters,
            control,
            end,
        })
    }
}

async fn run(shared: &Arc<Shared>, devices: Vec<DeviceIdentity>, wanted: &watch::Receiver<Control>) {
    let mut members = JoinSet::new();
    for (index, identity) in devices.into_iter().enumerate() {
        let member = member::SimulatedDevice::new(Arc::clone(shared), identity, index);
        members.spawn(member.run(wanted.clone()));
    }
    // A panic of a handler, which a test's assertion may well cause, must not pass for a quiet device.
    while let Some(ended) = members.join_next().await {
        if let Err(error) = ended
            && let Ok(panic) = error.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

/// What all devices of a fleet have in common.
struct Shared {
    addr: SocketAddr,
    handler: Mutex<Box<dyn Handler>>,
    counters: Arc<Counters>,
    connecting: Semaphore,
    journal: Option<Journal>,
    back_off: BackOff,
    keep_alive_secs: u16,
    replies_with_qos_1: bool,
    subscribes: Subscribes,
}

impl Shared {
    fn new(addr: SocketAddr, options: FleetOptions) -> Self {
        Self {
            addr,
            handler: Mutex::new(options.handler),
            counters: Arc::default(),
            connecting: Semaphore::new(options.parallel_connects.clamp(1, Semaphore::MAX_PERMITS)),
            journal: options.journal,
            back_off: options.back_off,
            keep_alive_secs: options.keep_alive_secs,
            replies_with_qos_1: options.replies_with_qos_1,
            subscribes: options.subscribes,
        }
    }

    fn decide(&self, recipient: &Recipient<'_>, command: &Received) -> Behaviour {
        self.handler
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .handle(recipient, command)
    }
}

/// What the owner of the fleet wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Control {
    presence: Presence,
    /// How often all links had to be cut.
    cuts: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Presence {
    #[default]
    Online,
    Offline,
    Stopped,
}

/// The server does not let a device in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{refused} times the server refused a device, the last time with CONNACK code {code}")]
pub struct Refused {
    /// How often that has happened.
    pub refused: u64,
    /// The code of the latest refusal.
    pub code: u64,
}

/// A running fleet. Dropping it stops the fleet without waiting for the end.
#[derive(Debug)]
pub struct FleetHandle {
    size: usize,
    counters: Arc<Counters>,
    control: watch::Sender<Control>,
    end: oneshot::Receiver<()>,
}

impl FleetHandle {
    /// How many devices it has.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// The figures now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counters.counts()
    }

    /// Waits until the figures are as wanted, and gives them. It has no time limit of its own.
    pub fn wait_until(&self, wanted: impl Fn(&Counts) -> bool + Send) -> impl Future<Output = Counts> + Send {
        let counters = Arc::clone(&self.counters);
        async move { counters.wait_until(wanted).await }
    }

    /// Waits until every device is connected. It has no time limit of its own.
    ///
    /// # Errors
    /// Without delay if the server has ever refused a device for another reason than overload. The fleet goes on
    /// trying; [`Self::wait_until`] waits in spite of that.
    pub async fn all_connected(&self) -> Result<Counts, Refused> {
        let size = u64::try_from(self.size).unwrap_or(u64::MAX);
        let counts = self
            .wait_until(|counts| counts.connected == size || counts.refused > 0)
            .await;
        if counts.connected == size {
            return Ok(counts);
        }
        Err(Refused {
            refused: counts.refused,
            code: counts.refused_with,
        })
    }

    /// Lets all devices take their leave with DISCONNECT and stay away.
    pub fn go_offline(&self) {
        self.control.send_modify(|control| control.presence = Presence::Offline);
    }

    /// Lets all devices connect again.
    pub fn go_online(&self) {
        self.control.send_modify(|control| control.presence = Presence::Online);
    }

    /// Resets all connections at once. The devices come back after their pauses.
    pub fn cut_links(&self) {
        self.control.send_modify(|control| control.cuts += 1);
    }

    /// Lets all devices take their leave with DISCONNECT, and waits until the thread has ended.
    pub async fn stop(mut self) {
        self.tell_to_stop();
        // The sender is dropped unused, so an error is how the end is told.
        drop((&mut self.end).await);
    }

    fn tell_to_stop(&self) {
        self.control.send_modify(|control| control.presence = Presence::Stopped);
    }
}

impl Drop for FleetHandle {
    fn drop(&mut self) {
        self.tell_to_stop();
    }
}

#[cfg(test)]
mod tests;
