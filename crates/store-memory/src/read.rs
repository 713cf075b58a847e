//! Every question, answered from the maps.

use std::cmp::Reverse;
use std::sync::Arc;

use aldis_core::expression::{CommandField, DeviceField, Filter, JobField, ModelField, ProductField, TaskField};
use aldis_core::i18n::I18nText;
use aldis_core::ids::{AppKey, DeviceNo, JobNo, ModelId, OrgId, ProductKey, TaskNo};
use aldis_core::job::JobState;
use aldis_core::reported::Kind;
use aldis_core::task::{Ended, State, Task};
use aldis_core::time::Timestamp;
use aldis_store::rows::{
    AccessKey, ActionFilter, CommitNo, Device, FoundModel, Job, JobDetail, Model, Organization, PastAction, Product,
    Proof, Remembered, Reported, Slot,
};
use aldis_store::{DeviceCounts, DeviceFacts, DeviceRef, Error, Found, JobTasks, Page, Read, TaskInfo, device_status};

use super::records::{CommandRecord, DeviceRecord, JobRecord, TaskRecord, cut, model_passes, passes};
use super::{Contents, MemoryStore};

impl Contents {
    fn facts(&self, device: &Device) -> DeviceFacts {
        DeviceFacts {
            device: device.no,
            deleted: device.deleted,
            disabled: device.disabled,
            activated: device.activated.is_some(),
            last_offline: device.last_offline,
        }
    }

    /// A task, if its job is not deleted.
    fn task(&self, no: TaskNo) -> Option<&Task> {
        self.jobs.of(no)?;
        self.tasks.get(no)
    }

    fn waiting_of(&self, device: DeviceNo) -> impl Iterator<Item = &Task> {
        self.tasks
            .waiting(device)
            .filter(|task| self.jobs.of(task.no).is_some())
    }

    fn queued_of(&self, device: DeviceNo) -> impl Iterator<Item = &Task> {
        self.waiting_of(device).filter(|task| task.state == State::Queued)
    }

    fn task_info(&self, no: TaskNo) -> Option<TaskInfo> {
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

    fn task_passes(&self, org: &OrgId, filter: Option<&Filter<TaskField>>, task: &Task) -> bool {
        let job = self.jobs.of(task.no).map(|row| &row.job).filter(|job| job.org == *org);
        let (Some(job), Some(device)) = (job, self.devices.get(task.device)) else {
            return false;
        };
        passes(filter, &TaskRecord { task, job, device })
    }

    fn device_passes(&self, filter: Option<&Filter<DeviceField>>, device: &Device, store: &MemoryStore) -> bool {
        let record = DeviceRecord {
            device,
            product: self.registry.product(&device.is.product),
            status: device_status(device, store.presence.as_ref()),
        };
        passes(filter, &record)
    }
}

fn is_at_work(job: &Job) -> bool {
    job.state != JobState::Finished || job.cancel_mark > job.settled_mark || job.deleted
}

fn is_wanted(which: JobTasks, task: &Task) -> bool {
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

impl Read for MemoryStore {
    fn last_commit(&self) -> Result<(CommitNo, Timestamp), Error> {
        let contents = self.contents.read();
        Ok((contents.last, contents.clock))
    }

    fn organization(&self, org: &OrgId) -> Result<Option<Organization>, Error> {
        Ok(self.contents.read().registry.organizations.get(org).cloned())
    }

    fn organizations(&self) -> Result<Vec<Organization>, Error> {
        Ok(self.contents.read().registry.organizations.values().cloned().collect())
    }

    fn access_key(&self, key: &AppKey) -> Result<Option<AccessKey>, Error> {
        Ok(self.contents.read().registry.keys.get(key).cloned())
    }

    fn access_keys(&self, org: Option<&OrgId>) -> Result<Vec<AccessKey>, Error> {
        let contents = self.contents.read();
        let keys = contents.registry.keys.values();
        Ok(keys
            .filter(|key| org.is_none_or(|org| key.org == *org))
            .cloned()
            .collect())
    }

    fn model(&self, org: &OrgId, id: &ModelId) -> Result<Option<Model>, Error> {
        Ok(self.contents.read().registry.model(org, id).cloned())
    }

    fn search_models(
        &self,
        org: &OrgId,
        filter: Option<&Filter<ModelField>>,
        page: Page,
    ) -> Result<Found<FoundModel>, Error> {
        let contents = self.contents.read();
        let mut found = Vec::new();
        for model in contents.registry.models.iter().rev().filter(|model| model.org == *org) {
            if model_passes(filter, model)? {
                found.push(FoundModel {
                    org: model.org.clone(),
                    id: model.id.clone(),
                    document: model.document.to_string().into(),
                });
            }
        }
        cut(found.into_iter(), page)
    }

    fn product(&self, key: &ProductKey) -> Result<Option<Product>, Error> {
        Ok(self.contents.read().registry.product(key).cloned())
    }

    fn search_products(
        &self,
        org: &OrgId,
        filter: Option<&Filter<ProductField>>,
        page: Page,
    ) -> Result<Found<Product>, Error> {
        let contents = self.contents.read();
        let products = contents.registry.products.iter().rev();
        let found = products.filter(|product| product.org == *org && passes(filter, *product));
        cut(found.cloned(), page)
    }

    fn devices(&self, refs: &[DeviceRef]) -> Result<Vec<Option<Device>>, Error> {
        let contents = self.contents.read();
        Ok(refs.iter().map(|by| contents.devices.find(by).cloned()).collect())
    }

    fn search_devices(
        &self,
        org: &OrgId,
        filter: Option<&Filter<DeviceField>>,
        page: Page,
    ) -> Result<Found<Device>, Error> {
        let contents = self.contents.read();
        let devices = contents.devices.live().rev().filter(|device| device.is.org == *org);
        let found = devices.filter(|device| contents.device_passes(filter, device, self));
        cut(found.cloned(), page)
    }

    fn count_devices(&self, org: &OrgId, product: Option<&ProductKey>) -> Result<DeviceCounts, Error> {
        let contents = self.contents.read();
        let mut counts = DeviceCounts::default();
        for device in contents.devices.live() {
            if device.is.org == *org && product.is_none_or(|product| device.is.product == *product) {
                counts.add(device_status(device, self.presence.as_ref()), 1);
            }
        }
        Ok(counts)
    }

    fn device_facts(&self, devices: &[DeviceNo]) -> Result<Vec<Option<DeviceFacts>>, Error> {
        let contents = self.contents.read();
        let facts = |no: &DeviceNo| contents.devices.get(*no).map(|device| contents.facts(device));
        Ok(devices.iter().map(facts).collect())
    }

    fn gateways_of(&self, devices: &[DeviceNo]) -> Result<Vec<Option<DeviceNo>>, Error> {
        let contents = self.contents.read();
        Ok(devices.iter().map(|no| contents.devices.gateway_of(*no)).collect())
    }

    fn sub_devices(&self, gateway: DeviceNo) -> Result<Vec<DeviceNo>, Error> {
        Ok(self.contents.read().devices.under(gateway).collect())
    }

    fn search_sub_devices(
        &self,
        gateway: DeviceNo,
        filter: Option<&Filter<DeviceField>>,
        page: Page,
    ) -> Result<Found<Device>, Error> {
        let contents = self.contents.read();
        let devices = contents.devices.under(gateway).rev();
        let devices = devices.filter_map(|no| contents.devices.get(no));
        let found = devices.filter(|device| contents.device_passes(filter, device, self));
        cut(found.cloned(), page)
    }

    fn reported(&self, device: DeviceNo) -> Result<Vec<Reported>, Error> {
        Ok(self.contents.read().reported.of(device).collect())
    }

    fn last_reported(&self, devices: &[DeviceNo], kind: Kind) -> Result<Vec<Option<Timestamp>>, Error> {
        let contents = self.contents.read();
        Ok(devices.iter().map(|no| contents.reported.last(*no, kind)).collect())
    }

    fn job(&self, job: JobNo) -> Result<Option<JobDetail>, Error> {
        Ok(self.contents.read().jobs.get(job).map(super::jobs::JobRow::detail))
    }

    fn job_names(&self, jobs: &[JobNo]) -> Result<Vec<Option<I18nText>>, Error> {
        let contents = self.contents.read();
        let name = |job: &JobNo| contents.jobs.get(*job).map(|row| row.text.name.clone());
        Ok(jobs.iter().map(name).collect())
    }

    fn search_jobs(
        &self,
        org: &OrgId,
        filter: Option<&Filter<JobField>>,
        page: Page,
    ) -> Result<Found<JobDetail>, Error> {
        let contents = self.contents.read();
        let of_org = |row: &&super::jobs::JobRow| row.job.org == *org && !row.job.single;
        let jobs = contents.jobs.live().rev().filter(of_org);
        let found = jobs.filter(|row| {
            let (job, text) = (&row.job, row.text.as_ref());
            passes(filter, &JobRecord { job, text })
        });
        cut(found.map(super::jobs::JobRow::detail), page)
    }

    fn jobs_at_work(&self) -> Result<Vec<Job>, Error> {
        let contents = self.contents.read();
        let jobs = contents.jobs.all().map(|row| &row.job);
        Ok(jobs.filter(|job| is_at_work(job)).cloned().collect())
    }

    fn numbers_at_work(&self) -> Result<Vec<JobNo>, Error> {
        let contents = self.contents.read();
        let jobs = contents.jobs.all().map(|row| &row.job);
        Ok(jobs.filter(|job| is_at_work(job)).map(|job| job.no).collect())
    }

    fn jobs_of(&self, tasks: &[TaskNo]) -> Result<Vec<Job>, Error> {
        let contents = self.contents.read();
        let jobs = tasks
            .iter()
            .filter_map(|task| contents.jobs.of(*task))
            .map(|row| &row.job);
        let mut jobs: Vec<Job> = jobs.cloned().collect();
        jobs.sort_by_key(|job| job.no);
        jobs.dedup_by_key(|job| job.no);
        Ok(jobs)
    }

    fn tasks(&self, tasks: &[TaskNo]) -> Result<Vec<Option<Task>>, Error> {
        let contents = self.contents.read();
        Ok(tasks.iter().map(|no| contents.task(*no).cloned()).collect())
    }

    fn task_infos(&self, tasks: &[TaskNo]) -> Result<Vec<Option<TaskInfo>>, Error> {
        let contents = self.contents.read();
        Ok(tasks.iter().map(|no| contents.task_info(*no)).collect())
    }

    fn search_tasks(
        &self,
        org: &OrgId,
        filter: Option<&Filter<TaskField>>,
        page: Page,
    ) -> Result<Found<TaskInfo>, Error> {
        let contents = self.contents.read();
        let tasks = contents.tasks.all().rev();
        let found = tasks.filter(|task| contents.task_passes(org, filter, task));
        cut(found.filter_map(|task| contents.task_info(task.no)), page)
    }

    fn search_commands(
        &self,
        device: DeviceNo,
        filter: Option<&Filter<CommandField>>,
        page: Page,
    ) -> Result<Found<TaskInfo>, Error> {
        let contents = self.contents.read();
        let tasks = contents.tasks.all().rev().filter(|task| task.device == device);
        let found = tasks.filter(|task| {
            let row = contents.jobs.of(task.no).filter(|row| row.job.single);
            row.is_some_and(|row| passes(filter, &CommandRecord { task, row }))
        });
        cut(found.filter_map(|task| contents.task_info(task.no)), page)
    }

    fn history(&self, task: TaskNo) -> Result<Vec<Ended>, Error> {
        let contents = self.contents.read();
        let known = contents.task(task).is_some();
        Ok(if known {
            contents.tasks.history(task)
        } else {
            Vec::new()
        })
    }

    fn job_tasks(&self, job: &Job, which: JobTasks, after: Option<TaskNo>, limit: usize) -> Result<Vec<Task>, Error> {
        let contents = self.contents.read();
        let numbers = contents.tasks.range_of(job).into_iter();
        let later = numbers.filter(|no| after.is_none_or(|after| *no > after));
        let wanted = later
            .filter_map(|no| contents.task(no))
            .filter(|task| is_wanted(which, task));
        Ok(wanted.take(limit).cloned().collect())
    }

    fn members(&self, job: &Job, limit: usize) -> Result<Vec<DeviceFacts>, Error> {
        let contents = self.contents.read();
        let stored = contents.jobs.get(job.no).and_then(|row| row.job.members.as_ref());
        let cursor = stored.map(|members| members.cursor).unwrap_or_default();
        let members = contents.members_of(job.no).into_iter().filter(|no| *no > cursor);
        let facts = members
            .filter_map(|no| contents.devices.get(no))
            .map(|device| contents.facts(device));
        Ok(facts.take(limit).collect())
    }

    fn due_tasks(&self, now: Timestamp, limit: usize) -> Result<Vec<Task>, Error> {
        let contents = self.contents.read();
        let due = contents.tasks.wakes().take_while(|(at, _)| *at <= now);
        let tasks = due.filter_map(|(_, no)| contents.task(no));
        Ok(tasks.take(limit).cloned().collect())
    }

    fn next_due(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let contents = self.contents.read();
        let mut later = contents
            .tasks
            .wakes()
            .filter(|(at, no)| *at > now && contents.task(*no).is_some());
        Ok(later.next().map(|(at, _)| at))
    }

    fn queued(&self, devices: &[DeviceNo]) -> Result<Vec<Vec<Task>>, Error> {
        let contents = self.contents.read();
        Ok(devices
            .iter()
            .map(|device| contents.queued_of(*device).cloned().collect())
            .collect())
    }

    fn queue_lengths(&self, devices: &[DeviceNo]) -> Result<Vec<usize>, Error> {
        let contents = self.contents.read();
        Ok(devices
            .iter()
            .map(|device| contents.queued_of(*device).count())
            .collect())
    }

    fn waiting(&self, device: DeviceNo) -> Result<Vec<Task>, Error> {
        Ok(self.contents.read().waiting_of(device).cloned().collect())
    }

    fn attempted(&self, device: DeviceNo, limit: usize) -> Result<Vec<Task>, Error> {
        let contents = self.contents.read();
        let of_device = contents.tasks.all().filter(|task| task.device == device);
        let live = of_device.filter_map(|task| contents.task(task.no));
        let mut attempted: Vec<Task> = live.filter(|task| task.attempt.0 > 0).cloned().collect();
        attempted.sort_by_key(|task| Reverse((task.state.is_out(), task.no)));
        attempted.truncate(limit);
        Ok(attempted)
    }

    fn slots(&self) -> Result<Vec<Slot>, Error> {
        Ok(self.contents.read().slots.values().copied().collect())
    }

    fn proofs(&self, limit: usize) -> Result<Vec<Proof>, Error> {
        Ok(self.contents.read().journal.proofs(limit))
    }

    fn remembered(&self, scope: &str, key: &str, now: Timestamp) -> Result<Option<Remembered>, Error> {
        Ok(self.contents.read().journal.remembered(scope, key, now).cloned())
    }

    fn search_actions(&self, org: &OrgId, filter: &ActionFilter, page: Page) -> Result<Found<PastAction>, Error> {
        let contents = self.contents.read();
        cut(contents.journal.actions(org, filter).cloned(), page)
    }
}
