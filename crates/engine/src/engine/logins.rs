//! Commits that change which logins are valid, and the sessions that have to end because of them.
//!
//! Sessions are checked after the commit, also after one that failed: its answer may be lost although it is stored. So
//! the writes decide which sessions are checked, not the answer, and the check reads what is stored by then.

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

/// The sessions to check after this write; `None` if it changes nothing about who may log in. Every kind of write is
/// named, so that the compiler asks for each new kind.
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
        // A connection that logged in with a product's secret has no session here: it checks for itself.
        Write::RotateProductSecret { former_until: None, .. } => Some(Vec::new()),
        // The former secret is valid for a while, and sessions that used it may go on after that.
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

    /// A session is allowed on a connection of the device's own, and on the connection of the device's gateway: there
    /// the device may have logged in before the event of the move came.
    fn may_be_there(&self, device: DeviceNo, session: SessionNo) -> Result<bool, Error> {
        let Some(connection) = session.shared() else {
            return Ok(true);
        };
        let gateway = self.store().gateways_of(&[device])?.pop().flatten();
        let right = gateway.and_then(|gateway| self.devices().session(gateway));
        Ok(right.is_some_and(|right| right.no == SessionNo::own(connection)))
    }
}
