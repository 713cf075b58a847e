//! Disabling, enabling and deleting a device.

use aldis_core::ids::DeviceNo;
use aldis_core::task::Event;
use aldis_store::rows::Actor;
use aldis_store::{DeviceRef, Done, Error, Refusal, Write};

use super::refuse;
use crate::engine::batch::OnCommit;
use crate::engine::turn::Turn;
use crate::link::{Cause, DeviceKeys, LifecycleChange, Order};
use crate::writer::{AnswerSender, WriterError};

impl Turn<'_> {
    /// A disabled device is shown out, and what waits for it ends.
    pub(super) fn disable_device(
        &mut self,
        device: DeviceNo,
        disabled: bool,
        by: Actor,
        answer: AnswerSender<()>,
    ) -> Result<(), Error> {
        self.load_facts(&[device])?;
        match self.facts_mut(device).filter(|facts| !facts.deleted) {
            None => {
                refuse(answer, Refusal::Missing);
                return Ok(());
            }
            Some(facts) if facts.disabled == disabled => {
                refuse(answer, Refusal::Unchanged);
                return Ok(());
            }
            Some(facts) => facts.disabled = disabled,
        }
        if disabled {
            self.show_out(device, Cause::Disabled)?;
            self.end_waiting(device, Event::DeviceDisabled)?;
        }
        let change = if disabled {
            LifecycleChange::Disabled
        } else {
            LifecycleChange::Enabled
        };
        self.notify_gateway(device, change)?;
        self.write(vec![Write::DisableDevice { device, disabled, by }], plainly(answer));
        Ok(())
    }

    pub(super) fn delete_device(&mut self, device: DeviceNo, by: Actor, answer: AnswerSender<()>) -> Result<(), Error> {
        self.load_facts(&[device])?;
        match self.facts_mut(device).filter(|facts| !facts.deleted) {
            None => {
                refuse(answer, Refusal::Missing);
                return Ok(());
            }
            Some(facts) => facts.deleted = true,
        }
        self.show_out(device, Cause::Deleted)?;
        self.end_waiting(device, Event::DeviceDeleted)?;
        self.notify_gateway(device, LifecycleChange::Deleted)?;
        self.write(vec![Write::DeleteDevice { device, by }], plainly(answer));
        Ok(())
    }

    /// A gateway that is online learns after the commit what became of its sub-device.
    fn notify_gateway(&mut self, device: DeviceNo, change: LifecycleChange) -> Result<(), Error> {
        let Some(gateway) = self.store().gateways_of(&[device])?.pop().flatten() else {
            return Ok(());
        };
        let session = self.devices().session(gateway).filter(|session| !session.closing);
        let Some(session) = session.map(|session| session.no) else {
            return Ok(());
        };
        if let Some(found) = self.store().devices(&[DeviceRef::No(device)])?.pop().flatten() {
            let sub_device = DeviceKeys {
                product_key: found.is.product,
                device_key: found.is.key,
            };
            self.order(Order::Notify {
                session,
                change,
                sub_device,
            });
        }
        Ok(())
    }

    fn end_waiting(&mut self, device: DeviceNo, event: Event<'_>) -> Result<(), Error> {
        let rows = self.store().waiting(device)?;
        self.take_in_with_jobs(rows)?;
        for task in self.at_hand_of(device) {
            // Only waiting tasks are concerned; what is out runs out.
            let _refused = self.apply(task, event);
        }
        Ok(())
    }
}

fn plainly(answer: AnswerSender<()>) -> OnCommit {
    Box::new(move |done| {
        let result = match done {
            Ok([Done::Refused(refusal), ..]) => Err(WriterError::Refused(*refusal)),
            Ok(_) => Ok(()),
            Err(failure) => Err(failure),
        };
        drop(answer.send(result));
    })
}
