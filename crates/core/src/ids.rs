//! Typed identifiers, all in one place, and the arithmetic between task, attempt and wire id.
//!
//! Wire ids have to be strings of 19 decimal digits (docs/device-protocol.md, "Command ids"); a late reply finds its
//! task by arithmetic alone, so no index over ids is ever needed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Attempts are numbered from 1 to this within a task: 12 bits of the wire id.
pub const ATTEMPT_MAX: u16 = 4095;
/// Task numbers have 50 bits, so that every wire id stays below 2^63.
pub const TASK_NO_MAX: u64 = (1 << 50) - 1;

const WIRE_ID_BASE: u64 = 1_000_000_000_000_000_000;
const JOB_ID_BASE: u64 = 8_000_000_000_000_000_000;
const JOB_NO_MAX: u64 = (1 << 50) - 1;
const ATTEMPT_BITS: u32 = 12;
const DECIMAL_DIGITS: usize = 19;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

text_id!(
    /// A tenant. Every row belongs to one.
    OrgId
);
text_id!(
    /// A product's key, unique over the installation.
    ProductKey
);
text_id!(
    /// A device's key, unique within its product.
    DeviceKey
);
text_id!(
    /// A device's own id, unique over the installation.
    AssetId
);
text_id!(
    /// A thing model's id, unique within its organization.
    ModelId
);
text_id!(
    /// An access key, which names one application of one organization.
    AppKey
);

/// A device's number inside the store: never used again, also after the device is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeviceNo(pub u64);

/// A job's number inside the store; jobs created later have larger ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobNo(pub u64);

impl JobNo {
    /// The job ID of the API: 19 decimal digits.
    #[must_use]
    pub fn to_job_id(self) -> String {
        (JOB_ID_BASE + self.0).to_string()
    }

    /// Reads a job ID; `None` if this server cannot have issued it.
    #[must_use]
    pub fn from_job_id(text: &str) -> Option<Self> {
        let number = decimal(text)?.checked_sub(JOB_ID_BASE)?;
        (number <= JOB_NO_MAX).then_some(Self(number))
    }
}

/// A task's number inside the store. A job owns a contiguous range of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskNo(pub u64);

impl TaskNo {
    /// The task ID of the API: the wire id with attempt 0.
    #[must_use]
    pub fn to_task_id(self) -> String {
        WireId::new(self, AttemptNo(0)).to_string()
    }

    /// Reads a task ID; `None` if this server cannot have issued it.
    #[must_use]
    pub fn from_task_id(text: &str) -> Option<Self> {
        let wire: WireId = text.parse().ok()?;
        (wire.attempt() == AttemptNo(0)).then(|| wire.task())
    }
}

/// The number of an attempt within its task: 0 before the first, then 1 to [`ATTEMPT_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptNo(pub u16);

impl AttemptNo {
    /// The next attempt's number; `None` when all are used up.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        (self.0 < ATTEMPT_MAX).then_some(Self(self.0 + 1))
    }
}

/// What a device sees as the `id` of a command: names the task and the attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WireId(u64);

impl WireId {
    /// The wire id of one attempt of one task.
    #[must_use]
    pub fn new(task: TaskNo, attempt: AttemptNo) -> Self {
        debug_assert!(task.0 <= TASK_NO_MAX && attempt.0 <= ATTEMPT_MAX);
        Self(WIRE_ID_BASE + (task.0 << ATTEMPT_BITS | u64::from(attempt.0)))
    }

    /// The task that the id names.
    #[must_use]
    pub fn task(self) -> TaskNo {
        TaskNo((self.0 - WIRE_ID_BASE) >> ATTEMPT_BITS)
    }

    /// The attempt that the id names.
    #[must_use]
    pub fn attempt(self) -> AttemptNo {
        let bits = (self.0 - WIRE_ID_BASE) & u64::from(ATTEMPT_MAX);
        AttemptNo(u16::try_from(bits).unwrap_or(ATTEMPT_MAX))
    }
}

impl fmt::Display for WireId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The text is no id that this server can have issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this server: expected 19 decimal digits")]
pub struct NotAnId;

impl FromStr for WireId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let number = decimal(text).ok_or(NotAnId)?;
        let bits = number.checked_sub(WIRE_ID_BASE).ok_or(NotAnId)?;
        if bits >> ATTEMPT_BITS > TASK_NO_MAX {
            return Err(NotAnId);
        }
        Ok(Self(number))
    }
}

fn decimal(text: &str) -> Option<u64> {
    if text.len() != DECIMAL_DIGITS || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wire_id_has_nineteen_digits_and_comes_back() {
        for task in [0, 1, 4095, 4096, TASK_NO_MAX] {
            for attempt in [0, 1, ATTEMPT_MAX] {
                let id = WireId::new(TaskNo(task), AttemptNo(attempt));
                let text = id.to_string();
                assert_eq!(text.len(), 19, "{text}");
                assert!(text.parse::<i64>().is_ok(), "{text} is not below 2^63");
                let back: WireId = text.parse().expect("own id");
                assert_eq!((back.task(), back.attempt()), (TaskNo(task), AttemptNo(attempt)));
            }
        }
    }

    #[test]
    fn foreign_ids_are_refused() {
        for text in [
            "",
            "1",
            "abc",
            "10000000000000000000",
            "0999999999999999999",
            "9223372036854775807",
            "-100000000000000000",
        ] {
            assert_eq!(text.parse::<WireId>(), Err(NotAnId), "{text}");
        }
        assert_eq!(
            TaskNo::from_task_id(&WireId::new(TaskNo(5), AttemptNo(1)).to_string()),
            None
        );
        assert_eq!(JobNo::from_job_id(&TaskNo(5).to_task_id()), None);
    }

    #[test]
    fn job_ids_come_back() {
        let id = JobNo(42).to_job_id();
        assert_eq!(id.len(), 19);
        assert_eq!(JobNo::from_job_id(&id), Some(JobNo(42)));
    }

    #[test]
    fn attempts_end_at_their_limit() {
        assert_eq!(AttemptNo(ATTEMPT_MAX).next(), None);
        assert_eq!(AttemptNo(0).next(), Some(AttemptNo(1)));
    }
}
