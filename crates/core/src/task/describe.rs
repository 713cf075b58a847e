//! What happened, in words that tell causes with the same code apart.

use super::{AttemptTimes, Condition, Hold, Link, Outcome, OutcomeNotes, Presence, Reply, Task, VISITS_MAX};
use crate::ids::AttemptNo;
use crate::time::Timestamp;

pub(super) const WITHDRAWN: &str = "withdrawn before sending";
pub(super) const SENT_BEFORE_CANCEL: &str = "cancelled after sending, the device may have executed it";
/// Said of a reply whose output was dropped.
pub(super) const OUTPUT_DROPPED: &str = "the output is too large and was not kept";
/// Joins the reason why a retry was not sent with what the last attempt came to.
const LAST_ATTEMPT: &str = "; attempt ";

/// What a command that has waited since then is waiting for.
pub(super) fn waiting(condition: &Condition, since: Timestamp) -> String {
    let mut desc = waiting_for(condition);
    let visits = condition.visits.since(since);
    if visits > 0 {
        let at_least = if visits == VISITS_MAX { "at least " } else { "" };
        let times = if visits == 1 {
            "once"
        } else {
            &format!("{at_least}{visits} times")
        };
        desc.push_str(&format!(
            "; the device came {times} and left before it was ready for the command"
        ));
    }
    desc
}

fn waiting_for(condition: &Condition) -> String {
    match (condition.presence, condition.busy_with, condition.hold) {
        (Presence::Absent { .. }, ..) if !condition.activated => "device never activated".to_owned(),
        (Presence::Absent { since: Some(since) }, ..) => format!("offline since {}", moment(since)),
        (Presence::Absent { since: None }, ..) => "offline".to_owned(),
        (Presence::Present | Presence::Returning, Some(task), _) => format!("behind task {}", task.to_task_id()),
        (_, None, Some(Hold::Clock)) => "sending is held because the server's clock is in doubt".to_owned(),
        (Presence::Returning, None, _) => "device not yet back after the server's start".to_owned(),
        (Presence::Present, None, Some(Hold::Settling)) => {
            "the device is connected, but not ready for the command yet".to_owned()
        }
        (Presence::Present, None, None) => "its turn did not come".to_owned(),
    }
}

/// A description, and what programs need to know of it.
pub(super) struct Description {
    pub(super) desc: String,
    pub(super) notes: OutcomeNotes,
}

impl Description {
    fn plain(desc: &str) -> Self {
        Self {
            desc: desc.to_owned(),
            notes: OutcomeNotes::default(),
        }
    }

    /// One that ends with what the attempt of `last` came to.
    fn repeating(desc: String, last: &Outcome) -> Self {
        Self {
            desc,
            notes: OutcomeNotes {
                repeats_earlier: true,
                ..last.notes
            },
        }
    }
}

/// What an earlier attempt came to, as the description of a later outcome repeats it. The marker's first occurrence is
/// the server's: only the server's own words stand before it.
fn repeated(last: &Outcome) -> Option<&str> {
    let repeats = last.notes.repeats_earlier;
    last.desc
        .split_once(LAST_ATTEMPT)
        .filter(|_| repeats)
        .map(|(_, attempt)| attempt)
}

/// Why a round ended unsent, and what the last attempt that did go out came to.
pub(super) fn unsent(task: &Task, why: &str) -> Description {
    let Some(last) = task.result.as_ref().filter(|_| task.attempt > AttemptNo(0)) else {
        return Description::plain(why);
    };
    let retry = u32::from(task.retries.auto) + u32::from(task.retries.manual);
    if last.sent {
        // If the latest number was given to an attempt that never left, the result is that of one before it.
        let attempt = match task.times.intent {
            Some(_) => task.attempt.0.to_string(),
            None => format!("before {}", task.attempt.0),
        };
        let desc = format!(
            "{why}; retry {retry} not sent{LAST_ATTEMPT}{attempt}: {} {}",
            last.code, last.desc
        );
        return Description::repeating(desc, last);
    }
    match repeated(last) {
        Some(attempt) => Description::repeating(format!("{why}; retry {retry} not sent{LAST_ATTEMPT}{attempt}"), last),
        None => Description::plain(why),
    }
}

/// What became of the latest attempt without a word of the device, and what the last one before it came to.
pub(super) fn after_earlier(task: &Task, what: &str) -> Description {
    let Some(last) = task.result.as_ref() else {
        return Description::plain(what);
    };
    if last.sent {
        let (attempt, Outcome { code, desc, .. }) = (task.attempt.0, last);
        return Description::repeating(format!("{what}{LAST_ATTEMPT}before {attempt}: {code} {desc}"), last);
    }
    match repeated(last) {
        Some(attempt) => Description::repeating(format!("{what}{LAST_ATTEMPT}{attempt}"), last),
        None => Description::plain(what),
    }
}

/// A reply, as far as it says something.
pub(super) fn reply(reply: &Reply, message: Option<String>, too_large: bool) -> String {
    let mut desc = match (reply.code, message.filter(|message| !message.is_empty())) {
        (None, _) => "the reply has no code that can be read".to_owned(),
        (Some(_), Some(message)) => message,
        (Some(_), None) if reply.is_success() => "OK".to_owned(),
        (Some(code), None) => format!("the device replied with code {code}"),
    };
    if too_large {
        desc.push_str("; ");
        desc.push_str(OUTPUT_DROPPED);
    }
    desc
}

/// A success or failure that came after its attempt had ended.
pub(super) fn late(attempt: AttemptNo, outcome: &Outcome) -> String {
    format!("{} (late reply to attempt {})", outcome.desc, attempt.0)
}

/// How an attempt fell silent.
pub(super) fn silence(times: &AttemptTimes, link: Link, unreadable: bool) -> String {
    let acked = match (times.acked, unreadable) {
        (_, true) => "a reply came whose id could not be read",
        (Some(_), false) => "acknowledged but silent",
        (None, false) => "unacknowledged",
    };
    match link {
        Link::Up => acked.to_owned(),
        Link::LostAt(at) => format!("{acked}, link lost at {}", moment(at)),
    }
}

/// At most `bytes` of `text`, cut at a character.
pub(super) fn shortened(text: Option<&str>, bytes: usize) -> Option<String> {
    text.map(|text| text[..text.floor_char_boundary(bytes)].to_owned())
}

fn moment(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |moment| moment.to_string())
}
