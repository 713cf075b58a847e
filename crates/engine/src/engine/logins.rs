//! Commits that change who may be logged in, and the sessions that have to end by them.
//!
//! A session is looked at after the commit, whatever became of it: the answer of a commit may be lost, and what it
//! changed is stored all the same. So what has to be looked at follows from the writes and not from an answer, and what
//! is looked at is what is stored by then.

use aldis_core::ids::DeviceNo;
use aldis_store::{Committed, Done, Error, Write};

use super::turn::Turn;
use crate::link::{Cause, SessionNo};
use crate::writer::WriterRequest;

/// The sessions to be looked at after these writes, or `None` if they change nothing about who may log in; `committed`
/// is absent if the commit failed or its answer was lost.
pub fn to_check(writes: &[Write], committed: Option<&Committed>) -> Option<Vec<WriterRequest>> {
    let done = |index: usize| committed.and_then(|committed| committed.done.get(index));
    let refused = |index: usize| matches!(done(index), Some(Done::Refused(_)));
    let applied = writes.iter().enumerate().filter(|(index, _)| !refused(*index));
    applied.filter_map(|(_, write)| of(write)).reduce(|mut all, more| {
        all.extend(more);
        all
    })
}

/// The sessions that may not go on after this write; `None` if it changes nothing about who may log in. Every kind of
/// write is named, so that a new one has to say.
fn of(write: &Write) -> Option<Vec<WriterRequest>> {
    match write {
        Write::Noted { write, .. } => of(write),
        Write::DisableDevice { device, .. } | Write::DeleteDevice { device, .. } => {
            Some(vec![WriterRequest::CheckSession { device: *device }])
        }
        Write::ReplaceDevice { device, .. }
        | Write::RotateDeviceSecret {
            device,
            former_until: None,
            ..
        } => Some(vec![WriterRequest::EndSession { device: *device }]),
        Write::AddSubDevices { devices, .. } | Write::RemoveSubDevices { devices, .. } => Some(
            devices
                .iter()
                .copied()
                .map(|device| WriterRequest::CheckSession { device })
                .collect(),
        ),
        // What has logged in with a product's secret has no session here: it looks for itself.
        Write::RotateProductSecret { former_until: None, .. } => Some(Vec::new()),
        // The secret before is good for a while, and a session may outlive its grace.
        Write::RotateDeviceSecret { .. } | Write::RotateProductSecret { .. } => None,
        // A product that still has devices cannot be deleted, and that certificates are demanded holds from the next
        // login on.
        Write::CreateProduct(_) | Write::UpdateProduct { .. } | Write::DeleteProduct { .. } => None,
        // Callers have no sessions: their key and organization are looked up at every call.
        Write::CreateOrganization(_)
        | Write::DisableOrganization { .. }
        | Write::DeleteOrganization { .. }
        | Write::CreateKey(_)
        | Write::DisableKey { .. }
        | Write::DeleteKey { .. } => None,
        Write::CreateModel(_)
        | Write::UpdateModel { .. }
        | Write::DeleteModel { .. }
        | Write::CreateDevices { .. }
        | Write::UpdateDevice { .. }
        | Write::Activity(_)
        | Write::Report { .. }
        | Write::EndSessions { .. }
        | Write::SetClockBack { .. }
        | Write::CreateJob(_)
        | Write::TriggerJob { .. }
        | Write::WriteTasks { .. }
        | Write::Steps(_)
        | Write::Slots(_)
        | Write::CancelJob { .. }
        | Write::SettledJob { .. }
        | Write::DeleteJob { .. }
        | Write::PurgeJob { .. }
        | Write::SkipNumbers { .. }
        | Write::Remember { .. }
        | Write::UseUp { .. }
        | Write::Note(_) => None,
    }
}

impl Turn<'_> {
    /// Ends the device's session if what is stored does not allow it.
    pub(super) fn check_session(&mut self, device: DeviceNo) -> Result<(), Error> {
        let Some(session) = self.devices().session(device).map(|session| session.no) else {
            return Ok(());
        };
        self.load_facts(&[device])?;
        let cause = match self.facts(device) {
            Some(facts) if facts.disabled && !facts.deleted => Cause::Disabled,
            Some(facts) if !facts.deleted => {
                if self.may_be_there(device, session)? {
                    return Ok(());
                }
                Cause::Moved
            }
            _ => Cause::Deleted,
        };
        self.show_out(device, cause)
    }

    /// A device that has a connection of its own may be there, and so may one that is in over its gateway's connection:
    /// it may have logged in there before word came of where it was.
    fn may_be_there(&self, device: DeviceNo, session: SessionNo) -> Result<bool, Error> {
        let Some(connection) = session.shared() else {
            return Ok(true);
        };
        let gateway = self.store().gateways_of(&[device])?.pop().flatten();
        let right = gateway.and_then(|gateway| self.devices().session(gateway));
        Ok(right.is_some_and(|right| right.no == SessionNo::own(connection)))
    }
}
