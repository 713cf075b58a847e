//! A store whose calls go through a test first: the one list of calls that every failing store forwards.

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
    Committed, DeviceCounts, DeviceFacts, DeviceRef, Epoch, Error, Found, JobTasks, OnlineDevices, Page, Read,
    ReadDevices, ReadJobs, ReadJournal, ReadQueues, ReadRegistry, Store, TaskInfo, Write,
};

/// What a test does to the reads of a store.
pub trait ReadFaults: Send + Sync {
    /// Runs before each read.
    ///
    /// # Errors
    /// The read fails with this error and does not reach the store.
    fn before_read(&self) -> Result<(), Error>;
}

/// What a test does to the commits of a store.
pub trait StoreFaults<S>: ReadFaults {
    /// Runs instead of each commit.
    ///
    /// # Errors
    /// The commit fails with this error; whether it was stored is the test's choice.
    fn commit(&self, store: &mut S, epoch: Epoch, now: Timestamp, writes: &[Write]) -> Result<Committed, Error>;
}

/// A store and the faults that its calls meet.
pub struct FaultyStore<S, F> {
    /// The store behind the faults.
    pub store: S,
    /// What goes wrong.
    pub faults: F,
}

/// The failure of a medium, with what was being done.
#[must_use]
pub fn unavailable(what: &str) -> Error {
    Error::Unavailable {
        what: what.to_owned(),
        source: None,
    }
}

impl<S: Store, F: StoreFaults<S>> Store for FaultyStore<S, F> {
    fn begin_epoch(&mut self) -> Result<Epoch, Error> {
        self.store.begin_epoch()
    }

    fn commit(&mut self, epoch: Epoch, now: Timestamp, writes: &[Write]) -> Result<Committed, Error> {
        self.faults.commit(&mut self.store, epoch, now, writes)
    }

    fn check(&mut self) -> Result<(), Error> {
        self.store.check()
    }
}

macro_rules! forward {
    ($($subject:ident { $($name:ident($($argument:ident: $kind:ty),*) -> $found:ty;)* })*) => {
        $(impl<S: Read, F: ReadFaults> $subject for FaultyStore<S, F> {
            $(fn $name(&self, $($argument: $kind),*) -> Result<$found, Error> {
                self.faults.before_read()?;
                self.store.$name($($argument),*)
            })*
        })*
    };
}

forward! {
    ReadRegistry {
        organization(org: &OrgId) -> Option<Organization>;
        organizations() -> Vec<Organization>;
        access_key(key: &AppKey) -> Option<AccessKey>;
        access_keys(org: Option<&OrgId>) -> Vec<AccessKey>;
        model(org: &OrgId, id: &ModelId) -> Option<Model>;
        search_models(org: &OrgId, filter: Option<&Filter<ModelField>>, page: Page) -> Found<FoundModel>;
        product(key: &ProductKey) -> Option<Product>;
        search_products(org: &OrgId, filter: Option<&Filter<ProductField>>, page: Page) -> Found<Product>;
    }
    ReadDevices {
        devices(refs: &[DeviceRef]) -> Vec<Option<Device>>;
        search_devices(org: &OrgId, filter: Option<&Filter<DeviceField>>, online: &OnlineDevices, page: Page) -> Found<Device>;
        count_devices(org: &OrgId, product: Option<&ProductKey>, online: &OnlineDevices) -> DeviceCounts;
        device_facts(devices: &[DeviceNo]) -> Vec<Option<DeviceFacts>>;
        gateways_of(devices: &[DeviceNo]) -> Vec<Option<DeviceNo>>;
        sub_devices(gateway: DeviceNo) -> Vec<DeviceNo>;
        search_sub_devices(gateway: DeviceNo, filter: Option<&Filter<DeviceField>>, online: &OnlineDevices, page: Page) -> Found<Device>;
        reported(device: DeviceNo) -> Vec<Reported>;
        last_reported(devices: &[DeviceNo], kind: ReportKind) -> Vec<Option<Timestamp>>;
    }
    ReadJobs {
        job(job: JobNo) -> Option<JobDetail>;
        job_names(jobs: &[JobNo]) -> Vec<Option<I18nText>>;
        search_jobs(org: &OrgId, filter: Option<&Filter<JobField>>, page: Page) -> Found<JobDetail>;
        jobs_at_work() -> Vec<Job>;
        numbers_at_work() -> Vec<JobNo>;
        jobs_of(tasks: &[TaskNo]) -> Vec<Job>;
        tasks(tasks: &[TaskNo]) -> Vec<Option<Task>>;
        task_infos(tasks: &[TaskNo]) -> Vec<Option<TaskInfo>>;
        search_tasks(org: &OrgId, filter: Option<&Filter<TaskField>>, page: Page) -> Found<TaskInfo>;
        search_commands(device: DeviceNo, filter: Option<&Filter<CommandField>>, page: Page) -> Found<TaskInfo>;
        history(task: TaskNo) -> Vec<AttemptRecord>;
        job_tasks(job: &Job, which: JobTasks, after: Option<TaskNo>, limit: usize) -> Vec<Task>;
        members(job: &Job, limit: usize) -> Vec<DeviceFacts>;
    }
    ReadQueues {
        due_tasks(now: Timestamp, limit: usize) -> Vec<Task>;
        next_due(now: Timestamp) -> Option<Timestamp>;
        queued(devices: &[DeviceNo]) -> Vec<Vec<Task>>;
        queue_lengths(devices: &[DeviceNo]) -> Vec<usize>;
        waiting(device: DeviceNo) -> Vec<Task>;
        attempted(device: DeviceNo, limit: usize) -> Vec<Task>;
        slots() -> Vec<Slot>;
    }
    ReadJournal {
        last_commit() -> (CommitNo, Timestamp);
        idempotency_record(scope: &str, key: &str, now: Timestamp) -> Option<IdempotencyRecord>;
        proofs(limit: usize) -> Vec<Proof>;
        search_actions(org: &OrgId, filter: &ActionFilter, page: Page) -> Found<PastAction>;
    }
}
