//! The columns: for each event the cases that are told apart, in the order in which they are looked at. The first that
//! holds decides.

use aldis_core::ids::{ATTEMPT_MAX, AttemptNo, TaskNo};
use aldis_core::policy::Rules;
use aldis_core::task::{Condition, Event, Link, Presence, QUEUE_MAX, Reply, Task};
use aldis_core::time::Timestamp;

use crate::support::{PRESENT, reply};

/// Everything that an event can meet.
pub(crate) struct Situation<'a> {
    pub(crate) task: &'a Task,
    pub(crate) rules: &'a Rules,
    pub(crate) event: Event<'a>,
    pub(crate) now: Timestamp,
}

impl Situation<'_> {
    fn condition(&self) -> &Condition {
        match self.event {
            Event::Due(condition)
            | Event::RetryAsked(condition)
            | Event::NotSent(_, condition)
            | Event::WindowEnded(condition) => condition,
            _ => &PRESENT,
        }
    }

    fn attempt(&self) -> AttemptNo {
        match self.event {
            Event::NotSent(attempt, _)
            | Event::TooLarge(attempt)
            | Event::Acked { attempt, .. }
            | Event::Replied { attempt, .. }
            | Event::ReplyDeadline { attempt, .. } => attempt,
            _ => self.task.attempt,
        }
    }

    fn code(&self) -> Option<i64> {
        match self.event {
            Event::Replied { reply, .. } => reply.code,
            _ => None,
        }
    }

    fn is_early(&self) -> bool {
        self.now < self.task.due_at(self.rules)
    }
    fn is_over(&self) -> bool {
        self.now >= self.task.window_end(self.rules)
    }
    fn waits_for_device(&self) -> bool {
        self.rules.policy.ttl_ms > 0
    }
    fn is_absent(&self) -> bool {
        matches!(self.condition().presence, Presence::Absent { .. })
    }
}

/// One case of an event.
pub(crate) struct Column {
    pub(crate) title: &'static str,
    pub(crate) holds: fn(&Situation<'_>) -> bool,
}

/// One event with its cases.
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) columns: &'static [Column],
    /// Whether the device's condition comes with the event.
    pub(crate) sees_device: bool,
    pub(crate) events: for<'a> fn(&'a Task, &'a Condition, &'a [Reply]) -> Vec<Event<'a>>,
}

macro_rules! columns {
    ($($title:literal => $holds:expr),+ $(,)?) => {
        &[$(Column { title: $title, holds: $holds }),+]
    };
}

pub(crate) const SECTIONS: [Section; 12] = [
    Section {
        title: "Its round is due",
        about: "The trigger, or the moment of an automatic retry, which is used up here whether it is sent or not.",
        columns: columns! {
            "too early" => |on| on.is_early(),
            "device deleted" => |on| on.condition().deleted,
            "disabled" => |on| on.condition().disabled,
            "absent, ttl 0" => |on| on.is_absent() && !on.waits_for_device() && on.condition().activated,
            "never activated, ttl 0" => |on| on.is_absent() && !on.waits_for_device(),
            "50 waiting" => |on| on.condition().queued >= QUEUE_MAX,
            "window over, ttl" => |on| on.is_over() && on.waits_for_device(),
            "window over, ttl 0" => |on| on.is_over(),
            "else" => |_| true,
        },
        sees_device: true,
        events: |_, condition, _| vec![Event::Due(condition)],
    },
    Section {
        title: "A retry is asked for",
        about: "retryTask. A new round, which begins at once, with a fresh window and fresh automatic retries.",
        columns: columns! {
            "device deleted" => |on| on.condition().deleted,
            "numbers used up" => |on| on.task.attempt == AttemptNo(ATTEMPT_MAX),
            "disabled" => |on| on.condition().disabled,
            "absent, ttl 0" => |on| on.is_absent() && !on.waits_for_device() && on.condition().activated,
            "never activated, ttl 0" => |on| on.is_absent() && !on.waits_for_device(),
            "50 waiting" => |on| on.condition().queued >= QUEUE_MAX,
            "else" => |_| true,
        },
        sees_device: true,
        events: |_, condition, _| vec![Event::RetryAsked(condition)],
    },
    Section {
        title: "Its turn has come",
        about: "The device is present and settled, its slot is free, and the task is the head of its queue.",
        columns: columns! {
            "window over" => |on| on.is_over(),
            "numbers used up" => |on| on.task.attempt == AttemptNo(ATTEMPT_MAX),
            "else" => |_| true,
        },
        sees_device: false,
        events: |_, _, _| vec![Event::Claimed],
    },
    Section {
        title: "The attempt certainly never left",
        about: "Withdrawn in the session's last look, or never handed over. It keeps its place in the queue and uses up no \
                retry.",
        columns: columns! {
            "another attempt" => |on| on.attempt() != on.task.attempt,
            "device deleted" => |on| on.condition().deleted,
            "disabled" => |on| on.condition().disabled,
            "window over, ttl" => |on| on.is_over() && on.waits_for_device(),
            "window over, ttl 0, absent" => |on| on.is_over() && on.is_absent() && on.condition().activated,
            "window over, ttl 0, never activated" => |on| on.is_over() && on.is_absent(),
            "window over, ttl 0, present" => |on| on.is_over(),
            "else" => |_| true,
        },
        sees_device: true,
        events: |task, condition, _| {
            let named = attempts_named(task).into_iter();
            named.map(|attempt| Event::NotSent(attempt, condition)).collect()
        },
    },
    Section {
        title: "The attempt is larger than the client takes",
        about: "A client of MQTT 5 that announces a Maximum Packet Size. The attempt certainly never left; time does not heal that, so \
                there is no automatic retry.",
        columns: columns! {
            "another attempt" => |on| on.attempt() != on.task.attempt,
            "the latest attempt" => |_| true,
        },
        sees_device: false,
        events: |task, _, _| attempts_named(task).into_iter().map(Event::TooLarge).collect(),
    },
    Section {
        title: "PUBACK",
        about: "The device's MQTT library has taken the message.",
        columns: columns! {
            "another attempt" => |on| on.attempt() != on.task.attempt,
            "the latest attempt" => |_| true,
        },
        sees_device: false,
        events: |task, _, _| {
            let named = attempts_named(task).into_iter();
            named.map(|attempt| Event::Acked { attempt, handed: None }).collect()
        },
    },
    Section {
        title: "Reply",
        about: "Codes 0 and 200 are success. A reply without a whole number as its code is a failure with code 99400, and final.",
        columns: columns! {
            "an attempt never made" => |on| on.attempt() == AttemptNo(0) || on.attempt() > on.task.attempt,
            "earlier attempt, success" => |on| on.attempt() < on.task.attempt && is_success(on.code()),
            "earlier attempt, failure" => |on| on.attempt() < on.task.attempt,
            "latest attempt, success" => |on| is_success(on.code()),
            "latest attempt, failure" => |on| on.code().is_some(),
            "latest attempt, no code" => |_| true,
        },
        sees_device: false,
        events: |task, _, replies| {
            let named = attempts_named(task).into_iter();
            named
                .flat_map(|attempt| {
                    replies.iter().map(move |reply| Event::Replied {
                        attempt,
                        handed: None,
                        reply,
                    })
                })
                .collect()
        },
    },
    Section {
        title: "The reply deadline has passed",
        about: "`inProgressTimeoutInSeconds` after the commit of the intent to send.",
        columns: columns! {
            "another attempt" => |on| on.attempt() != on.task.attempt,
            "the latest attempt" => |_| true,
        },
        sees_device: false,
        events: |task, _, _| {
            let links = [Link::Up, Link::LostAt(Timestamp(0))];
            let named = attempts_named(task).into_iter();
            named
                .flat_map(|attempt| {
                    links.map(|link| Event::ReplyDeadline {
                        attempt,
                        handed: None,
                        link,
                        unreadable: false,
                    })
                })
                .collect()
        },
    },
    Section {
        title: "The window has ended",
        about: "`ttlTimeoutInSeconds` after the round became due; without it, one reply timeout.",
        columns: columns! {
            "too early" => |on| !on.is_over(),
            "ttl" => |on| on.waits_for_device(),
            "ttl 0, absent" => |on| on.is_absent() && on.condition().activated,
            "ttl 0, never activated" => |on| on.is_absent(),
            "ttl 0, present or returning" => |_| true,
        },
        sees_device: true,
        events: |_, condition, _| vec![Event::WindowEnded(condition)],
    },
    Section {
        title: "Cancelled",
        about: "cancelTask. The session says whether the attempt that is out could be taken back before a byte of it left.",
        columns: columns! {
            "taken back" => |on| on.event == Event::Cancelled { withdrawn: true },
            "else" => |_| true,
        },
        sees_device: false,
        events: |_, _, _| [true, false].map(|withdrawn| Event::Cancelled { withdrawn }).to_vec(),
    },
    Section {
        title: "Device disabled",
        about: "What waits ends; what is out runs out; what has not triggered meets the disabled device at its trigger.",
        columns: columns! { "always" => |_| true },
        sees_device: false,
        events: |_, _, _| vec![Event::DeviceDisabled],
    },
    Section {
        title: "Device deleted or replaced",
        about: "As above, and for good: a new device with the same keys gets none of it.",
        columns: columns! { "always" => |_| true },
        sees_device: false,
        events: |_, _, _| vec![Event::DeviceDeleted],
    },
];

/// None or the one before the latest, the latest, the next.
fn attempts_named(task: &Task) -> Vec<AttemptNo> {
    let latest = task.attempt.0;
    let mut named = vec![latest.saturating_sub(1), latest, latest + 1];
    named.dedup();
    named.into_iter().map(AttemptNo).collect()
}

fn is_success(code: Option<i64>) -> bool {
    matches!(code, Some(0 | 200))
}

/// One reply of each kind.
pub(crate) fn replies() -> Vec<Reply> {
    [Some(0), Some(200), Some(500), Some(-1), None].map(reply).to_vec()
}

/// Every condition that a device can be in.
pub(crate) fn conditions() -> Vec<Condition> {
    let mut conditions = Vec::new();
    for presence in [Presence::Present, Presence::Returning, Presence::Absent { since: None }] {
        for busy_with in [None, Some(TaskNo(1))] {
            for queued in [QUEUE_MAX - 1, QUEUE_MAX] {
                for (deleted, disabled, activated) in FLAGS {
                    conditions.push(Condition {
                        deleted,
                        disabled,
                        activated,
                        presence,
                        queued,
                        busy_with,
                        ..PRESENT
                    });
                }
            }
        }
    }
    // A device that is present, or awaited, has been seen.
    conditions.retain(|condition| condition.activated || matches!(condition.presence, Presence::Absent { .. }));
    conditions
}

/// Deleted, disabled, activated.
const FLAGS: [(bool, bool, bool); 8] = [
    (false, false, false),
    (false, false, true),
    (false, true, false),
    (false, true, true),
    (true, false, false),
    (true, false, true),
    (true, true, false),
    (true, true, true),
];
