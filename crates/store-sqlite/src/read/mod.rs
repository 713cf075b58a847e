//! Every question, from one snapshot each. The statements stand in the files by resource.

mod devices;
mod jobs;
mod journal;
mod members;
mod owners;
mod registry;
mod reported;
mod search_commands;
mod search_devices;
mod search_jobs;
mod search_tasks;
mod sub_devices;
mod tasks;

pub(crate) use journal::idempotency_record;
pub(crate) use registry::{model, role_number};
pub(crate) use reported::number as kind_number;

use aldis_core::expression::{CommandField, DeviceField, Filter, JobField, ModelField, ProductField, TaskField};
use aldis_core::i18n::I18nText;
use aldis_core::ids::{AppKey, DeviceNo, JobNo, ModelId, OrgId, ProductKey, TaskNo};
use aldis_core::reported::ReportKind;
use aldis_core::task::{AttemptRecord, Task};
use aldis_core::time::Timestamp;
use aldis_store::rows::{
    AccessKey, ActionFilter, CommitNo, Device, FoundModel, IdempotencyRecord, Job, JobDetail, Model, Organization,
    PastAction, Product, Proof, Reported, Slot,
};
use aldis_store::{
    DeviceCounts, DeviceFacts, DeviceRef, Error, Found, JobTasks, OnlineDevices, Page, ReadDevices, ReadJobs,
    ReadJournal, ReadQueues, ReadRegistry, TaskInfo,
};

use crate::database::{Access, Database};

impl<A: Access> ReadRegistry for Database<A> {
    fn organization(&self, org: &OrgId) -> Result<Option<Organization>, Error> {
        self.access
            .read("reading an organization", |db| registry::organization(&db.conn, org))
    }

    fn organizations(&self) -> Result<Vec<Organization>, Error> {
        self.access
            .read("reading the organizations", |db| registry::organizations(&db.conn))
    }

    fn access_key(&self, key: &AppKey) -> Result<Option<AccessKey>, Error> {
        self.access
            .read("reading an access key", |db| registry::access_key(db, key))
    }

    fn access_keys(&self, org: Option<&OrgId>) -> Result<Vec<AccessKey>, Error> {
        self.access
            .read("reading the access keys", |db| registry::access_keys(db, org))
    }

    fn model(&self, org: &OrgId, id: &ModelId) -> Result<Option<Model>, Error> {
        self.access
            .read("reading a thing model", |db| registry::model(&db.conn, org, id))
    }

    fn search_models(
        &self,
        org: &OrgId,
        filter: Option<&Filter<ModelField>>,
        page: Page,
    ) -> Result<Found<FoundModel>, Error> {
        self.access.read("searching thing models", |db| {
            registry::search_models(&db.conn, org, filter, page)
        })
    }

    fn product(&self, key: &ProductKey) -> Result<Option<Product>, Error> {
        self.access.read("reading a product", |db| registry::product(db, key))
    }

    fn search_products(
        &self,
        org: &OrgId,
        filter: Option<&Filter<ProductField>>,
        page: Page,
    ) -> Result<Found<Product>, Error> {
        self.access.read("searching products", |db| {
            registry::search_products(db, org, filter, page)
        })
    }
}

impl<A: Access> ReadDevices for Database<A> {
    fn devices(&self, refs: &[DeviceRef]) -> Result<Vec<Option<Device>>, Error> {
        self.access.read("reading devices", |db| {
            refs.iter().map(|by| devices::find(db, by)).collect()
        })
    }

    fn search_devices(
        &self,
        org: &OrgId,
        filter: Option<&Filter<DeviceField>>,
        online: &OnlineDevices,
        page: Page,
    ) -> Result<Found<Device>, Error> {
        self.access.read("searching devices", |db| {
            search_devices::search(db, org, filter, online, page)
        })
    }

    fn count_devices(
        &self,
        org: &OrgId,
        product: Option<&ProductKey>,
        online: &OnlineDevices,
    ) -> Result<DeviceCounts, Error> {
        self.access.read("counting devices", |db| {
            search_devices::count(&db.conn, org, product, online)
        })
    }

    fn device_facts(&self, devices: &[DeviceNo]) -> Result<Vec<Option<DeviceFacts>>, Error> {
        self.access
            .read("reading devices", |db| devices::facts(&db.conn, devices))
    }

    fn gateways_of(&self, devices: &[DeviceNo]) -> Result<Vec<Option<DeviceNo>>, Error> {
        self.access
            .read("reading gateways", |db| sub_devices::gateways_of(&db.conn, devices))
    }

    fn sub_devices(&self, gateway: DeviceNo) -> Result<Vec<DeviceNo>, Error> {
        self.access
            .read("reading sub-devices", |db| sub_devices::under(&db.conn, gateway))
    }

    fn search_sub_devices(
        &self,
        gateway: DeviceNo,
        filter: Option<&Filter<DeviceField>>,
        online: &OnlineDevices,
        page: Page,
    ) -> Result<Found<Device>, Error> {
        self.access.read("searching sub-devices", |db| {
            search_devices::search_under(db, gateway, filter, online, page)
        })
    }

    fn reported(&self, device: DeviceNo) -> Result<Vec<Reported>, Error> {
        self.access
            .read("reading reported values", |db| reported::of(&db.conn, device))
    }

    fn last_reported(&self, devices: &[DeviceNo], kind: ReportKind) -> Result<Vec<Option<Timestamp>>, Error> {
        self.access
            .read("reading reported values", |db| reported::last(&db.conn, devices, kind))
    }
}

impl<A: Access> ReadJobs for Database<A> {
    fn job(&self, job: JobNo) -> Result<Option<JobDetail>, Error> {
        self.access.read("reading a job", |db| jobs::detail(&db.conn, job))
    }

    fn job_names(&self, jobs: &[JobNo]) -> Result<Vec<Option<I18nText>>, Error> {
        self.access
            .read("reading the names of jobs", |db| jobs::names(&db.conn, jobs))
    }

    fn search_jobs(
        &self,
        org: &OrgId,
        filter: Option<&Filter<JobField>>,
        page: Page,
    ) -> Result<Found<JobDetail>, Error> {
        self.access
            .read("searching jobs", |db| search_jobs::search(db, org, filter, page))
    }

    fn jobs_at_work(&self) -> Result<Vec<Job>, Error> {
        self.access
            .read("reading the jobs at work", |db| jobs::at_work(&db.conn))
    }

    fn numbers_at_work(&self) -> Result<Vec<JobNo>, Error> {
        self.access
            .read("reading the jobs at work", |db| jobs::numbers_at_work(&db.conn))
    }

    fn jobs_of(&self, tasks: &[TaskNo]) -> Result<Vec<Job>, Error> {
        self.access.read("reading jobs", |db| jobs::of(&db.conn, tasks))
    }

    fn tasks(&self, tasks: &[TaskNo]) -> Result<Vec<Option<Task>>, Error> {
        self.access
            .read("reading tasks", |db| tasks::by_numbers(&db.conn, tasks))
    }

    fn task_infos(&self, tasks: &[TaskNo]) -> Result<Vec<Option<TaskInfo>>, Error> {
        self.access.read("reading tasks", |db| tasks::infos(&db.conn, tasks))
    }

    fn search_tasks(
        &self,
        org: &OrgId,
        filter: Option<&Filter<TaskField>>,
        page: Page,
    ) -> Result<Found<TaskInfo>, Error> {
        self.access
            .read("searching tasks", |db| search_tasks::search(db, org, filter, page))
    }

    fn search_commands(
        &self,
        device: DeviceNo,
        filter: Option<&Filter<CommandField>>,
        page: Page,
    ) -> Result<Found<TaskInfo>, Error> {
        self.access.read("searching single commands", |db| {
            search_commands::search(db, device, filter, page)
        })
    }

    fn history(&self, task: TaskNo) -> Result<Vec<AttemptRecord>, Error> {
        self.access
            .read("reading a task's history", |db| tasks::history(&db.conn, task))
    }

    fn job_tasks(&self, job: &Job, which: JobTasks, after: Option<TaskNo>, limit: usize) -> Result<Vec<Task>, Error> {
        self.access.read("reading a job's tasks", |db| {
            tasks::of_job(&db.conn, job.no, which, after, limit)
        })
    }

    fn members(&self, job: &Job, limit: usize) -> Result<Vec<DeviceFacts>, Error> {
        self.access.read("reading a job's members", |db| {
            members::unwritten(&db.conn, job.no, limit)
        })
    }
}

impl<A: Access> ReadQueues for Database<A> {
    fn due_tasks(&self, now: Timestamp, limit: usize) -> Result<Vec<Task>, Error> {
        self.access
            .read("reading due tasks", |db| tasks::due(&db.conn, now, limit))
    }

    fn next_due(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        self.access
            .read("reading the next due moment", |db| tasks::next_due(&db.conn, now))
    }

    fn queued(&self, devices: &[DeviceNo]) -> Result<Vec<Vec<Task>>, Error> {
        self.access
            .read("reading queues", |db| tasks::queued(&db.conn, devices))
    }

    fn queue_lengths(&self, devices: &[DeviceNo]) -> Result<Vec<usize>, Error> {
        self.access
            .read("counting queues", |db| devices::queue_lengths(&db.conn, devices))
    }

    fn waiting(&self, device: DeviceNo) -> Result<Vec<Task>, Error> {
        self.access
            .read("reading what waits for a device", |db| tasks::waiting(&db.conn, device))
    }

    fn attempted(&self, device: DeviceNo, limit: usize) -> Result<Vec<Task>, Error> {
        self.access.read("reading a device's tasks", |db| {
            tasks::attempted(&db.conn, device, limit)
        })
    }

    fn slots(&self) -> Result<Vec<Slot>, Error> {
        self.access.read("reading slots", |db| tasks::slots(&db.conn))
    }
}

impl<A: Access> ReadJournal for Database<A> {
    fn last_commit(&self) -> Result<(CommitNo, Timestamp), Error> {
        self.access
            .read("reading the last commit", |db| journal::last_commit(&db.conn))
    }

    fn idempotency_record(&self, scope: &str, key: &str, now: Timestamp) -> Result<Option<IdempotencyRecord>, Error> {
        self.access.read("reading a remembered answer", |db| {
            journal::idempotency_record(&db.conn, scope, key, now)
        })
    }

    fn proofs(&self, limit: usize) -> Result<Vec<Proof>, Error> {
        self.access
            .read("reading used proofs", |db| journal::proofs(&db.conn, limit))
    }

    fn search_actions(&self, org: &OrgId, filter: &ActionFilter, page: Page) -> Result<Found<PastAction>, Error> {
        self.access.read("searching what was done", |db| {
            journal::search_actions(&db.conn, org, filter, page)
        })
    }
}

/// The page of what passes a filter in memory; `rows` come newest first.
fn cut<T>(rows: Vec<T>, page: Page) -> Found<T> {
    let total = rows.len() as u64;
    let at_most = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let rows = rows
        .into_iter()
        .skip(at_most(page.skip))
        .take(at_most(page.take))
        .collect();
    Found { rows, total }
}
