//! The numbers under which enums are stored, as SQL texts and migrations write them out. What stands here fails to compile
//! when an enum and the stored rows would no longer agree.

use aldis_core::job::JobState;
use aldis_core::reported::ReportKind;
use aldis_core::task::{AttemptOutcome, State};
use aldis_store::rows::Role;

/// `task.state` and the columns `c0` to `c9` of a job; the index `task_rare` holds 6, 8 and 9.
const _: () = {
    assert!(State::Init as u8 == 0 && State::Queued as u8 == 1 && State::RetryWait as u8 == 2);
    assert!(State::Published as u8 == 3 && State::InProgress as u8 == 4 && State::Succeeded as u8 == 5);
    assert!(State::Failed as u8 == 6 && State::Cancelled as u8 == 7);
    assert!(State::ResponseTimedOut as u8 == 8 && State::TtlTimedOut as u8 == 9);
};

/// `job.state`; the index `job_at_work` leaves 2 out.
const _: () = {
    assert!(JobState::Init as u8 == 0 && JobState::InProgress as u8 == 1 && JobState::Finished as u8 == 2);
};

/// `history.how`, `access_key.role` and `reported.kind`.
const _: () = {
    assert!(
        AttemptOutcome::Succeeded as u8 == 0
            && AttemptOutcome::Failed as u8 == 1
            && AttemptOutcome::TimedOut as u8 == 2
    );
    assert!(
        AttemptOutcome::NotSent as u8 == 3 && AttemptOutcome::Cancelled as u8 == 4 && AttemptOutcome::Late as u8 == 5
    );
    assert!(Role::Admin as u8 == 0 && Role::Operator as u8 == 1 && Role::Reader as u8 == 2);
    assert!(ReportKind::Measurepoint as u8 == 0 && ReportKind::Attribute as u8 == 1 && ReportKind::Tag as u8 == 2);
};
