//! Carries out what the engine orders.
//!
//! Orders come by the batch. Those of one connection follow each other and make one write to its socket.

use std::convert::Infallible;
use std::sync::Arc;

use super::Gateway;
use super::close_reason::{CloseReason, WireError};
use super::connection_handle::{ConnectionHandle, Outbox};
use super::templates::Templates;
use aldis_engine::link::{Cause, ConnectionNo, Order, Outgoing};

/// Connections whose orders are carried out before devices are read from again.
const CONNECTIONS_AT_ONCE: usize = 64;

fn connection(order: &Order) -> ConnectionNo {
    order.session().connection()
}

impl Gateway {
    /// Carries out orders as they come.
    pub(super) async fn carry_out_orders(&self) -> Infallible {
        let mut templates = Templates::default();
        loop {
            let mut orders = self.sessions.ordered().await;
            orders.sort_by_key(connection);
            let mut orders = orders.into_iter().peekable();
            let mut connections = 0;
            while let Some(connected) = orders.peek().map(connection) {
                let handle = self.sessions.handle(connected);
                let ours = std::iter::from_fn(|| orders.next_if(|order| connection(order) == connected));
                self.carry_out_for(handle, ours, &mut templates);
                connections += 1;
                if connections % CONNECTIONS_AT_ONCE == 0 {
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    fn carry_out_for(
        &self,
        handle: Option<Arc<ConnectionHandle>>,
        orders: impl Iterator<Item = Order>,
        templates: &mut Templates,
    ) {
        let Some(handle) = handle else {
            return orders.for_each(|order| self.sessions.hand_back(&order));
        };
        let mut outbox = handle.outbox();
        for order in orders {
            if let Err(error) = self.carry_out(&handle, &mut outbox, &order, templates) {
                outbox.end(error.into());
            }
        }
        handle.send(&mut outbox, &*self.clock);
    }

    fn carry_out(
        &self,
        handle: &ConnectionHandle,
        outbox: &mut Outbox,
        order: &Order,
        templates: &mut Templates,
    ) -> Result<(), WireError> {
        if outbox.is_over() {
            self.sessions.hand_back(order);
            return Ok(());
        }
        match order {
            Order::Publish(outgoing) if outgoing.session == handle.session => {
                if self.may_leave(outgoing) {
                    let put =
                        outbox.put_command(&handle.keys, handle.qos, templates.of(&outgoing.command), outgoing)?;
                    self.sessions.unless_put(put, outgoing);
                }
            }
            Order::Publish(outgoing) => self.publish_over(outbox, outgoing, templates)?,
            Order::Acknowledge { packet, .. } => {
                if let Some(packet_id) = std::num::NonZeroU16::new(*packet) {
                    outbox.put_puback(packet_id);
                }
            }
            Order::Notify { change, sub_device, .. } => {
                let id = self.sessions.next_notice(self.clock.now());
                let message = change.notification(id, handle.keys.product(), handle.keys.device(), sub_device);
                outbox.put_message(&message.topic, &message.payload)?;
            }
            Order::Reset { session, cause } if *session != handle.session => {
                if let Some(member) = outbox.remove_member(*session) {
                    self.sessions.left(handle, &member, &cause.to_string());
                }
            }
            Order::Reset { cause, .. } => outbox.end(CloseReason::Ordered(*cause)),
            Order::Break { .. } => outbox.end(CloseReason::Ordered(Cause::Unacknowledged)),
        }
        Ok(())
    }

    /// To a sub-device, as long as it is in.
    fn publish_over(
        &self,
        outbox: &mut Outbox,
        outgoing: &Outgoing,
        templates: &mut Templates,
    ) -> Result<(), WireError> {
        let member = outbox.members().and_then(|members| members.get(outgoing.session));
        let Some((keys, qos)) = member.map(|member| (Arc::clone(&member.keys), member.qos)) else {
            self.sessions.not_sent(outgoing);
            return Ok(());
        };
        if self.may_leave(outgoing) {
            let put = outbox.put_command(&keys, qos, templates.of(&outgoing.command), outgoing)?;
            self.sessions.unless_put(put, outgoing);
        }
        Ok(())
    }

    /// The last look before the socket: too late, or taken back meanwhile, and it does not leave.
    fn may_leave(&self, outgoing: &Outgoing) -> bool {
        if self.clock.now() >= outgoing.not_after {
            self.sessions.not_sent(outgoing);
            return false;
        }
        outgoing.gate.take()
    }
}
