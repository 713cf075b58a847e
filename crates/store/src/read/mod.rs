//! The questions that a store answers, one trait a subject, and the types that they share.

mod devices;
mod jobs;
mod journal;
mod queues;
mod registry;

pub use devices::ReadDevices;
pub use jobs::ReadJobs;
pub use journal::ReadJournal;
pub use queues::ReadQueues;
pub use registry::ReadRegistry;

use std::sync::Arc;

use aldis_core::ids::{AssetId, DeviceKey, DeviceNo, ProductKey};
use aldis_core::task::Task;
use aldis_core::time::Timestamp;

use crate::rows::Job;

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

/// Every question. A function that needs one subject takes that subject's trait.
///
/// No read waits for the writer; each sees the state after some commit. A row that does not exist is `None`, not an
/// error.
pub trait Read: ReadRegistry + ReadDevices + ReadJobs + ReadQueues + ReadJournal {}

impl<S: ReadRegistry + ReadDevices + ReadJobs + ReadQueues + ReadJournal + ?Sized> Read for S {}
