//! How much work one turn takes: everything there is, but little while callers wait for single devices.
//!
//! Under load a turn is as long as what has come in during the one before: large turns are cheap ones, since a commit
//! costs the same for five tasks as for a hundred. A caller that commands a single device then waits for some of them,
//! one after the other. So for a while after such a call turns are short.

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
/// A call for this many devices is not for single ones any more.
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

    /// Events to take in: a turn that hears of a call is short already.
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

/// A job for single devices: in a short turn, what they say comes first.
pub(super) fn is_for_few(job: &Job) -> bool {
    job.members.is_none() && job.allocated <= FEW
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
