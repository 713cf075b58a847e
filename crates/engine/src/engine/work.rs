//! Work over many rows of a job, as it waits for its turn. `bulk.rs` does it, slice by slice.

use aldis_core::ids::{JobNo, TaskNo};
use aldis_store::rows::{Actor, Idempotency};

use crate::writer::{AnswerSender, Retried, WholeJob};

/// Tasks that the answer about a whole job lists.
pub(super) const LISTED_MAX: usize = 200;

/// Bulk work under way. All of it follows from what is stored, except retries, which live as long as their callers
/// wait.
#[derive(Debug)]
pub(super) enum Bulk {
    /// Write the tasks of a whole product's members.
    WriteMembers { job: JobNo },
    /// End the first round's window.
    Expire { job: JobNo, after: Option<TaskNo> },
    /// Settle the rows of a job that was cancelled as a whole.
    Settle {
        job: JobNo,
        mark: u16,
        after: Option<TaskNo>,
    },
    /// Remove the rows of a deleted job.
    Purge { job: JobNo },
    /// Retry all eligible tasks of a job.
    Retry(Box<RetryAll>),
}

impl Bulk {
    /// It ends tasks, or has them become due: it waits while the clock is in doubt.
    pub(super) fn waits_for_the_clock(&self) -> bool {
        matches!(self, Self::WriteMembers { .. } | Self::Expire { .. })
    }

    /// What it is about.
    pub(super) fn job(&self) -> JobNo {
        match self {
            Self::WriteMembers { job } | Self::Expire { job, .. } | Self::Settle { job, .. } | Self::Purge { job } => {
                *job
            }
            Self::Retry(retry) => retry.job,
        }
    }
}

/// A retry of a whole job; its caller is answered after the last slice.
#[derive(Debug)]
pub(super) struct RetryAll {
    pub(super) job: JobNo,
    pub(super) after: Option<TaskNo>,
    pub(super) so_far: WholeJob,
    pub(super) by: Actor,
    pub(super) idempotency: Option<Idempotency>,
    pub(super) answer: AnswerSender<Retried>,
}
