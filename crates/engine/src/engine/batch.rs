//! The outcome of a turn: the writes of its commit, and the orders and answers that follow the commit.

use std::collections::HashSet;
use std::ops::Range;

use aldis_core::ids::{DeviceNo, TaskNo, WireId};
use aldis_store::{Committed, Done, Write};

use super::queue::QueuePosition;
use crate::link::{DeviceEvent, Order};
use crate::writer::WriterError;

/// Called once the commit has been made, or has failed, with what became of the caller's own writes.
pub(super) type OnCommit = Box<dyn FnOnce(Result<&[Done], WriterError>) + Send>;

/// The outcome of a turn.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) writes: Vec<Write>,
    pub(super) orders: Vec<Order>,
    pub(super) answers: Vec<(Range<usize>, OnCommit)>,
    /// Tasks that exist only once this is committed, and then join their devices' queues.
    pub(super) pending_tasks: Vec<(DeviceNo, QueuePosition)>,
    /// Attempts taken back.
    pub(super) withdrawn: Vec<(DeviceNo, WireId)>,
}

impl Batch {
    /// Takes out the attempts whose steps the store did not apply. They were never made; the events free their slots.
    pub(super) fn take_lost(&mut self, committed: &Committed) -> Vec<DeviceEvent> {
        let steps = self
            .writes
            .iter()
            .zip(&committed.done)
            .filter_map(|(write, done)| match (write, done) {
                (Write::Steps(steps), Done::Steps(applied)) => Some(steps.iter().zip(applied)),
                _ => None,
            });
        let lost = steps
            .flatten()
            .filter(|(_, applied)| !**applied)
            .map(|(step, _)| step.task.no);
        let lost: HashSet<TaskNo> = lost.collect();
        let mut never_made = Vec::new();
        self.orders.retain(|order| match order {
            Order::Publish(outgoing) if lost.contains(&outgoing.wire.task()) => {
                never_made.push(DeviceEvent::NotSent {
                    device: outgoing.device,
                    wire: outgoing.wire,
                });
                false
            }
            Order::Publish(_)
            | Order::Acknowledge { .. }
            | Order::Notify { .. }
            | Order::Reset { .. }
            | Order::Break { .. } => true,
        });
        never_made
    }

    /// Events for a failed commit: no attempt of this turn has left, neither those to be sent nor those taken back.
    pub(super) fn not_sent(&self) -> Vec<DeviceEvent> {
        let published = self.orders.iter().filter_map(|order| match order {
            Order::Publish(outgoing) => Some((outgoing.device, outgoing.wire)),
            Order::Acknowledge { .. } | Order::Notify { .. } | Order::Reset { .. } | Order::Break { .. } => None,
        });
        let withdrawn = self.withdrawn.iter().copied();
        published
            .chain(withdrawn)
            .map(|(device, wire)| DeviceEvent::NotSent { device, wire })
            .collect()
    }
}
