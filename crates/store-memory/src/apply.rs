//! From a write to the function that applies it.

use aldis_store::{Done, Refusal, Write};

use super::Contents;

/// What a write came to. A refusal must be found before anything is changed.
pub(super) type Applied = Result<Done, Refusal>;

impl Contents {
    pub(super) fn apply(&mut self, write: &Write) -> Done {
        self.try_apply(write).unwrap_or_else(Done::Refused)
    }

    pub(super) fn try_apply(&mut self, write: &Write) -> Applied {
        match write {
            Write::CreateOrganization(organization) => self.create_organization(organization),
            Write::DisableOrganization { org, disabled } => self.disable_organization(org, *disabled),
            Write::DeleteOrganization { org } => self.delete_organization(org),
            Write::CreateKey(key) => self.create_key(key),
            Write::DisableKey { key, disabled } => self.disable_key(key, *disabled),
            Write::DeleteKey { key } => self.delete_key(key),
            Write::CreateModel(model) => self.create_model(model),
            Write::UpdateModel {
                org,
                id,
                from,
                document,
            } => self.update_model(org, id, from, document),
            Write::DeleteModel { org, id } => self.delete_model(org, id),
            Write::CreateProduct(product) => self.create_product(product),
            Write::UpdateProduct { org, key, change, by } => self.update_product(org, key, change, by.as_ref()),
            Write::RotateProductSecret {
                org,
                key,
                secret,
                former_until,
                by,
            } => self.rotate_product_secret(org, key, secret, *former_until, by.as_ref()),
            Write::DeleteProduct { org, key } => self.delete_product(org, key),
            Write::CreateDevices {
                devices,
                most,
                registrar,
            } => Ok(self.create_devices(devices, *most, *registrar)),
            Write::UpdateDevice { device, change } => self.update_device(*device, change),
            Write::DisableDevice { device, disabled, by } => self.disable_device(*device, *disabled, by),
            Write::DeleteDevice { device, by } => self.delete_device(*device, by),
            Write::ReplaceDevice { device, key, by } => self.replace_device(*device, key, by),
            Write::RotateDeviceSecret {
                device,
                secret,
                former_until,
            } => self.rotate_device_secret(*device, secret, *former_until),
            Write::AddSubDevices {
                gateway,
                devices,
                moves,
                most,
            } => self.add_sub_devices(*gateway, devices, *moves, *most),
            Write::RemoveSubDevices { gateway, devices } => self.remove_sub_devices(*gateway, devices),
            Write::Activity(activities) => Ok(self.note_activity(activities)),
            Write::Report { values, names_max } => Ok(self.report(values, *names_max)),
            Write::EndSessions { at } => Ok(self.end_sessions(*at)),
            Write::SetClockBack { by_ms } => Ok(self.set_clock_back(*by_ms)),
            Write::CreateJob(job) => self.create_job(job),
            Write::TriggerJob { job } => self.trigger_job(*job),
            Write::WriteTasks {
                job,
                after,
                cursor,
                tasks,
            } => self.write_tasks(*job, *after, *cursor, tasks),
            Write::Steps(steps) => Ok(self.take_steps(steps)),
            Write::Slots(slots) => Ok(self.set_slots(slots)),
            Write::CancelJob { job, by } => self.cancel_job(*job, by),
            Write::SettledJob { job, mark } => self.settled_job(*job, *mark),
            Write::DeleteJob { job, by } => self.delete_job(*job, by),
            Write::PurgeJob { job, limit } => self.purge_job(*job, *limit),
            Write::Remember { idempotency, answer } => self.remember(idempotency, answer),
            Write::SkipNumbers { least, gap } => {
                self.jobs.skip_numbers(*least, *gap);
                Ok(Done::Yes)
            }
            Write::UseUp { proofs, before, limit } => Ok(self.use_up(proofs, *before, *limit)),
            Write::Note(action) => Ok(self.note(action)),
            Write::Noted { write, actions } => self.noted(write, actions),
        }
    }
}
