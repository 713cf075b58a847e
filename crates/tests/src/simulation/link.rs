//! The way to the devices: sessions with orders that are carried out when the simulation says so.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use aldis_app::Presence;
use aldis_core::ids::{DeviceNo, WireId};
use aldis_core::time::Timestamp;
use aldis_engine::link::{Cause, DeviceEvent, DeviceLink, Kinds, Order, Outgoing, SessionNo};
use aldis_engine::writer::Inbox;
use aldis_store::OnlineDevices;
use parking_lot::Mutex;

/// What the engine has ordered since the last look.
pub(super) enum Noted {
    /// An attempt is to be sent: it is durable.
    Ordered(DeviceNo, WireId, Timestamp),
    /// A reply is durable.
    Durable(SessionNo, u16),
}

struct Session {
    device: DeviceNo,
    orders: VecDeque<Order>,
    kinds: Kinds,
}

impl Session {
    /// An order to end it is on its way.
    fn ends(&self) -> bool {
        let mut orders = self.orders.iter();
        orders.any(|order| matches!(order, Order::Reset { .. } | Order::Break { .. }))
    }
}

#[derive(Default)]
struct Inner {
    sessions: BTreeMap<SessionNo, Session>,
    current: HashMap<DeviceNo, SessionNo>,
    numbers: u64,
    inbox: Option<Arc<Inbox>>,
    noted: Vec<Noted>,
    /// On which session each attempt was ordered to be sent.
    ordered: HashMap<WireId, SessionNo>,
    /// Attempts that were ordered in the present turn.
    fresh: Vec<(DeviceNo, WireId)>,
    /// The engine's clock in its present turn.
    now: Timestamp,
}

impl Inner {
    fn report(&self, event: DeviceEvent) {
        if let Some(inbox) = &self.inbox {
            inbox.report(event);
        }
    }

    /// A session that the device had on a connection of its own ends with that, one over another's connection at once.
    fn begin(&mut self, session: SessionNo, device: DeviceNo) {
        let fresh = Session {
            device,
            orders: VecDeque::new(),
            kinds: Kinds::default(),
        };
        self.sessions.insert(session, fresh);
        self.report(DeviceEvent::Connected { session, device });
        let Some(earlier) = self.current.insert(device, session) else {
            return;
        };
        if earlier.shared().is_some() {
            self.leave(earlier);
        } else if let Some(session) = self.sessions.get_mut(&earlier) {
            session.orders.push_back(Order::Reset {
                session: earlier,
                cause: Cause::Replaced,
            });
        }
    }

    fn leave(&mut self, session: SessionNo) {
        let Some(ended) = self.sessions.remove(&session) else {
            return;
        };
        if self.current.get(&ended.device) == Some(&session) {
            self.current.remove(&ended.device);
        }
        for order in ended.orders {
            self.hand_back(order);
        }
        self.report(DeviceEvent::Disconnected {
            session,
            device: ended.device,
        });
    }

    fn hand_back(&self, order: Order) {
        if let Order::Publish(outgoing) = order {
            self.not_sent(&outgoing);
        }
    }

    fn not_sent(&self, outgoing: &Outgoing) {
        if outgoing.gate.withdraw() {
            self.report(DeviceEvent::NotSent {
                device: outgoing.device,
                wire: outgoing.wire,
            });
        }
    }
}

/// All sessions.
#[derive(Default)]
pub(super) struct Wires(Mutex<Inner>);

impl Wires {
    /// The process has started: no session, and this inbox.
    pub(super) fn begin(&self, inbox: Arc<Inbox>) {
        let mut inner = self.0.lock();
        inner.sessions.clear();
        inner.current.clear();
        inner.inbox = Some(inbox);
    }

    /// The process has died, with everything that was on its way.
    pub(super) fn end(&self) {
        let mut inner = self.0.lock();
        inner.sessions.clear();
        inner.current.clear();
        inner.ordered.clear();
        inner.fresh.clear();
        inner.inbox = None;
    }

    /// A turn begins.
    pub(super) fn turn(&self, now: Timestamp) {
        self.0.lock().now = now;
    }

    /// Attempts that the last turn has ordered, for devices that any command could be sent to.
    pub(super) fn fresh(&self) -> Vec<(DeviceNo, WireId)> {
        let fresh = std::mem::take(&mut self.0.lock().fresh);
        let open = fresh
            .into_iter()
            .filter(|(device, _)| self.kinds(*device) == Some(Kinds::ALL));
        open.collect()
    }

    pub(super) fn noted(&self) -> Vec<Noted> {
        std::mem::take(&mut self.0.lock().noted)
    }

    pub(super) fn enter(&self, device: DeviceNo) -> SessionNo {
        let mut inner = self.0.lock();
        inner.numbers += 1;
        let session = SessionNo(inner.numbers);
        inner.begin(session, device);
        session
    }

    /// The device logs in over the connection that another one has.
    pub(super) fn enter_over(&self, device: DeviceNo, gateway: DeviceNo) {
        let mut inner = self.0.lock();
        inner.numbers += 1;
        let own = inner.current.get(&gateway).filter(|session| session.shared().is_none());
        if let Some(session) = own.and_then(|own| SessionNo::over(own.connection(), inner.numbers)) {
            inner.begin(session, device);
        }
    }

    pub(super) fn leave(&self, session: SessionNo) {
        let mut inner = self.0.lock();
        if session.shared().is_none() {
            let over = |no: &SessionNo| *no != session && no.connection() == session.connection();
            let over: Vec<SessionNo> = inner.sessions.keys().copied().filter(over).collect();
            over.into_iter().for_each(|session| inner.leave(session));
        }
        inner.leave(session);
    }

    /// The kinds that a session may be sent only grow.
    pub(super) fn settle(&self, session: SessionNo, kinds: Kinds) {
        let mut inner = self.0.lock();
        let Some(found) = inner.sessions.get_mut(&session) else {
            return;
        };
        found.kinds = Kinds {
            services: found.kinds.services || kinds.services,
            points: found.kinds.points || kinds.points,
        };
        let (kinds, device) = (found.kinds, found.device);
        inner.report(DeviceEvent::Ready { session, device, kinds });
    }

    /// What the device's session may be sent; `None` if it has none, or is about to lose it.
    pub(super) fn kinds(&self, device: DeviceNo) -> Option<Kinds> {
        let inner = self.0.lock();
        let session = inner.sessions.get(inner.current.get(&device)?)?;
        (!session.ends()).then_some(session.kinds)
    }

    /// Who is in over a device's connection, and is not about to be shown out.
    pub(super) fn all_over(&self, gateway: DeviceNo) -> Vec<DeviceNo> {
        let inner = self.0.lock();
        let Some(own) = inner.current.get(&gateway) else {
            return Vec::new();
        };
        let is_over = |no: &SessionNo| no.shared() == Some(own.connection());
        let over = inner.sessions.iter().filter(|(no, _)| is_over(no));
        over.filter(|(_, session)| !session.ends())
            .map(|(_, session)| session.device)
            .collect()
    }

    /// Devices that are in, and not about to be shown out.
    pub(super) fn all_present(&self) -> Vec<DeviceNo> {
        let inner = self.0.lock();
        let goes_on = |session: &SessionNo| inner.sessions.get(session).is_some_and(|session| !session.ends());
        let present = inner.current.iter().filter(|(_, session)| goes_on(session));
        let mut present: Vec<DeviceNo> = present.map(|(device, _)| *device).collect();
        present.sort_unstable();
        present
    }

    /// How many of these attempts went over the connection that this device shares with others; `None` if it has its
    /// own.
    pub(super) fn out_beside(&self, device: DeviceNo, held: impl Iterator<Item = WireId>) -> Option<usize> {
        let inner = self.0.lock();
        let connection = inner.current.get(&device)?.shared()?;
        let over = held.filter_map(|wire| inner.ordered.get(&wire)?.shared());
        Some(over.filter(|other| *other == connection).count())
    }

    pub(super) fn current(&self, device: DeviceNo) -> Option<SessionNo> {
        self.0.lock().current.get(&device).copied()
    }

    /// The sessions of a device, the present one and those that it has taken over.
    pub(super) fn all_of(&self, device: DeviceNo) -> Vec<SessionNo> {
        let inner = self.0.lock();
        inner
            .sessions
            .iter()
            .filter(|(_, session)| session.device == device)
            .map(|(no, _)| *no)
            .collect()
    }

    pub(super) fn is_live(&self, session: SessionNo) -> bool {
        self.0.lock().sessions.contains_key(&session)
    }

    pub(super) fn take_order(&self, session: SessionNo) -> Option<Order> {
        self.0.lock().sessions.get_mut(&session)?.orders.pop_front()
    }

    pub(super) fn not_sent(&self, outgoing: &Outgoing) {
        self.0.lock().not_sent(outgoing);
    }

    pub(super) fn report(&self, event: DeviceEvent) {
        self.0.lock().report(event);
    }

    /// An orderly stop tells every session to end after what was said before.
    pub(super) fn end_all(&self) {
        let mut inner = self.0.lock();
        for (no, session) in &mut inner.sessions {
            session.orders.push_back(Order::Reset {
                session: *no,
                cause: Cause::Stopping,
            });
        }
    }
}

impl DeviceLink for Wires {
    fn carry_out(&self, orders: Vec<Order>) {
        let mut inner = self.0.lock();
        let now = inner.now;
        for order in orders {
            let session = match &order {
                Order::Publish(outgoing) => {
                    inner.noted.push(Noted::Ordered(outgoing.device, outgoing.wire, now));
                    inner.fresh.push((outgoing.device, outgoing.wire));
                    inner.ordered.insert(outgoing.wire, outgoing.session);
                    outgoing.session
                }
                Order::Acknowledge { session, packet } => {
                    inner.noted.push(Noted::Durable(*session, *packet));
                    *session
                }
                Order::Notify { session, .. } | Order::Reset { session, .. } | Order::Break { session } => *session,
            };
            match inner.sessions.get_mut(&session) {
                Some(live) => live.orders.push_back(order),
                None => inner.hand_back(order),
            }
        }
    }
}

impl Presence for Wires {
    fn is_online(&self, device: DeviceNo) -> bool {
        self.0.lock().current.contains_key(&device)
    }

    fn online(&self) -> OnlineDevices {
        self.0.lock().current.keys().copied().collect()
    }
}
