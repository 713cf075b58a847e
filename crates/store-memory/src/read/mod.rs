//! Every question, answered from the maps: one file a subject.

mod devices;
mod jobs;
mod journal;
mod queues;
mod registry;

use std::sync::Arc;

use aldis_core::expression::{DeviceField, Filter, TaskField};
use aldis_core::ids::{DeviceNo, OrgId, TaskNo};
use aldis_core::job::JobState;
use aldis_core::task::{State, Task};
use aldis_store::rows::{Device, Job};
use aldis_store::{DeviceFacts, JobTasks, OnlineDevices, TaskInfo, device_status};

use crate::Contents;
use crate::records::{DeviceRecord, TaskRecord, passes};

impl Contents {
    pub(super) fn facts(&self, device: &Device) -> DeviceFacts {
        DeviceFacts {
            device: device.no,
            deleted: device.deleted,
            disabled: device.disabled,
            activated: device.activated.is_some(),
            last_offline: device.last_offline,
        }
    }

    /// A task, if its job is not deleted.
    pub(super) fn task(&self, no: TaskNo) -> Option<&Task> {
        self.jobs.of(no)?;
        self.tasks.get(no)
    }

    pub(super) fn waiting_of(&self, device: DeviceNo) -> impl Iterator<Item = &Task> {
        self.tasks
            .waiting(device)
            .filter(|task| self.jobs.of(task.no).is_some())
    }

    pub(super) fn queued_of(&self, device: DeviceNo) -> impl Iterator<Item = &Task> {
        self.waiting_of(device).filter(|task| task.state == State::Queued)
    }

    pub(super) fn task_info(&self, no: TaskNo) -> Option<TaskInfo> {
        let task = self.task(no)?.clone();
        let job = Arc::new(self.jobs.of(no)?.job.clone());
        let is = &self.devices.get(task.device)?.is;
        Some(TaskInfo {
            task,
            job,
            asset: is.asset.clone(),
            product: is.product.clone(),
            device_key: is.key.clone(),
        })
    }

    pub(super) fn task_passes(&self, org: &OrgId, filter: Option<&Filter<TaskField>>, task: &Task) -> bool {
        let job = self.jobs.of(task.no).map(|row| &row.job).filter(|job| job.org == *org);
        let (Some(job), Some(device)) = (job, self.devices.get(task.device)) else {
            return false;
        };
        passes(filter, &TaskRecord { task, job, device })
    }

    pub(super) fn device_passes(
        &self,
        filter: Option<&Filter<DeviceField>>,
        device: &Device,
        online: &OnlineDevices,
    ) -> bool {
        let record = DeviceRecord {
            device,
            product: self.registry.product(&device.is.product),
            status: device_status(device, online.contains(device.no)),
        };
        passes(filter, &record)
    }
}

pub(super) fn is_at_work(job: &Job) -> bool {
    job.state != JobState::Finished || job.cancels.are_pending() || job.deleted
}

pub(super) fn is_wanted(which: JobTasks, task: &Task) -> bool {
    match which {
        JobTasks::All => true,
        JobTasks::Init => task.state == State::Init,
        JobTasks::FirstRound => task.state == State::Queued && task.due.is_none(),
        JobTasks::Unfinished => !task.state.is_final(),
        JobTasks::Out => task.state.is_out(),
        JobTasks::Retryable => {
            let ended_badly = matches!(task.state, State::Failed | State::ResponseTimedOut | State::TtlTimedOut);
            ended_badly && task.late_success.is_none()
        }
    }
}
