//! Every question that is asked of the store.

use std::sync::Arc;

use aldis_core::expression::{CommandField, DeviceField, Filter, JobField, ModelField, ProductField, TaskField};
use aldis_core::i18n::I18nText;
use aldis_core::ids::{AppKey, AssetId, DeviceKey, DeviceNo, JobNo, ModelId, OrgId, ProductKey, TaskNo};
use aldis_core::reported::Kind;
use aldis_core::task::{Ended, Task};
use aldis_core::time::Timestamp;

use crate::rows::{
    AccessKey, ActionFilter, CommitNo, Device, FoundModel, Job, JobDetail, Model, Organization, PastAction, Product,
    Proof, Remembered, Reported, Slot,
};
use crate::{DeviceCounts, Error};

/// One page of a search, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Rows to pass over.
    pub skip: u64,
    /// Rows to return; 0 returns none, the total all the same.
    pub take: u64,
}

/// A page and the count of all matches.
#[derive(Debug, Clone, PartialEq)]
pub struct Found<T> {
    /// The page's rows.
    pub rows: Vec<T>,
    /// All matches.
    pub total: u64,
}

/// A way to name a device.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DeviceRef {
    /// By its keys.
    Keys(ProductKey, DeviceKey),
    /// By its asset id.
    Asset(AssetId),
    /// By its number; also finds deleted ones.
    No(DeviceNo),
}

/// What the engine needs to know of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceFacts {
    /// Which device.
    pub device: DeviceNo,
    /// It was deleted.
    pub deleted: bool,
    /// It was disabled.
    pub disabled: bool,
    /// It has logged in at least once.
    pub activated: bool,
    /// The end of its last session.
    pub last_offline: Option<Timestamp>,
}

/// Which rows of a job are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobTasks {
    /// All.
    All,
    /// In state `Init`.
    Init,
    /// In state `Queued` in round 0, under the job's own timer.
    FirstRound,
    /// Not final: what a cancel of the whole job has to settle.
    Unfinished,
    /// `Published` or `InProgress`: each holds its device's slot.
    Out,
    /// `Failed`, `ResponseTimedOut` or `TtlTimedOut` without a late success: what a retry of the whole job takes.
    Retryable,
}

/// A task with what its owner wants to know around it.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskInfo {
    /// The task.
    pub task: Task,
    /// Its job.
    pub job: Arc<Job>,
    /// Its device's asset id.
    pub asset: AssetId,
    /// Its device's product.
    pub product: ProductKey,
    /// Its device's key.
    pub device_key: DeviceKey,
}

/// Reads. None waits for the writer; each sees the state after some commit. "Not there" is no error.
///
/// Deleted devices and deleted jobs are found only where it says so.
pub trait Read: Send + Sync {
    /// The last commit's number and the engine's clock at it; both 0 before the first. Every commit adds one, also one whose
    /// writes are all refused.
    fn last_commit(&self) -> Result<(CommitNo, Timestamp), Error>;

    /// An organization.
    fn organization(&self, org: &OrgId) -> Result<Option<Organization>, Error>;
    /// All organizations, by id.
    fn organizations(&self) -> Result<Vec<Organization>, Error>;
    /// An access key.
    fn access_key(&self, key: &AppKey) -> Result<Option<AccessKey>, Error>;
    /// All access keys, of one organization or of all, by key.
    fn access_keys(&self, org: Option<&OrgId>) -> Result<Vec<AccessKey>, Error>;

    /// A thing model.
    fn model(&self, org: &OrgId, id: &ModelId) -> Result<Option<Model>, Error>;
    /// Thing models of an organization, newest first.
    fn search_models(
        &self,
        org: &OrgId,
        filter: Option<&Filter<ModelField>>,
        page: Page,
    ) -> Result<Found<FoundModel>, Error>;
    /// A product, of whatever organization.
    fn product(&self, key: &ProductKey) -> Result<Option<Product>, Error>;
    /// Products of an organization, newest first.
    fn search_products(
        &self,
        org: &OrgId,
        filter: Option<&Filter<ProductField>>,
        page: Page,
    ) -> Result<Found<Product>, Error>;

    /// Devices, in the order asked for, of whatever organization.
    fn devices(&self, refs: &[DeviceRef]) -> Result<Vec<Option<Device>>, Error>;
    /// Devices of an organization, newest first; their status is merged from rows and presence.
    fn search_devices(
        &self,
        org: &OrgId,
        filter: Option<&Filter<DeviceField>>,
        page: Page,
    ) -> Result<Found<Device>, Error>;
    /// How many devices an organization has, or one product of it, by status.
    fn count_devices(&self, org: &OrgId, product: Option<&ProductKey>) -> Result<DeviceCounts, Error>;
    /// What the engine needs of these devices, in the order asked for; `None` for numbers never given out.
    fn device_facts(&self, devices: &[DeviceNo]) -> Result<Vec<Option<DeviceFacts>>, Error>;

    /// The gateways that these devices are under, in the order asked for.
    fn gateways_of(&self, devices: &[DeviceNo]) -> Result<Vec<Option<DeviceNo>>, Error>;
    /// The devices under a gateway, by number.
    fn sub_devices(&self, gateway: DeviceNo) -> Result<Vec<DeviceNo>, Error>;
    /// Devices under a gateway, newest first; their status is merged from rows and presence.
    fn search_sub_devices(
        &self,
        gateway: DeviceNo,
        filter: Option<&Filter<DeviceField>>,
        page: Page,
    ) -> Result<Found<Device>, Error>;

    /// What a device has reported, by kind and name.
    fn reported(&self, device: DeviceNo) -> Result<Vec<Reported>, Error>;
    /// The latest moment of what these devices have reported of a kind, in the order asked for.
    fn last_reported(&self, devices: &[DeviceNo], kind: Kind) -> Result<Vec<Option<Timestamp>>, Error>;

    /// A job with its text, of whatever organization.
    fn job(&self, job: JobNo) -> Result<Option<JobDetail>, Error>;
    /// The names of jobs, in the order asked for, without their commands.
    fn job_names(&self, jobs: &[JobNo]) -> Result<Vec<Option<I18nText>>, Error>;
    /// Jobs of an organization, newest first; single commands are passed over.
    fn search_jobs(
        &self,
        org: &OrgId,
        filter: Option<&Filter<JobField>>,
        page: Page,
    ) -> Result<Found<JobDetail>, Error>;
    /// Every job that the engine has to do with: not finished, or with a cancel to settle, or deleted with rows left.
    fn jobs_at_work(&self) -> Result<Vec<Job>, Error>;
    /// The numbers of those jobs, without a look at the jobs themselves.
    fn numbers_at_work(&self) -> Result<Vec<JobNo>, Error>;
    /// The jobs that own these tasks, deduplicated, in any order; those of deleted jobs are left out.
    fn jobs_of(&self, tasks: &[TaskNo]) -> Result<Vec<Job>, Error>;

    /// Tasks, in the order asked for; those of deleted jobs are absent.
    fn tasks(&self, tasks: &[TaskNo]) -> Result<Vec<Option<Task>>, Error>;
    /// Tasks with what is around them, in the order asked for, of whatever organization.
    fn task_infos(&self, tasks: &[TaskNo]) -> Result<Vec<Option<TaskInfo>>, Error>;
    /// Tasks of an organization, newest (largest number) first.
    fn search_tasks(
        &self,
        org: &OrgId,
        filter: Option<&Filter<TaskField>>,
        page: Page,
    ) -> Result<Found<TaskInfo>, Error>;
    /// The single commands of a device, newest first.
    fn search_commands(
        &self,
        device: DeviceNo,
        filter: Option<&Filter<CommandField>>,
        page: Page,
    ) -> Result<Found<TaskInfo>, Error>;
    /// A task's history rows, by attempt and time; of deleted jobs none.
    fn history(&self, task: TaskNo) -> Result<Vec<Ended>, Error>;
    /// Rows of one job after a number (`None`: from its first), by number; `usize::MAX` is no limit. Of deleted jobs none.
    fn job_tasks(&self, job: &Job, which: JobTasks, after: Option<TaskNo>, limit: usize) -> Result<Vec<Task>, Error>;
    /// Members of a triggered product job that have no row yet, by number. A deleted device may be among them.
    fn members(&self, job: &Job, limit: usize) -> Result<Vec<DeviceFacts>, Error>;

    /// Tasks whose own moment has come, earliest first.
    fn due_tasks(&self, now: Timestamp, limit: usize) -> Result<Vec<Task>, Error>;
    /// The next such moment after `now`.
    fn next_due(&self, now: Timestamp) -> Result<Option<Timestamp>, Error>;
    /// The tasks in state `Queued` of these devices, in the order asked for, each in no particular order.
    fn queued(&self, devices: &[DeviceNo]) -> Result<Vec<Vec<Task>>, Error>;
    /// How many tasks in state `Queued` these devices have, in the order asked for.
    fn queue_lengths(&self, devices: &[DeviceNo]) -> Result<Vec<usize>, Error>;
    /// The tasks in state `Queued` or `RetryWait` of one device.
    fn waiting(&self, device: DeviceNo) -> Result<Vec<Task>, Error>;
    /// Tasks of one device of which an attempt was made: those in state `Published` or `InProgress` first, then the newest
    /// (largest number), at most so many.
    fn attempted(&self, device: DeviceNo, limit: usize) -> Result<Vec<Task>, Error>;
    /// The slots that were written. All that are held: [`crate::held_slots`].
    fn slots(&self) -> Result<Vec<Slot>, Error>;

    /// What was answered to a request with this idempotency key, unless that was [`crate::rows::ANSWER_KEPT_MS`] before
    /// `now`.
    fn remembered(&self, scope: &str, key: &str, now: Timestamp) -> Result<Option<Remembered>, Error>;
    /// The proofs that are remembered as used, the latest first, at most so many.
    fn proofs(&self, limit: usize) -> Result<Vec<Proof>, Error>;
    /// What was done in an organization, newest first.
    fn search_actions(&self, org: &OrgId, filter: &ActionFilter, page: Page) -> Result<Found<PastAction>, Error>;
}
