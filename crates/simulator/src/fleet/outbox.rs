//! The replies of one device: those whose time has not come, and those that the server has not acknowledged.
//!
//! It outlives connections, as in the vendor's libraries: what could not be sent, or was not acknowledged, goes out on
//! the next connection.

use std::collections::VecDeque;
use std::num::NonZeroU16;

use bytes::Bytes;
use rmqtt_codec::types::{Publish, QoS};
use tokio::time::Instant;

/// Far more than a server that sends one command at a time leaves a device to answer. The oldest goes first.
const REPLIES_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct Outbox {
    qos: QoS,
    last_packet_id: u16,
    waiting: Vec<(Instant, Box<Publish>)>,
    unacknowledged: VecDeque<Box<Publish>>,
}

impl Outbox {
    pub(super) fn new(with_qos_1: bool) -> Self {
        Self {
            qos: if with_qos_1 { QoS::AtLeastOnce } else { QoS::AtMostOnce },
            last_packet_id: 0,
            waiting: Vec::new(),
            unacknowledged: VecDeque::new(),
        }
    }

    /// Plans a reply for this moment.
    pub(super) fn plan(&mut self, due: Instant, topic: String, payload: Bytes) {
        if self.waiting.len() >= REPLIES_MAX {
            self.waiting.remove(0);
        }
        let publish = Publish {
            dup: false,
            retain: false,
            qos: self.qos,
            topic: topic.into(),
            packet_id: None,
            payload,
            properties: None,
        };
        self.waiting.push((due, Box::new(publish)));
    }

    /// When the next reply is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.waiting.iter().map(|(due, _)| *due).min()
    }

    /// Takes a reply that is due, to be sent now.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Box<Publish>> {
        let place = self.waiting.iter().position(|(due, _)| *due <= now)?;
        let (_, mut publish) = self.waiting.remove(place);
        if self.qos == QoS::AtLeastOnce {
            publish.packet_id = Some(self.packet_id());
            if self.unacknowledged.len() >= REPLIES_MAX {
                self.unacknowledged.pop_front();
            }
            self.unacknowledged.push_back(publish.clone());
        }
        Some(publish)
    }

    fn packet_id(&mut self) -> NonZeroU16 {
        self.last_packet_id = self.last_packet_id.wrapping_add(1);
        NonZeroU16::new(self.last_packet_id).unwrap_or_else(|| {
            self.last_packet_id = 1;
            NonZeroU16::MIN
        })
    }

    /// Forgets a reply that the server has acknowledged; `false` if it was none.
    pub(super) fn acknowledged(&mut self, packet_id: NonZeroU16) -> bool {
        let place = self
            .unacknowledged
            .iter()
            .position(|publish| publish.packet_id == Some(packet_id));
        place.and_then(|place| self.unacknowledged.remove(place)).is_some()
    }

    /// What has to be sent again on a new connection.
    pub(super) fn to_repeat(&self) -> impl Iterator<Item = Box<Publish>> {
        self.unacknowledged.iter().map(|publish| {
            let mut again = publish.clone();
            again.dup = true;
            again
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn plan(outbox: &mut Outbox, due: Instant, text: &'static str) {
        outbox.plan(due, "/t_reply".to_owned(), Bytes::from_static(text.as_bytes()));
    }

    #[test]
    fn replies_wait_for_their_moment() {
        let start = Instant::now();
        let mut outbox = Outbox::new(true);
        plan(&mut outbox, start + Duration::from_secs(2), "second");
        plan(&mut outbox, start + Duration::from_secs(1), "first");
        assert_eq!(outbox.next_due(), Some(start + Duration::from_secs(1)));
        assert_eq!(outbox.take_due(start), None);
        assert_eq!(
            outbox.take_due(start + Duration::from_secs(1)).unwrap().payload,
            "first"
        );
        assert_eq!(outbox.take_due(start + Duration::from_secs(1)), None);
    }

    #[test]
    fn replies_are_repeated_until_acknowledged() {
        let now = Instant::now();
        let mut outbox = Outbox::new(true);
        plan(&mut outbox, now, "a");
        plan(&mut outbox, now, "b");
        let first = outbox.take_due(now).unwrap().packet_id.unwrap();
        let second = outbox.take_due(now).unwrap().packet_id.unwrap();
        assert_eq!((first.get(), second.get()), (1, 2));
        assert!(outbox.acknowledged(first));
        assert!(!outbox.acknowledged(first));
        let again: Vec<_> = outbox.to_repeat().collect();
        assert_eq!(again.len(), 1);
        assert_eq!((again[0].packet_id, again[0].dup), (Some(second), true));
    }

    #[test]
    fn without_acknowledgement_nothing_is_repeated() {
        let now = Instant::now();
        let mut outbox = Outbox::new(false);
        plan(&mut outbox, now, "a");
        assert_eq!(outbox.take_due(now).unwrap().packet_id, None);
        assert_eq!(outbox.to_repeat().count(), 0);
    }

    #[test]
    fn packet_ids_skip_zero() {
        let now = Instant::now();
        let mut outbox = Outbox::new(true);
        outbox.last_packet_id = u16::MAX;
        plan(&mut outbox, now, "a");
        assert_eq!(outbox.take_due(now).unwrap().packet_id, Some(NonZeroU16::MIN));
        assert_eq!(outbox.last_packet_id, 1);
    }

    #[test]
    fn an_endless_stream_of_commands_does_not_fill_the_memory() {
        let now = Instant::now();
        let mut outbox = Outbox::new(true);
        for _ in 0..=REPLIES_MAX {
            plan(&mut outbox, now, "a");
        }
        assert_eq!(outbox.waiting.len(), REPLIES_MAX);
    }
}
