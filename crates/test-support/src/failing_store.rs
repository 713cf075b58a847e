//! A store that fails when it is told to, and lets a test act right before a commit.

use std::sync::Arc;

use aldis_core::expression::{CommandField, DeviceField, Filter, JobField, ModelField, ProductField, TaskField};
use aldis_core::i18n::I18nText;
use aldis_core::ids::{AppKey, DeviceNo, JobNo, ModelId, OrgId, ProductKey, TaskNo};
use aldis_core::reported::Kind;
use aldis_core::task::{Ended, Task};
use aldis_core::time::Timestamp;
use aldis_store::rows::{
    AccessKey, ActionFilter, CommitNo, Device, FoundModel, Job, JobDetail, Model, Organization, PastAction, Product,
    Proof, Remembered, Reported, Slot,
};
use aldis_store::{
    Committed, DeviceCounts, DeviceFacts, DeviceRef, Error, Found, JobTasks, Page, Read, Store, TaskInfo, Write,
};
use aldis_store_memory::MemoryStore;
use parking_lot::Mutex;

/// What a test does right before a commit, with what is to be committed.
type Meddling = Box<dyn FnOnce(&mut MemoryStore, &[Write]) + Send>;

/// What goes wrong next.
#[derive(Default)]
pub struct Faults {
    /// So many commits fail, and nothing of them is stored.
    pub commits: usize,
    /// So many commits are stored, but their answer is lost.
    pub answers: usize,
    /// Reads fail from the one after so many on, until this is cleared.
    pub reads_after: Option<usize>,
    /// Happens before the next commit.
    pub meddling: Option<Meddling>,
    /// Commits tried so far.
    pub tried: usize,
}

/// The engine's way to the store.
pub struct FailingStore {
    pub store: MemoryStore,
    pub faults: Arc<Mutex<Faults>>,
}

fn failed(what: &str) -> Error {
    Error::Unavailable {
        what: what.to_owned(),
        source: None,
    }
}

impl Store for FailingStore {
    fn commit(&mut self, now: Timestamp, writes: &[Write]) -> Result<Committed, Error> {
        let mut faults = self.faults.lock();
        faults.tried += 1;
        if let Some(meddle) = faults.meddling.take() {
            meddle(&mut self.store, writes);
        }
        if faults.commits > 0 {
            faults.commits -= 1;
            return Err(failed("a commit that fails"));
        }
        let committed = self.store.commit(now, writes)?;
        if faults.answers > 0 {
            faults.answers -= 1;
            return Err(failed("a commit whose answer is lost"));
        }
        Ok(committed)
    }
}

impl FailingStore {
    fn look(&self) -> Result<&MemoryStore, Error> {
        let mut faults = self.faults.lock();
        match &mut faults.reads_after {
            Some(0) => return Err(failed("a read that fails")),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(&self.store)
    }
}

macro_rules! questions {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $found:ty;)*) => {
        impl Read for FailingStore {
            $(fn $name(&self, $($argument: $kind),*) -> Result<$found, Error> {
                self.look()?.$name($($argument),*)
            })*
        }
    };
}

questions! {
    last_commit() -> (CommitNo, Timestamp);
    organization(org: &OrgId) -> Option<Organization>;
    organizations() -> Vec<Organization>;
    access_key(key: &AppKey) -> Option<AccessKey>;
    access_keys(org: Option<&OrgId>) -> Vec<AccessKey>;
    model(org: &OrgId, id: &ModelId) -> Option<Model>;
    search_models(org: &OrgId, filter: Option<&Filter<ModelField>>, page: Page) -> Found<FoundModel>;
    product(key: &ProductKey) -> Option<Product>;
    search_products(org: &OrgId, filter: Option<&Filter<ProductField>>, page: Page) -> Found<Product>;
    devices(refs: &[DeviceRef]) -> Vec<Option<Device>>;
    search_devices(org: &OrgId, filter: Option<&Filter<DeviceField>>, page: Page) -> Found<Device>;
    count_devices(org: &OrgId, product: Option<&ProductKey>) -> DeviceCounts;
    device_facts(devices: &[DeviceNo]) -> Vec<Option<DeviceFacts>>;
    gateways_of(devices: &[DeviceNo]) -> Vec<Option<DeviceNo>>;
    sub_devices(gateway: DeviceNo) -> Vec<DeviceNo>;
    search_sub_devices(gateway: DeviceNo, filter: Option<&Filter<DeviceField>>, page: Page) -> Found<Device>;
    reported(device: DeviceNo) -> Vec<Reported>;
    last_reported(devices: &[DeviceNo], kind: Kind) -> Vec<Option<Timestamp>>;
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
    history(task: TaskNo) -> Vec<Ended>;
    job_tasks(job: &Job, which: JobTasks, after: Option<TaskNo>, limit: usize) -> Vec<Task>;
    members(job: &Job, limit: usize) -> Vec<DeviceFacts>;
    due_tasks(now: Timestamp, limit: usize) -> Vec<Task>;
    next_due(now: Timestamp) -> Option<Timestamp>;
    queued(devices: &[DeviceNo]) -> Vec<Vec<Task>>;
    queue_lengths(devices: &[DeviceNo]) -> Vec<usize>;
    waiting(device: DeviceNo) -> Vec<Task>;
    attempted(device: DeviceNo, limit: usize) -> Vec<Task>;
    slots() -> Vec<Slot>;
    remembered(scope: &str, key: &str, now: Timestamp) -> Option<Remembered>;
    proofs(limit: usize) -> Vec<Proof>;
    search_actions(org: &OrgId, filter: &ActionFilter, page: Page) -> Found<PastAction>;
}
