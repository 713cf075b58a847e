//! Where everything for the writer arrives, bounded, in the order of arrival per kind.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::WriterRequest;
use crate::link::DeviceEvent;

/// Events that may wait before devices are no longer read from: a few turns' worth.
const EVENTS_MAX: usize = 32_768;
/// Requests that may wait before callers are turned away; each belongs to an open HTTP request.
const REQUESTS_MAX: usize = 4_096;

/// More events than single commands ever bring in one turn.
const CROWD: usize = 16;

/// What came in since the last turn.
#[derive(Debug, Default)]
pub struct Received {
    /// From devices.
    pub events: Vec<DeviceEvent>,
    /// From operators.
    pub requests: Vec<WriterRequest>,
}

#[derive(Default)]
struct Waiting {
    received: Received,
    closed: bool,
}

/// The writer's bounded inbox.
pub struct Inbox {
    waiting: Mutex<Waiting>,
    wake: Box<dyn Fn() + Send + Sync>,
    room: Notify,
    logins_changed: watch::Sender<u64>,
}

impl Inbox {
    /// An empty inbox that calls `wake` when something arrives in it.
    #[must_use]
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            waiting: Mutex::new(Waiting::default()),
            wake: Box::new(wake),
            room: Notify::new(),
            logins_changed: watch::Sender::new(0),
        })
    }

    /// Takes a request in; false if there are too many, or if the server is stopping.
    pub fn submit(&self, request: WriterRequest) -> bool {
        let mut waiting = self.waiting.lock();
        if waiting.closed || waiting.received.requests.len() >= REQUESTS_MAX {
            return false;
        }
        waiting.received.requests.push(request);
        drop(waiting);
        (self.wake)();
        true
    }

    /// Takes in what follows from something already done, however much there is: it is bounded by what it follows from.
    pub fn enqueue_unbounded(&self, request: WriterRequest) {
        self.waiting.lock().received.requests.push(request);
        (self.wake)();
    }

    /// Takes in that sessions have to be looked at, because a commit has changed who may be logged in, or may have.
    ///
    /// The count goes up before the requests are in: a login that was checked before the commit either finds the count
    /// changed once its session is reported, and is checked again, or has reported the session before these requests.
    pub fn check_sessions(&self, requests: Vec<WriterRequest>) {
        self.logins_changed.send_modify(|changes| *changes += 1);
        self.waiting.lock().received.requests.extend(requests);
        (self.wake)();
    }

    /// How many commits since the start have changed who may be logged in.
    pub fn logins_changed(&self) -> u64 {
        *self.logins_changed.borrow()
    }

    /// The same count, to wait for its next change.
    pub fn login_changes(&self) -> watch::Receiver<u64> {
        self.logins_changed.subscribe()
    }

    /// Takes an event in; false if its sender should now pause. A PUBACK alone does not wake an idle writer: it waits
    /// for company, at most until the writer's next look.
    pub fn report(&self, event: DeviceEvent) -> bool {
        let urgent = !matches!(event, DeviceEvent::Acked { .. });
        let mut waiting = self.waiting.lock();
        waiting.received.events.push(event);
        let full = waiting.received.events.len() >= EVENTS_MAX;
        drop(waiting);
        if urgent {
            (self.wake)();
        }
        !full
    }

    /// Every request that has arrived, and events, the oldest first; senders that paused may go on. If more events
    /// wait than `events_max`, those that are `preferred` come before the others. A request about sessions is taken
    /// with every event that arrived before it: the login that it is about may be among them.
    pub fn take(&self, events_max: usize, preferred: impl Fn(&DeviceEvent) -> bool) -> Received {
        let mut waiting = self.waiting.lock();
        let mut received = std::mem::take(&mut waiting.received);
        let about_sessions = received.requests.iter().any(WriterRequest::is_about_sessions);
        let events_max = if about_sessions { usize::MAX } else { events_max };
        if received.events.len() > events_max {
            let (mut first, later): (Vec<_>, Vec<_>) = received.events.into_iter().partition(preferred);
            first.extend(later);
            waiting.received.events = first.split_off(events_max);
            received.events = first;
        }
        drop(waiting);
        self.room.notify_waiters();
        received
    }

    /// The requests alone: events stay, and senders feel it, while earlier ones are not yet recorded. Requests about
    /// sessions stay with the events.
    pub fn take_requests(&self) -> Vec<WriterRequest> {
        let mut waiting = self.waiting.lock();
        let requests = std::mem::take(&mut waiting.received.requests);
        let (stay, taken) = requests.into_iter().partition(WriterRequest::is_about_sessions);
        waiting.received.requests = stay;
        taken
    }

    /// Whether a request waits.
    pub fn has_requests(&self) -> bool {
        !self.waiting.lock().received.requests.is_empty()
    }

    /// Whether devices say so much that the turn is one of many in a row.
    pub fn is_crowded(&self) -> bool {
        self.waiting.lock().received.events.len() >= CROWD
    }

    /// Whether something that is worth a turn waits.
    pub fn is_empty(&self) -> bool {
        let waiting = self.waiting.lock();
        waiting.received.events.is_empty() && waiting.received.requests.is_empty()
    }

    /// No more requests are taken; events still are, so that replies read are recorded.
    pub fn close(&self) {
        self.waiting.lock().closed = true;
    }

    /// Waits until there is room for events.
    pub async fn room(&self) {
        loop {
            let notified = self.room.notified();
            if self.waiting.lock().received.events.len() < EVENTS_MAX {
                return;
            }
            notified.await;
        }
    }
}
