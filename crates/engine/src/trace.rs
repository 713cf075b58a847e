//! What happened between devices and the server that no row of the store tells: for people who make a device work
//! (docs/api.md, "Traces").
//!
//! Kept in memory, the newest entries of each device. A device that does nothing but its work leaves no entry beyond
//! its login: commands, acknowledgements and replies are rows already, and cost nothing here.

use std::collections::VecDeque;
use std::net::SocketAddr;

use aldis_core::ids::{DeviceNo, WireId};
use aldis_core::time::Timestamp;
use parking_lot::Mutex;

use crate::generational_cache::GenerationalCache;

/// Entries kept of one device. What strangers can cause takes one entry however often it happens, so this is some
/// minutes of a device that comes and goes all the time.
pub const ENTRIES_MAX: usize = 32;
/// Bytes of a topic that are shown: those of commands, with the longest keys, have hardly more.
const TOPIC_MAX_BYTES: usize = 160;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A CONNECT was refused, and really for this reason.
    Refused(String),
    /// The device was told its secret.
    ToldSecret(SocketAddr),
    /// A session has begun, over a connection of the device's own.
    Connected(SocketAddr),
    /// A session has begun, over the connection of this gateway.
    LoggedIn(String),
    /// A second login has ended the session.
    Replaced,
    /// A session has ended, for this reason.
    Ended(String),
    /// A reply of the device was not used.
    ReplyDropped {
        /// The id that it came with, if that could be read.
        wire: Option<WireId>,
        /// Why.
        why: &'static str,
        /// Its topic, if that is what is wrong, or its beginning.
        topic: Option<String>,
    },
}

impl Event {
    /// A message that was not used, and its topic tells more.
    #[must_use]
    pub fn dropped(why: &'static str, topic: &str) -> Self {
        let end = topic.floor_char_boundary(TOPIC_MAX_BYTES);
        Self::ReplyDropped {
            wire: None,
            why,
            topic: Some(topic[..end].to_owned()),
        }
    }

    /// Whether both are the same thing, as far as it is worth an entry of its own.
    fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::ToldSecret(one), Self::ToldSecret(two)) => one.ip() == two.ip(),
            (
                Self::ReplyDropped { why, topic, .. },
                Self::ReplyDropped {
                    why: why_too,
                    topic: topic_too,
                    ..
                },
            ) => (why, topic) == (why_too, topic_too),
            _ => self == other,
        }
    }

    /// Whether it may happen in masses, without any session that begins or ends by it.
    fn floods(&self) -> bool {
        match self {
            Self::Refused(_) | Self::ToldSecret(_) | Self::ReplyDropped { .. } => true,
            Self::Connected(_) | Self::LoggedIn(_) | Self::Replaced | Self::Ended(_) => false,
        }
    }
}

/// Something that happened, how often and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceEntry {
    /// When for the first time.
    pub first: Timestamp,
    /// When last.
    pub last: Timestamp,
    /// How often.
    pub times: u32,
    /// What; the last time if there were small differences.
    pub event: Event,
}

/// The newest entries of devices.
#[derive(Default)]
pub struct Traces {
    entries: Mutex<GenerationalCache<DeviceNo, VecDeque<TraceEntry>>>,
}

impl Traces {
    /// Takes note. What happens again and again counts in one entry, so that it pushes nothing else out.
    pub fn note(&self, device: DeviceNo, at: Timestamp, event: Event) {
        let mut all = self.entries.lock();
        let entries = all.get_mut(device);
        let before = like(entries, &event).and_then(|place| entries.remove(place));
        let (first, times) = before.map_or((at, 0), |entry| (entry.first, entry.times));
        if entries.len() >= ENTRIES_MAX {
            entries.pop_front();
        }
        entries.push_back(TraceEntry {
            first,
            last: at,
            times: times.saturating_add(1),
            event,
        });
    }

    /// What is known of a device, by when it happened last.
    #[must_use]
    pub fn of(&self, device: DeviceNo) -> Vec<TraceEntry> {
        let all = self.entries.lock();
        all.get(device).into_iter().flatten().cloned().collect()
    }
}

/// The entry in which this event counts. What makes a session's story is not torn out of it: it counts only if nothing
/// else of that story has happened since.
fn like(entries: &VecDeque<TraceEntry>, event: &Event) -> Option<usize> {
    if event.floods() {
        return entries.iter().rposition(|entry| entry.event.is_like(event));
    }
    let last = entries.iter().rposition(|entry| !entry.event.floods())?;
    entries[last].event.is_like(event).then_some(last)
}

#[cfg(test)]
mod tests {
    use aldis_core::ids::{AttemptNo, TaskNo};

    use super::*;

    const DEVICE: DeviceNo = DeviceNo(1);

    fn from(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn events(traces: &Traces) -> Vec<(Event, u32)> {
        let entries = traces.of(DEVICE).into_iter();
        entries.map(|entry| (entry.event, entry.times)).collect()
    }

    #[test]
    fn the_newest_entries_of_a_device_are_kept_in_order() {
        let traces = Traces::default();
        for at in 0..100 {
            traces.note(DEVICE, Timestamp(at.into()), Event::Connected(from(at)));
        }
        let kept: Vec<i64> = traces.of(DEVICE).iter().map(|entry| entry.last.0).collect();
        assert_eq!(kept, (68..100).collect::<Vec<_>>());
        assert!(traces.of(DeviceNo(2)).is_empty());
    }

    #[test]
    fn notes_by_keys_alone_push_no_other_notes_out() {
        let traces = Traces::default();
        let story = [
            Event::Connected(from(1)),
            Event::Ended("the device disconnected".to_owned()),
        ];
        for (at, event) in (0..).zip(story.clone()) {
            traces.note(DEVICE, Timestamp(at), event);
        }
        let why = ["the signature is wrong", "there is no password"].map(str::to_owned);
        for (at, why) in (10..1000).zip(why.iter().cycle()) {
            traces.note(DEVICE, Timestamp(at), Event::Refused(why.clone()));
        }
        let entries = traces.of(DEVICE);
        assert_eq!(entries.len(), 4, "{entries:?}");
        assert_eq!(
            entries.iter().map(|entry| &entry.event).take(2).collect::<Vec<_>>(),
            story.iter().collect::<Vec<_>>()
        );
        assert_eq!(
            (entries[3].first, entries[3].last, entries[3].times),
            (Timestamp(11), Timestamp(999), 495)
        );
    }

    #[test]
    fn replies_that_are_dropped_for_the_same_reason_are_one_entry_with_the_last_id() {
        let traces = Traces::default();
        let dropped = |task: u64| Event::ReplyDropped {
            wire: Some(WireId::new(TaskNo(task), AttemptNo(1))),
            why: "there is no such command",
            topic: None,
        };
        for task in 1..=40 {
            traces.note(DEVICE, Timestamp(1), dropped(task));
            traces.note(
                DEVICE,
                Timestamp(1),
                Event::dropped("its topic means nothing", "/sys/x"),
            );
        }
        assert_eq!(
            events(&traces),
            [
                (dropped(40), 40),
                (Event::dropped("its topic means nothing", "/sys/x"), 40)
            ]
        );
    }

    #[test]
    fn a_sessions_story_stays_in_its_order() {
        let traces = Traces::default();
        let ended = || Event::Ended("its gateway has logged it out".to_owned());
        let logged_in = || Event::LoggedIn("box/b1".to_owned());
        let refused = || Event::Refused("the device is not a sub-device of this gateway".to_owned());
        for event in [
            logged_in(),
            refused(),
            logged_in(),
            ended(),
            logged_in(),
            refused(),
            ended(),
        ] {
            traces.note(DEVICE, Timestamp(1), event);
        }
        assert_eq!(
            events(&traces),
            [
                (logged_in(), 2),
                (ended(), 1),
                (logged_in(), 1),
                (refused(), 2),
                (ended(), 1)
            ]
        );
    }

    #[test]
    fn of_a_long_topic_the_beginning_is_shown() {
        let Event::ReplyDropped { topic, .. } = Event::dropped("why", &"é".repeat(500)) else {
            panic!()
        };
        assert_eq!(topic.unwrap(), "é".repeat(80));
    }
}
