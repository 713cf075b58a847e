//! How much work one turn takes: everything there is, but little while callers wait for single devices.
//!
//! Under load a turn takes everything that came in during the turn before. Large turns are efficient, since a commit
//! costs the same for five tasks as for a hundred. But a call for a single device then waits for several such turns. So
//! turns are short for a while after such a call.

use aldis_core::time::Timestamp;
use aldis_store::Write;
use aldis_store::rows::Job;

use crate::writer::WriterRequest;

/// Events of a short turn: about five milliseconds' worth.
pub(super) const EVENTS_YIELDING: usize = 512;
/// Rows of a slice of bulk work in a short turn.
const SLICE_YIELDING: usize = 2_000;
/// Rows of a slice while nothing else waits.
const SLICE_ALONE: usize = 10_000;
/// Longer than a command takes to its device and back under load.
const YIELD_MS: i64 = 1_000;
/// Calls for at most this many devices count as calls for single devices.
const FEW: u64 = 16;

#[derive(Debug, Default)]
pub(super) struct TurnBudget {
    /// Turns are short until then.
    until: Option<Timestamp>,
}

impl TurnBudget {
    /// Takes notice of what callers have asked for.
    pub(super) fn note_requests(&mut self, requests: &[WriterRequest], now: Timestamp) {
        if requests.iter().any(is_about_few) {
            self.until = Some(now.plus_ms(YIELD_MS));
        } else if self.until.is_some_and(|until| now >= until) {
            self.until = None;
        }
    }

    /// Whether turns are short.
    pub(super) fn is_yielding(&self) -> bool {
        self.until.is_some()
    }

    /// Events that a turn may take; `asked` says whether a request waits. A turn that takes a request is short already.
    pub(super) fn events_max(&self, asked: bool) -> usize {
        if asked || self.is_yielding() {
            EVENTS_YIELDING
        } else {
            usize::MAX
        }
    }

    /// Rows of a slice of bulk work.
    pub(super) fn rows_per_slice(&self, devices_spoke: bool) -> usize {
        if devices_spoke || self.is_yielding() {
            SLICE_YIELDING
        } else {
            SLICE_ALONE
        }
    }
}

/// A job for single devices: in a short turn their events come first.
pub(super) fn is_for_few(job: &Job) -> bool {
    job.members.is_none() && job.range.allocated <= FEW
}

fn is_about_few(request: &WriterRequest) -> bool {
    match request {
        WriterRequest::Write { writes, .. } => writes.iter().any(|write| match write {
            Write::CreateJob(job) => job.devices.as_ref().is_some_and(|devices| devices.len() as u64 <= FEW),
            _ => false,
        }),
        WriterRequest::CancelTasks { tasks, .. } => tasks.len() as u64 <= FEW,
        WriterRequest::Retry { tasks, .. } => tasks.as_ref().is_some_and(|tasks| tasks.len() as u64 <= FEW),
        WriterRequest::CancelCommands { .. } => true,
        WriterRequest::CancelJob { .. }
        | WriterRequest::DisableDevice { .. }
        | WriterRequest::DeleteDevice { .. }
        | WriterRequest::CheckSession { .. }
        | WriterRequest::EndSession { .. } => false,
    }
}
