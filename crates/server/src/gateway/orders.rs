//! Carries out what the engine orders.
//!
//! Orders come by the batch. Those of one session follow each other and make one write to its socket.

use std::convert::Infallible;
use std::sync::Arc;

use super::Gateway;
use super::end::{End, WireError};
use super::line::{Line, Outward};
use super::templates::Templates;
use crate::link::{Order, Outgoing};

/// Sessions whose orders are carried out before devices are read from again.
const SESSIONS_AT_ONCE: usize = 64;

impl Gateway {
    /// Carries out orders as they come.
    pub(super) async fn carry_out_orders(&self) -> Infallible {
        let mut templates = Templates::default();
        loop {
            let mut orders = self.sessions.ordered().await;
            orders.sort_by_key(Order::session);
            let mut orders = orders.into_iter().peekable();
            let mut sessions = 0;
            while let Some(session) = orders.peek().map(Order::session) {
                let line = self.sessions.line(session);
                let ours = std::iter::from_fn(|| orders.next_if(|order| order.session() == session));
                self.carry_out_for(line, ours, &mut templates);
                sessions += 1;
                if sessions % SESSIONS_AT_ONCE == 0 {
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    fn carry_out_for(&self, line: Option<Arc<Line>>, orders: impl Iterator<Item = Order>, templates: &mut Templates) {
        let Some(line) = line else {
            return orders.for_each(|order| self.sessions.hand_back(&order));
        };
        let mut outward = line.outward();
        for order in orders {
            if let Err(error) = self.carry_out(&line, &mut outward, &order, templates) {
                outward.end(error.into());
            }
        }
        line.send(&mut outward, &*self.clock);
    }

    fn carry_out(
        &self,
        line: &Line,
        outward: &mut Outward,
        order: &Order,
        templates: &mut Templates,
    ) -> Result<(), WireError> {
        if outward.is_over() {
            self.sessions.hand_back(order);
            return Ok(());
        }
        match order {
            Order::Publish(outgoing) if self.may_leave(outgoing) => {
                outward.put_command(&line.keys, templates.of(&outgoing.command), outgoing)?;
            }
            Order::Publish(_) => {}
            Order::Acknowledge { packet, .. } => {
                if let Some(packet_id) = std::num::NonZeroU16::new(*packet) {
                    outward.put_puback(packet_id);
                }
            }
            Order::Reset { .. } => outward.end(End::Reset),
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
