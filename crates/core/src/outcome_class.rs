//! Classes of ended rounds: what rules that stop a job count, and what retries look at.

use crate::task::{State, code};
use crate::violation::Violation;

/// How a round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutcomeClass {
    /// The task is SUCCEED, also by a late success that moves a waiting task.
    Ok,
    /// The device replied with a failure, or its reply could not be read.
    DeviceError,
    /// No reply came in time.
    NoReply,
    /// The round ended and nothing was sent.
    NotSent,
}

impl OutcomeClass {
    const BAD: [(Self, &'static str); 3] = [
        (Self::DeviceError, "DEVICE_ERROR"),
        (Self::NoReply, "NO_REPLY"),
        (Self::NotSent, "NOT_SENT"),
    ];

    /// The class of a round that came to `end` with this result; `None` for a state that is no end of a round, and for
    /// CANCELLED, which is no outcome.
    #[must_use]
    pub fn of(end: State, sent: bool, result_code: i64) -> Option<Self> {
        let failed = || match (sent, result_code) {
            (false, _) => Self::NotSent,
            (true, code::NO_REPLY) => Self::NoReply,
            (true, _) => Self::DeviceError,
        };
        match end {
            State::Succeeded => Some(Self::Ok),
            State::ResponseTimedOut => Some(Self::NoReply),
            State::TtlTimedOut => Some(Self::NotSent),
            State::Failed | State::RetryWait => Some(failed()),
            State::Init | State::Queued | State::Published | State::InProgress | State::Cancelled => None,
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of the classes that are not [`OutcomeClass::Ok`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Classes(u8);

impl Classes {
    /// What rules count if nothing is said: failures of the device and silence.
    pub const SENT: Self = Self(OutcomeClass::DeviceError.bit() | OutcomeClass::NoReply.bit());
    /// All three.
    pub const ALL: Self = Self(Self::SENT.0 | OutcomeClass::NotSent.bit());

    /// Reads a list of names.
    ///
    /// # Errors
    /// The list is empty, or a name is not one of the three.
    pub fn read(path: &str, names: &[String]) -> Result<Self, Violation> {
        let expected = "list of DEVICE_ERROR, NO_REPLY, NOT_SENT";
        let mut classes = Self(0);
        for name in names {
            let found = OutcomeClass::BAD.into_iter().find(|(_, known)| known == name);
            let (class, _) = found.ok_or_else(|| Violation::of_text(name, expected).within(path))?;
            classes.0 |= class.bit();
        }
        if classes.0 == 0 {
            return Err(Violation::of_text("", expected).within(path));
        }
        Ok(classes)
    }

    /// Whether the class is in the set.
    #[must_use]
    pub const fn has(self, class: OutcomeClass) -> bool {
        self.0 & class.bit() != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcome_class_follows_end_and_code() {
        for (end, sent, result, class) in [
            (State::Succeeded, true, 0, Some(OutcomeClass::Ok)),
            (State::Failed, true, 7, Some(OutcomeClass::DeviceError)),
            (State::Failed, true, code::BAD_REPLY, Some(OutcomeClass::DeviceError)),
            (
                State::ResponseTimedOut,
                true,
                code::NO_REPLY,
                Some(OutcomeClass::NoReply),
            ),
            (State::RetryWait, true, code::NO_REPLY, Some(OutcomeClass::NoReply)),
            (State::RetryWait, true, 7, Some(OutcomeClass::DeviceError)),
            (State::RetryWait, false, code::OFFLINE, Some(OutcomeClass::NotSent)),
            (State::Failed, false, code::TOO_LARGE, Some(OutcomeClass::NotSent)),
            (
                State::TtlTimedOut,
                false,
                code::NOT_SENT_IN_TIME,
                Some(OutcomeClass::NotSent),
            ),
            (State::Cancelled, true, code::CANCELLED, None),
            (State::Queued, false, 0, None),
        ] {
            assert_eq!(OutcomeClass::of(end, sent, result), class, "{end:?} {result}");
        }
    }

    #[test]
    fn classes_are_read_by_name() {
        let read =
            |names: &[&str]| Classes::read("of", &names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(read(&["NO_REPLY", "DEVICE_ERROR"]), Ok(Classes::SENT));
        assert!(!Classes::SENT.has(OutcomeClass::NotSent) && !Classes::ALL.has(OutcomeClass::Ok));
        assert!(read(&[]).is_err() && read(&["OK"]).is_err());
    }
}
