//! What every test of the state machine needs: a job's rules, a device, a task.

use aldis_core::ids::{DeviceNo, TaskNo};
use aldis_core::policy::{Policy, Retry, Rules};
use aldis_core::task::{Condition, Presence, Reply, Task, Visits};
use aldis_core::time::Timestamp;

/// The planned moment of the job.
pub(crate) const RELEASE: Timestamp = Timestamp(1_700_000_000_000);
pub(crate) const REPLY_TIMEOUT_MS: i64 = 30_000;
pub(crate) const TTL_MS: i64 = 600_000;
pub(crate) const RETRY_INTERVAL_MS: i64 = 60_000;

/// A present, idle device.
pub(crate) const PRESENT: Condition = Condition {
    deleted: false,
    disabled: false,
    activated: true,
    presence: Presence::Present,
    queued: 0,
    busy_with: None,
    hold: None,
    visits: Visits::NONE,
};

/// A job's rules; `retries` automatic ones, none for 0.
pub(crate) fn rules(ttl_ms: i64, retries: u8) -> Rules {
    let interval_ms = RETRY_INTERVAL_MS;
    Rules {
        release: RELEASE,
        policy: Policy {
            ttl_ms,
            reply_timeout_ms: REPLY_TIMEOUT_MS,
            retry: (retries > 0).then_some(Retry {
                count: retries,
                interval_ms,
            }),
        },
        cancel_mark: 0,
    }
}

pub(crate) fn new_task() -> Task {
    Task::new(TaskNo(7), DeviceNo(3), RELEASE)
}

/// A reply with nothing but a code.
pub(crate) fn reply(code: Option<i64>) -> Reply {
    Reply {
        code,
        message: None,
        output: None,
    }
}
