//! Things that can happen, sensible or not, drawn at random.

use aldis_core::ids::{AttemptNo, TaskNo};
use aldis_core::task::{Condition, Event, Link, Presence, QUEUE_MAX, Reply, Visits};
use aldis_core::time::Timestamp;
use proptest::prelude::*;

use crate::support::{PRESENT, reply};

/// An event without the borrowed parts.
#[derive(Debug, Clone)]
pub(crate) enum Happening {
    Due(Condition),
    RetryAsked(Condition),
    Claimed,
    NotSent(AttemptRef, Condition),
    TooLarge(AttemptRef),
    Acked(AttemptRef),
    Replied(AttemptRef, Reply),
    ReplyDeadline(AttemptRef, Link),
    WindowEnded(Condition),
    Cancelled { withdrawn: bool },
    DeviceDisabled,
    DeviceDeleted,
}

/// Which attempt something is about, seen from the latest one.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AttemptRef {
    Latest,
    Before(u16),
    Any(u16),
}

impl AttemptRef {
    fn number(self, latest: AttemptNo) -> AttemptNo {
        match self {
            Self::Latest => latest,
            Self::Before(back) => AttemptNo(latest.0.saturating_sub(back)),
            Self::Any(number) => AttemptNo(number),
        }
    }
}

impl Happening {
    /// The event that this is to a task with this latest attempt.
    pub(crate) fn event(&self, latest: AttemptNo) -> Event<'_> {
        let handed = None;
        match self {
            Self::Due(condition) => Event::Due(condition),
            Self::RetryAsked(condition) => Event::RetryAsked(condition),
            Self::Claimed => Event::Claimed,
            Self::NotSent(named, condition) => Event::NotSent(named.number(latest), condition),
            Self::TooLarge(named) => Event::TooLarge(named.number(latest)),
            Self::Acked(named) => {
                let attempt = named.number(latest);
                Event::Acked { attempt, handed }
            }
            Self::Replied(named, reply) => {
                let attempt = named.number(latest);
                Event::Replied { attempt, handed, reply }
            }
            Self::ReplyDeadline(named, link) => {
                let (attempt, link) = (named.number(latest), *link);
                let unreadable = attempt.0 % 2 == 0;
                Event::ReplyDeadline {
                    attempt,
                    handed,
                    link,
                    unreadable,
                }
            }
            Self::WindowEnded(condition) => Event::WindowEnded(condition),
            Self::Cancelled { withdrawn } => Event::Cancelled { withdrawn: *withdrawn },
            Self::DeviceDisabled => Event::DeviceDisabled,
            Self::DeviceDeleted => Event::DeviceDeleted,
        }
    }
}

pub(crate) fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        12 => condition().prop_map(Happening::Due),
        5 => condition().prop_map(Happening::RetryAsked),
        18 => Just(Happening::Claimed),
        4 => (named(), condition()).prop_map(|(named, condition)| Happening::NotSent(named, condition)),
        1 => named().prop_map(Happening::TooLarge),
        8 => named().prop_map(Happening::Acked),
        14 => (named(), any_reply()).prop_map(|(named, reply)| Happening::Replied(named, reply)),
        9 => (named(), link()).prop_map(|(named, link)| Happening::ReplyDeadline(named, link)),
        4 => condition().prop_map(Happening::WindowEnded),
        1 => any::<bool>().prop_map(|withdrawn| Happening::Cancelled { withdrawn }),
        1 => prop_oneof![Just(Happening::DeviceDisabled), Just(Happening::DeviceDeleted)],
    ]
}

fn named() -> impl Strategy<Value = AttemptRef> {
    prop_oneof![6 => Just(AttemptRef::Latest), 3 => (1..4_u16).prop_map(AttemptRef::Before), 1 => any::<u16>().prop_map(AttemptRef::Any)]
}

fn any_reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        Just(Some(0)),
        Just(Some(200)),
        Just(Some(500)),
        Just(None),
        any::<i64>().prop_map(Some)
    ]
    .prop_map(reply)
}

fn link() -> impl Strategy<Value = Link> {
    prop_oneof![Just(Link::Up), any::<i64>().prop_map(|at| Link::LostAt(Timestamp(at)))]
}

/// Mostly a device that is there.
pub(crate) fn condition() -> impl Strategy<Value = Condition> {
    prop_oneof![4 => Just(PRESENT), 1 => any_condition()]
}

fn any_condition() -> impl Strategy<Value = Condition> {
    let since = proptest::option::of(any::<i64>().prop_map(Timestamp));
    let presence = prop_oneof![
        Just(Presence::Present),
        Just(Presence::Returning),
        since.prop_map(|since| Presence::Absent { since })
    ];
    let busy_with = proptest::option::of(Just(TaskNo(1)));
    let flags = (
        proptest::bool::weighted(0.1),
        proptest::bool::weighted(0.1),
        any::<bool>(),
    );
    (flags, presence, 0..=QUEUE_MAX, busy_with).prop_map(
        |((deleted, disabled, activated), presence, queued, busy_with)| Condition {
            deleted,
            disabled,
            activated,
            presence,
            queued,
            busy_with,
            hold: None,
            visits: Visits::NONE,
        },
    )
}
