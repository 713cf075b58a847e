//! Who is online, and the way of an order to its connection.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use aldis_core::ids::DeviceNo;
use aldis_store::Presence;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use crate::link::{DeviceEvent, DeviceLink, Order, Outgoing, SessionNo};
use crate::writer::Writer;

/// Orders for one connection. At most one command is in flight per device, so the queue stays short: a command, and an
/// acknowledgement for each reply that the device has sent.
#[derive(Default)]
struct Waiting {
    orders: VecDeque<Order>,
    over: bool,
}

/// Where a connection finds its orders.
pub(super) struct Mailbox {
    pub(super) session: SessionNo,
    pub(super) device: DeviceNo,
    waiting: Mutex<Waiting>,
    pub(super) arrived: Notify,
}

impl Mailbox {
    /// Puts an order in; gives it back if the connection is over.
    fn put(&self, order: Order) -> Option<Order> {
        let mut waiting = self.waiting.lock();
        if waiting.over {
            return Some(order);
        }
        waiting.orders.push_back(order);
        drop(waiting);
        self.arrived.notify_one();
        None
    }

    /// The next order. What lies behind it stays, and is handed back if this one ends the connection.
    pub(super) fn next(&self) -> Option<Order> {
        self.waiting.lock().orders.pop_front()
    }

    fn end(&self) -> VecDeque<Order> {
        let mut waiting = self.waiting.lock();
        waiting.over = true;
        std::mem::take(&mut waiting.orders)
    }
}

#[derive(Default)]
struct Tables {
    by_device: HashMap<DeviceNo, Arc<Mailbox>>,
    by_session: HashMap<SessionNo, Arc<Mailbox>>,
}

/// All live sessions.
pub struct Sessions {
    tables: RwLock<Tables>,
    numbers: AtomicU64,
    writer: Writer,
    stopping: AtomicBool,
}

impl Sessions {
    /// No session yet; events go to `writer`.
    #[must_use]
    pub fn new(writer: Writer) -> Arc<Self> {
        Arc::new(Self {
            tables: RwLock::default(),
            numbers: AtomicU64::new(1),
            writer,
            stopping: AtomicBool::new(false),
        })
    }

    /// How many devices are online.
    #[must_use]
    pub fn count(&self) -> usize {
        self.tables.read().by_device.len()
    }

    /// A device has logged in: it is online from now on, and an earlier session of it is ended.
    pub(super) fn enter(&self, device: DeviceNo) -> Arc<Mailbox> {
        let session = SessionNo(self.numbers.fetch_add(1, Ordering::Relaxed));
        let mailbox = Arc::new(Mailbox {
            session,
            device,
            waiting: Mutex::default(),
            arrived: Notify::new(),
        });
        let mut tables = self.tables.write();
        let earlier = tables.by_device.insert(device, Arc::clone(&mailbox));
        tables.by_session.insert(session, Arc::clone(&mailbox));
        drop(tables);
        if let Some(earlier) = earlier {
            tracing::info!(
                device = device.0,
                "a second login of the device ends its first connection"
            );
            earlier.put(Order::Reset {
                session: earlier.session,
            });
        }
        self.writer.report(DeviceEvent::Connected { session, device });
        mailbox
    }

    /// A session has ended: what was ordered and has not left certainly never will.
    pub(super) fn leave(&self, mailbox: &Arc<Mailbox>) {
        let mut tables = self.tables.write();
        tables.by_session.remove(&mailbox.session);
        if tables
            .by_device
            .get(&mailbox.device)
            .is_some_and(|current| current.session == mailbox.session)
        {
            tables.by_device.remove(&mailbox.device);
        }
        drop(tables);
        for order in mailbox.end() {
            self.hand_back(order);
        }
        self.writer.report(DeviceEvent::Disconnected {
            session: mailbox.session,
            device: mailbox.device,
        });
    }

    fn hand_back(&self, order: Order) {
        if let Order::Publish(outgoing) = order {
            self.not_sent(&outgoing);
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

    /// Ends every session, politely: what was said before is still delivered. The server stops.
    pub fn end_all(&self) {
        self.stopping.store(true, Ordering::Release);
        for mailbox in self.tables.read().by_session.values() {
            mailbox.put(Order::Reset {
                session: mailbox.session,
            });
        }
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
        let mut homeless = Vec::new();
        let tables = self.tables.read();
        for order in orders {
            let session = match &order {
                Order::Publish(outgoing) => outgoing.session,
                Order::Acknowledge { session, .. } | Order::Reset { session } => *session,
            };
            match tables.by_session.get(&session) {
                Some(mailbox) => homeless.extend(mailbox.put(order)),
                None => homeless.push(order),
            }
        }
        drop(tables);
        for order in homeless {
            self.hand_back(order);
        }
    }
}

#[cfg(test)]
mod tests {
    use aldis_core::command::Command;
    use aldis_core::ids::{AttemptNo, TaskNo, WireId};
    use aldis_core::time::Timestamp;

    use super::*;
    use crate::link::Gate;
    use crate::writer::Inbox;

    fn outgoing(session: SessionNo) -> Outgoing {
        Outgoing {
            session,
            device: DeviceNo(1),
            wire: WireId::new(TaskNo(1), AttemptNo(1)),
            command: Arc::new(Command::InvokeService {
                service_id: "spin".to_owned(),
                input: serde_json::Map::new(),
            }),
            gate: Arc::new(Gate::default()),
            not_after: Timestamp(i64::MAX),
        }
    }

    #[test]
    fn a_command_behind_the_end_of_its_session_is_handed_back() {
        let inbox = Inbox::new(|| {});
        let sessions = Sessions::new(Writer::new(Arc::clone(&inbox)));
        let first = sessions.enter(DeviceNo(1));
        sessions.enter(DeviceNo(1));
        let late = outgoing(first.session);
        sessions.carry_out(vec![Order::Publish(late.clone())]);
        assert!(
            matches!(first.next(), Some(Order::Reset { .. })),
            "the second login ends the first session"
        );
        sessions.leave(&first);
        let handed_back = DeviceEvent::NotSent {
            device: DeviceNo(1),
            wire: late.wire,
        };
        assert!(inbox.take().events.contains(&handed_back));
        assert!(!late.gate.take());
    }
}
