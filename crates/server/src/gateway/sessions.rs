//! Who is online, and where orders wait until they are carried out.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use aldis_core::ids::DeviceNo;
use aldis_store::Presence;
use foldhash::fast::FixedState;
use parking_lot::{Mutex, RwLock};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::end::End;
use super::keys::Keys;
use super::line::Line;
use crate::link::{DeviceEvent, DeviceLink, Order, Outgoing, SessionNo};
use crate::writer::Writer;

/// By a number that no stranger chooses, hence a fast hash.
type ByNumber<N, T> = HashMap<N, T, FixedState>;

#[derive(Default)]
struct Tables {
    by_device: ByNumber<DeviceNo, SessionNo>,
    by_session: ByNumber<SessionNo, Arc<Line>>,
}

/// All live sessions.
pub struct Sessions {
    tables: RwLock<Tables>,
    numbers: AtomicU64,
    writer: Writer,
    /// Not carried out yet. Bounded by what is in flight: a command per device, and the acknowledgements of what it has sent.
    orders: Mutex<Vec<Order>>,
    arrived: Notify,
    stopping: AtomicBool,
}

/// A device's presence; it ends when this is dropped, however that comes about.
pub(super) struct Present {
    sessions: Arc<Sessions>,
    pub(super) line: Arc<Line>,
}

impl Drop for Present {
    fn drop(&mut self) {
        self.sessions.leave(&self.line);
    }
}

impl Sessions {
    /// No session yet; events go to `writer`.
    #[must_use]
    pub fn new(writer: Writer) -> Arc<Self> {
        Arc::new(Self {
            tables: RwLock::default(),
            numbers: AtomicU64::new(1),
            writer,
            orders: Mutex::default(),
            arrived: Notify::new(),
            stopping: AtomicBool::new(false),
        })
    }

    /// How many devices are online.
    #[must_use]
    pub fn count(&self) -> usize {
        self.tables.read().by_device.len()
    }

    /// A device has logged in: it is online from now on, and an earlier session of it is ended.
    pub(super) fn enter(self: &Arc<Self>, device: DeviceNo, keys: Keys, stream: TcpStream) -> Present {
        let session = SessionNo(self.numbers.fetch_add(1, Ordering::Relaxed));
        let line = Arc::new(Line::new(session, device, keys, stream));
        let mut tables = self.tables.write();
        tables.by_session.insert(session, Arc::clone(&line));
        let earlier = tables.by_device.insert(device, session);
        let earlier = earlier.and_then(|earlier| tables.by_session.get(&earlier).cloned());
        drop(tables);
        if let Some(earlier) = earlier {
            tracing::info!(
                device = device.0,
                "a second login of the device ends its first connection"
            );
            earlier.outward().end(End::Reset);
        }
        self.writer.report(DeviceEvent::Connected { session, device });
        Present {
            sessions: Arc::clone(self),
            line,
        }
    }

    fn leave(&self, line: &Line) {
        let (session, device) = (line.session, line.device);
        line.outward().close();
        let mut tables = self.tables.write();
        tables.by_session.remove(&session);
        if tables.by_device.get(&device) == Some(&session) {
            tables.by_device.remove(&device);
        }
        drop(tables);
        self.writer.report(DeviceEvent::Disconnected { session, device });
    }

    /// The connection of a session that has not ended.
    pub(super) fn line(&self, session: SessionNo) -> Option<Arc<Line>> {
        self.tables.read().by_session.get(&session).cloned()
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

    /// Ends every session once everything ordered so far is carried out, politely: what was said before is still delivered.
    /// The server stops.
    pub fn end_all(&self) {
        self.stopping.store(true, Ordering::Release);
        let sessions: Vec<_> = self.tables.read().by_session.keys().copied().collect();
        self.carry_out(sessions.into_iter().map(|session| Order::Reset { session }).collect());
    }

    /// Whether sessions end because the server stops.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(super) fn writer(&self) -> &Writer {
        &self.writer
    }
}

impl Presence for Sessions {
    fn is_online(&self, device: DeviceNo) -> bool {
        self.tables.read().by_device.contains_key(&device)
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
