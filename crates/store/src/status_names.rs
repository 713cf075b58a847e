//! The names of states in filters and in the API, and the verbs of actions: every driver uses the same ones.

use aldis_core::expression::COMMAND_STATES;
use aldis_core::job::JobState;
use aldis_core::task::State;

use crate::DeviceStatus;

/// What `JobField::Status` compares.
#[must_use]
pub const fn job_state(state: JobState) -> &'static str {
    match state {
        JobState::Init => "INIT",
        JobState::InProgress => "IN_PROGRESS",
        JobState::Finished => "FINISHED",
    }
}

/// What `TaskField::Status` compares. A task that waits for its retry counts as queued.
#[must_use]
pub const fn task_state(state: State) -> &'static str {
    match state {
        State::Init => "INIT",
        State::Queued | State::RetryWait => "QUEUED",
        State::Published => "PUBLISHED",
        State::InProgress => "IN_PROGRESS",
        State::Succeeded => "SUCCEED",
        State::Failed => "FAILED",
        State::Cancelled => "CANCELLED",
        State::ResponseTimedOut => "RSP_TIMEOUT",
        State::TtlTimedOut => "TTL_TIMEOUT",
    }
}

/// The number of a single command's state in the API.
#[must_use]
pub const fn command_number(state: State) -> u8 {
    match state {
        State::Init | State::Queued | State::RetryWait => 1,
        State::Cancelled => 2,
        State::TtlTimedOut => 3,
        State::Published | State::InProgress => 4,
        State::Succeeded => 5,
        State::Failed => 6,
        State::ResponseTimedOut => 7,
    }
}

/// What `CommandField::State` compares: those numbers as text.
#[must_use]
pub fn command_state(state: State) -> &'static str {
    let word = COMMAND_STATES.get(usize::from(command_number(state)) - 1);
    word.and_then(|spellings| spellings.first())
        .copied()
        .unwrap_or_default()
}

/// What `DeviceField::Status` compares.
#[must_use]
pub const fn device_status(status: DeviceStatus) -> &'static str {
    match status {
        DeviceStatus::Online => "online",
        DeviceStatus::Offline => "offline",
        DeviceStatus::Inactive => "inactive",
        DeviceStatus::Disabled => "disabled",
    }
}

/// What `DeviceField::ProductType` compares.
#[must_use]
pub const fn product_type(gateway: bool) -> &'static str {
    if gateway { "Gateway" } else { "Device" }
}

/// The verbs of the actions that writes carry in themselves. Jobs are the subject under their id (`JobNo::to_job_id`),
/// devices under their asset id.
pub mod verb {
    /// [`crate::Write::CreateJob`]
    pub const CREATE_JOB: &str = "job.create";
    /// [`crate::Write::CancelJob`]
    pub const CANCEL_JOB: &str = "job.cancel";
    /// [`crate::Write::DeleteJob`]
    pub const DELETE_JOB: &str = "job.delete";
    /// [`crate::Write::DisableDevice`]
    pub const DISABLE_DEVICE: &str = "device.disable";
    /// [`crate::Write::DisableDevice`], the other way round
    pub const ENABLE_DEVICE: &str = "device.enable";
    /// [`crate::Write::DeleteDevice`]
    pub const DELETE_DEVICE: &str = "device.delete";
    /// [`crate::Write::ReplaceDevice`]
    pub const REPLACE_DEVICE: &str = "device.replace";
}
