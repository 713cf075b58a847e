//! The way to the devices as a test sees it: it records what the engine orders, and does nothing of its own.

use std::collections::BTreeSet;

use aldis_core::ids::DeviceNo;
use parking_lot::Mutex;

use crate::link::{DeviceLink, Order, Outgoing, SessionNo};

/// Everything that the engine has ordered since the last look.
#[derive(Default)]
pub(super) struct FakeLink {
    orders: Mutex<Vec<Order>>,
    /// Who is online, for searches.
    pub(super) online: Mutex<BTreeSet<DeviceNo>>,
}

impl DeviceLink for FakeLink {
    fn carry_out(&self, orders: Vec<Order>) {
        self.orders.lock().extend(orders);
    }
}

impl FakeLink {
    /// Takes out what `pick` wants, in order; the rest stays.
    fn take<T>(&self, pick: impl Fn(Order) -> Result<T, Order>) -> Vec<T> {
        let mut orders = self.orders.lock();
        let mut picked = Vec::new();
        for order in std::mem::take(&mut *orders) {
            match pick(order) {
                Ok(wanted) => picked.push(wanted),
                Err(other) => orders.push(other),
            }
        }
        picked
    }

    pub(super) fn attempts(&self) -> Vec<Outgoing> {
        self.take(|order| match order {
            Order::Publish(outgoing) => Ok(outgoing),
            other => Err(other),
        })
    }

    pub(super) fn resets(&self) -> Vec<SessionNo> {
        self.take(|order| match order {
            Order::Reset { session, .. } => Ok(session),
            other => Err(other),
        })
    }

    pub(super) fn breaks(&self) -> Vec<SessionNo> {
        self.take(|order| match order {
            Order::Break { session } => Ok(session),
            other => Err(other),
        })
    }

    /// What gateways have been told.
    pub(super) fn told(&self) -> Vec<Order> {
        self.take(|order| match order {
            Order::Notify { .. } => Ok(order),
            other => Err(other),
        })
    }

    pub(super) fn acknowledged(&self) -> Vec<u16> {
        self.take(|order| match order {
            Order::Acknowledge { packet, .. } => Ok(packet),
            other => Err(other),
        })
    }

    pub(super) fn forget_all(&self) {
        self.orders.lock().clear();
    }
}
