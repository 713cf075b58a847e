//! Who is online, and where orders wait until they are carried out.
//!
//! The code path that removes a sub-device's session from the table reports its end, and no other; a connection's own
//! session is reported by the connection. Reports are made under the table's lock, so that they come in the order of
//! what they tell.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use aldis_app::Presence;
use aldis_core::ids::DeviceNo;
use aldis_core::time::{Clock, Timestamp};
use aldis_protocol::report::Change;
use aldis_store::OnlineDevices;
use foldhash::fast::FixedState;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use super::close_reason::CloseReason;
use super::connection_handle::ConnectionHandle;
use super::entrant::Entrant;
use super::members::SubDevice;
use super::session_params::SessionParams;
use super::transport::Transport;
use aldis_engine::Shared;
use aldis_engine::link::{Cause, ConnectionNo, DeviceEvent, DeviceLink, Order, Outgoing, SessionNo};
use aldis_engine::session_contention::{Route, SessionContention};
use aldis_engine::trace::Event;
use aldis_engine::writer::Writer;

/// By a number that no stranger chooses, hence a fast hash.
type ByNumber<N, T> = HashMap<N, T, FixedState>;

/// Ids of messages to gateways begin here: below those of attempts, which begin at 10^18.
const NOTICE_IDS: u64 = 100_000_000_000_000_000;
const NOTICES_PER_MS: u64 = 10_000;
/// Until the year 4,821.
const NOTICE_MOMENTS: u64 = 90_000_000_000_000;

#[derive(Default)]
struct Tables {
    by_device: ByNumber<DeviceNo, SessionNo>,
    by_connection: ByNumber<ConnectionNo, Arc<ConnectionHandle>>,
}

/// All live sessions.
pub struct Sessions {
    tables: RwLock<Tables>,
    numbers: AtomicU64,
    writer: Writer,
    shared: Shared,
    clock: Arc<dyn Clock>,
    /// Not carried out yet. Bounded by what is in flight: a command per device, and the acknowledgements of what it has
    /// sent.
    orders: Mutex<Vec<Order>>,
    arrived: Notify,
    stopping: AtomicBool,
    /// Messages to gateways so far.
    notices: AtomicU64,
    /// The lists of revoked certificates have been read again.
    lists_read: Notify,
}

/// A device's presence; it ends when this is dropped, however that comes about.
pub(super) struct Present {
    sessions: Arc<Sessions>,
    pub(super) handle: Arc<ConnectionHandle>,
}

impl Drop for Present {
    fn drop(&mut self) {
        self.sessions.leave(&self.handle);
    }
}

impl Sessions {
    /// No session yet; events go to `writer`.
    #[must_use]
    pub fn new(writer: Writer, shared: Shared, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            tables: RwLock::default(),
            numbers: AtomicU64::new(1),
            writer,
            shared,
            clock,
            orders: Mutex::default(),
            arrived: Notify::new(),
            stopping: AtomicBool::new(false),
            notices: AtomicU64::new(0),
            lists_read: Notify::new(),
        })
    }

    /// How many devices are online.
    #[must_use]
    pub fn count(&self) -> usize {
        self.tables.read().by_device.len()
    }

    /// A device has logged in: it is online from now on, and an earlier session of it is ended.
    pub(super) fn enter(
        self: &Arc<Self>,
        entrant: Entrant,
        transport: Transport,
        params: SessionParams,
        from: SocketAddr,
    ) -> Present {
        let session = SessionNo::own(ConnectionNo(self.numbers.fetch_add(1, Ordering::Relaxed)));
        let device = entrant.device;
        let handle = Arc::new(ConnectionHandle::new(session, entrant, transport, params));
        let mut tables = self.tables.write();
        tables.by_connection.insert(session.connection(), Arc::clone(&handle));
        let earlier = tables.by_device.insert(device, session);
        self.writer.report(DeviceEvent::Connected { session, device });
        drop(tables);
        self.end_earlier(device, earlier, (session, Route::Own));
        self.note(device, Event::Connected(from));
        Present {
            sessions: Arc::clone(self),
            handle,
        }
    }

    /// A sub-device has logged in over its gateway's connection: it is online from now on, and an earlier session of it
    /// is ended. `None` if the connection is about to end.
    pub(super) fn enter_over(&self, handle: &ConnectionHandle, entrant: Entrant) -> Option<SessionNo> {
        let device = entrant.device;
        let session = handle.outbox().add_member(handle.session.connection(), entrant)?;
        let mut tables = self.tables.write();
        let earlier = tables.by_device.insert(device, session);
        self.writer.report(DeviceEvent::Connected { session, device });
        drop(tables);
        self.end_earlier(device, earlier, (session, Route::Gateway(handle.device)));
        self.note(device, Event::LoggedIn(named(handle)));
        Some(session)
    }

    /// The device has logged in anew; over the same connection that is no takeover.
    fn end_earlier(&self, device: DeviceNo, earlier: Option<SessionNo>, (session, route): (SessionNo, Route)) {
        let ousted = earlier.is_some_and(|earlier| earlier.connection() != session.connection());
        self.contention().note(device, route, ousted, Instant::now());
        let Some(earlier) = earlier else { return };
        if ousted {
            self.note(device, Event::Replaced);
        }
        let handle = self.handle(earlier.connection());
        if earlier.shared().is_some() {
            let member = handle.and_then(|handle| handle.outbox().remove_member(earlier));
            drop(member);
            self.writer.report(DeviceEvent::Disconnected {
                session: earlier,
                device,
            });
        } else if let Some(handle) = handle {
            tracing::info!(
                device = device.0,
                "a second login of the device ends its first connection"
            );
            handle.outbox().end(CloseReason::TakenOver);
        }
    }

    fn leave(&self, handle: &ConnectionHandle) {
        let (session, device) = (handle.session, handle.device);
        self.end_members(handle, "it was cut off");
        let mut tables = self.tables.write();
        tables.by_connection.remove(&session.connection());
        if tables.by_device.get(&device) == Some(&session) {
            tables.by_device.remove(&device);
        }
        self.writer.report(DeviceEvent::Disconnected { session, device });
        drop(tables);
    }

    /// A connection is over, for this reason, and with it the sessions of the sub-devices that are still in over it.
    pub(super) fn end_members(&self, handle: &ConnectionHandle, why: &str) {
        let members = handle.outbox().close();
        for member in members {
            self.left(handle, &member, &format!("its gateway's connection has ended: {why}"));
        }
    }

    /// A sub-device's session has ended, unless it has logged in elsewhere: then that has been reported.
    pub(super) fn left(&self, handle: &ConnectionHandle, member: &SubDevice, why: &str) {
        let (session, device) = (member.session, member.device);
        let mut tables = self.tables.write();
        if tables.by_device.get(&device) == Some(&session) {
            tables.by_device.remove(&device);
            self.writer.report(DeviceEvent::Disconnected { session, device });
            self.note(device, Event::Ended(format!("{why} (gateway {})", named(handle))));
        }
        drop(tables);
    }

    /// A connection that has not ended.
    pub(super) fn handle(&self, connection: ConnectionNo) -> Option<Arc<ConnectionHandle>> {
        self.tables.read().by_connection.get(&connection).cloned()
    }

    /// The id of another message to a gateway: 18 digits, and none is used twice while ten thousand fit into a
    /// millisecond.
    pub(super) fn next_notice(&self, now: Timestamp) -> u64 {
        let count = self.notices.fetch_add(1, Ordering::Relaxed) % NOTICES_PER_MS;
        NOTICE_IDS + now.0.unsigned_abs() % NOTICE_MOMENTS * NOTICES_PER_MS + count
    }

    /// Waits for orders and takes them.
    pub(super) async fn ordered(&self) -> Vec<Order> {
        loop {
            let orders = std::mem::take(&mut *self.orders.lock());
            if !orders.is_empty() {
                return orders;
            }
            self.arrived.notified().await;
        }
    }

    /// An order for a session that has ended: a command certainly never left.
    pub(super) fn hand_back(&self, order: &Order) {
        if let Order::Publish(outgoing) = order {
            self.not_sent(outgoing);
        }
    }

    /// Reports an attempt that certainly never left, unless the engine has withdrawn it itself.
    pub(super) fn not_sent(&self, outgoing: &Outgoing) {
        if outgoing.gate.withdraw() {
            self.writer.report(DeviceEvent::NotSent {
                device: outgoing.device,
                wire: outgoing.wire,
            });
        }
    }

    /// Reports an attempt that is larger than its client takes, if it was not put among what is sent.
    pub(super) fn unless_put(&self, put: bool, outgoing: &Outgoing) {
        if !put {
            let (device, wire) = (outgoing.device, outgoing.wire);
            tracing::warn!(device = device.0, "a command is larger than its client takes");
            self.writer.report(DeviceEvent::TooLarge { device, wire });
        }
    }

    /// Ends every session once everything ordered so far is carried out, politely: what was said before is still
    /// delivered. The server stops.
    pub fn end_all(&self) {
        self.stopping.store(true, Ordering::Release);
        let connections: Vec<_> = self.tables.read().by_connection.keys().copied().collect();
        let sessions = connections.into_iter().map(SessionNo::own);
        let end = |session| Order::Reset {
            session,
            cause: Cause::Stopping,
        };
        self.carry_out(sessions.map(end).collect());
    }

    /// Ends the connections of all whose certificates have been revoked: the lists have been read again.
    pub fn end_revoked(&self) {
        self.lists_read.notify_waiters();
        let handles: Vec<_> = self.tables.read().by_connection.values().cloned().collect();
        for handle in handles {
            if handle.transport.is_revoked() {
                tracing::info!(
                    device = handle.device.0,
                    "a device whose certificate has been revoked is shown out"
                );
                handle.outbox().end(CloseReason::Revoked);
            }
        }
    }

    /// Waits until the certificate of a connection that is no device's presence has been revoked.
    pub(super) async fn until_revoked(&self, transport: &Transport) {
        loop {
            // A wait that begins here misses no list that is read after the look at the present one.
            let read_again = self.lists_read.notified();
            if transport.is_revoked() {
                return;
            }
            read_again.await;
        }
    }

    /// Whether sessions end because the server stops.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Takes note of something that no row of the store tells.
    pub(super) fn note(&self, device: DeviceNo, event: Event) {
        self.shared.traces.note(device, self.clock.now(), event);
    }

    /// Keeps the values that devices have reported.
    pub(super) fn keep_reported(&self, reported: Vec<(DeviceNo, Vec<Change>)>) {
        let now = self.clock.now();
        for (device, changes) in reported {
            self.shared.latest.take(device, changes, now);
        }
    }

    /// Whether a device that is in would be thrown out once more, after that has happened again and again.
    pub(super) fn is_flapping(&self, device: DeviceNo) -> bool {
        self.tables.read().by_device.contains_key(&device) && self.contention().is_flapping(device, Instant::now())
    }

    /// The same of a sub-device that logs in this way: its last holder may come back.
    pub(super) fn is_flapping_for(&self, device: DeviceNo, route: Route) -> bool {
        self.tables.read().by_device.contains_key(&device)
            && self.contention().is_flapping_for(device, route, Instant::now())
    }

    /// Which devices are taken over again and again.
    pub(super) fn contention(&self) -> &SessionContention {
        &self.shared.contention
    }

    pub(super) fn writer(&self) -> &Writer {
        &self.writer
    }
}

/// A gateway's name, for those who look for the cause of something.
fn named(handle: &ConnectionHandle) -> String {
    format!("{}/{}", handle.keys.product(), handle.keys.device())
}

impl Presence for Sessions {
    fn is_online(&self, device: DeviceNo) -> bool {
        self.tables.read().by_device.contains_key(&device)
    }

    fn online(&self) -> OnlineDevices {
        let devices: Vec<DeviceNo> = self.tables.read().by_device.keys().copied().collect();
        devices.into_iter().collect()
    }
}

impl DeviceLink for Sessions {
    fn carry_out(&self, orders: Vec<Order>) {
        let mut waiting = self.orders.lock();
        if waiting.is_empty() {
            *waiting = orders;
        } else {
            waiting.extend(orders);
        }
        drop(waiting);
        self.arrived.notify_one();
    }
}
