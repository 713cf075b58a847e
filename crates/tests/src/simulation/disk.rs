//! The store under test, on a disk that fails as told.

use std::path::Path;
use std::sync::Arc;

use aldis_core::expression::{DeviceField, Filter, JobField, ModelField, ProductField, TaskField};
use aldis_core::ids::{AppKey, DeviceNo, JobNo, ModelId, OrgId, ProductKey, TaskNo};
use aldis_core::task::{Ended, Task};
use aldis_core::time::Timestamp;
use aldis_store::memory::MemoryStore;
use aldis_store::rows::{
    AccessKey, CommitNo, Device, Job, JobDetail, Model, Organization, PastAction, Product, Remembered, Slot,
};
use aldis_store::{
    Committed, DeviceFacts, DeviceRef, Error, Found, JobTasks, Page, Presence, Read, Store, TaskInfo, Write,
};
use aldis_store_sqlite::Options;
use parking_lot::Mutex;

use super::operation::Fault;

/// Faults that wait for their moment.
#[derive(Debug, Default)]
pub(super) struct Faults {
    commits: u8,
    answer_lost: bool,
    reads: u8,
}

/// Turned on from outside, used up by the store.
pub(super) type Switch = Arc<Mutex<Faults>>;

/// Lets this happen next.
pub(super) fn set(switch: &Switch, fault: Fault) {
    let mut faults = switch.lock();
    match fault {
        Fault::Commits(count) => faults.commits = count,
        Fault::AnswerLost => faults.answer_lost = true,
        Fault::Reads(count) => faults.reads = count,
    }
}

/// The disk is well again.
pub(super) fn heal(switch: &Switch) {
    *switch.lock() = Faults::default();
}

/// Whether a fault still waits for its moment.
pub(super) fn is_failing(switch: &Switch) -> bool {
    let faults = switch.lock();
    faults.commits > 0 || faults.answer_lost || faults.reads > 0
}

/// What outlives the process.
pub(super) enum Disk {
    /// A store in memory, which clones share.
    Memory(MemoryStore),
    /// A data directory.
    Directory(tempfile::TempDir),
}

impl Disk {
    /// The ways to what is kept, as after a start of the process.
    pub(super) fn open(&self, presence: &Arc<dyn Presence>, switch: &Switch) -> Opened {
        match self {
            Self::Memory(store) => opened(store.clone(), store.clone(), switch),
            Self::Directory(directory) => open_directory(directory.path(), presence, switch),
        }
    }
}

/// The ways to what is kept.
pub(super) struct Opened {
    /// The engine's.
    pub(super) store: Box<dyn Store>,
    /// The application's.
    pub(super) reader: Arc<dyn Read>,
    /// The observer's, which never fails.
    pub(super) observer: Arc<dyn Read>,
}

fn open_directory(path: &Path, presence: &Arc<dyn Presence>, switch: &Switch) -> Opened {
    let options = Options { key: None, readers: 1 };
    let (store, reader) =
        aldis_store_sqlite::open(path, &options, Arc::clone(presence)).expect("the directory is ours");
    opened(store, reader, switch)
}

fn opened<S, R>(store: S, reader: R, switch: &Switch) -> Opened
where
    S: Store + 'static,
    R: Read + Clone + 'static,
{
    Opened {
        store: Box::new(Failing {
            store,
            switch: Arc::clone(switch),
        }),
        observer: Arc::new(reader.clone()),
        reader: Arc::new(Failing {
            store: reader,
            switch: Arc::clone(switch),
        }),
    }
}

struct Failing<S> {
    store: S,
    switch: Switch,
}

fn failed(what: &str) -> Error {
    Error::Unavailable {
        what: what.to_owned(),
        source: None,
    }
}

impl<S: Store> Store for Failing<S> {
    fn commit(&mut self, now: Timestamp, writes: &[Write]) -> Result<Committed, Error> {
        let mut faults = self.switch.lock();
        if faults.commits > 0 {
            faults.commits -= 1;
            return Err(failed("a simulated commit that fails"));
        }
        let lost = std::mem::take(&mut faults.answer_lost);
        drop(faults);
        let committed = self.store.commit(now, writes)?;
        if lost {
            Err(failed("a simulated commit whose answer is lost"))
        } else {
            Ok(committed)
        }
    }
}

impl<S> Failing<S> {
    fn look(&self) -> Result<&S, Error> {
        let mut faults = self.switch.lock();
        if faults.reads > 0 {
            faults.reads -= 1;
            return Err(failed("a simulated question that fails"));
        }
        Ok(&self.store)
    }
}

macro_rules! questions {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $found:ty;)*) => {
        impl<S: Read> Read for Failing<S> {
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
    search_models(org: &OrgId, filter: Option<&Filter<ModelField>>, page: Page) -> Found<Model>;
    product(key: &ProductKey) -> Option<Product>;
    search_products(org: &OrgId, filter: Option<&Filter<ProductField>>, page: Page) -> Found<Product>;
    devices(refs: &[DeviceRef]) -> Vec<Option<Device>>;
    search_devices(org: &OrgId, filter: Option<&Filter<DeviceField>>, page: Page) -> Found<Device>;
    device_facts(devices: &[DeviceNo]) -> Vec<Option<DeviceFacts>>;
    job(job: JobNo) -> Option<JobDetail>;
    search_jobs(org: &OrgId, filter: Option<&Filter<JobField>>, page: Page) -> Found<JobDetail>;
    jobs_at_work() -> Vec<Job>;
    jobs_of(tasks: &[TaskNo]) -> Vec<Job>;
    tasks(tasks: &[TaskNo]) -> Vec<Option<Task>>;
    task_infos(tasks: &[TaskNo]) -> Vec<Option<TaskInfo>>;
    search_tasks(org: &OrgId, filter: Option<&Filter<TaskField>>, page: Page) -> Found<TaskInfo>;
    history(task: TaskNo) -> Vec<Ended>;
    job_tasks(job: &Job, which: JobTasks, after: Option<TaskNo>, limit: usize) -> Vec<Task>;
    members(job: &Job, limit: usize) -> Vec<DeviceFacts>;
    due_tasks(now: Timestamp, limit: usize) -> Vec<Task>;
    next_due(now: Timestamp) -> Option<Timestamp>;
    queued(devices: &[DeviceNo]) -> Vec<Vec<Task>>;
    queue_lengths(devices: &[DeviceNo]) -> Vec<usize>;
    waiting(device: DeviceNo) -> Vec<Task>;
    slots() -> Vec<Slot>;
    remembered(scope: &str, key: &str) -> Option<Remembered>;
    actions(org: &OrgId, subject: &str) -> Vec<PastAction>;
}
