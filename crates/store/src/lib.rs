//! The seam between what Aldis decides and where it is kept.
//!
//! [`Read`] answers questions; it is the sum of one trait a subject. [`Store`] adds the one writer's commit. Methods
//! are named by intent and work on batches. A commit is a list of [`Write`]s applied in order within one transaction
//! that has a number; a write that the stored state refuses leaves nothing behind and does not disturb the others. The
//! store never decides a task's next state: it compares, writes what `core::task::step` decided, and keeps the counters
//! of the jobs equal to their rows.
//!
//! `aldis-store-memory` is the model; every driver passes the suite of `aldis-store-conformance`.

mod budget;
mod cancels;
mod driver;
mod epoch;
mod error;
mod page;
mod presence;
mod product_record;
mod read;
pub mod rows;
mod slots;
pub mod status_names;
mod task_range;
mod write;

pub use budget::Budget;
pub use driver::{Driver, Opened, Pools, Readers, SearchReader};
pub use epoch::Epoch;
pub use error::Error;
pub use page::{PAGE_BYTES_MAX, PageBytes, Weigh};
pub use presence::{DeviceCounts, DeviceStatus, OnlineDevices, device_status};
pub use read::{
    DeviceFacts, DeviceRef, Found, JobTasks, Page, Read, ReadDevices, ReadJobs, ReadJournal, ReadQueues, ReadRegistry,
    TaskInfo,
};
pub use slots::held_slots;
pub use write::{Committed, Done, Refusal, StepWrite, Write, skipped};

/// The one place that writes.
pub trait Store: Read {
    /// Makes the caller the writer, and ends the epochs before its own. A store that one process at a time can open
    /// always returns [`Epoch::SOLE`].
    ///
    /// # Errors
    /// The store cannot record the new epoch; the caller is not the writer.
    fn begin_epoch(&mut self) -> Result<Epoch, Error>;

    /// Applies `writes` in order, in one transaction, and makes them durable before it returns.
    ///
    /// The answer has one entry per write. `epoch` is what [`Store::begin_epoch`] returned to this writer. `now` is the
    /// engine's clock and is stored with the commit.
    ///
    /// # Errors
    /// Nothing of the batch is applied, as far as the store can know; after [`Error::Unavailable`] state has to be read
    /// again. [`Error::StaleEpoch`] if a later writer has begun: nothing of this epoch is applied any more.
    fn commit(&mut self, epoch: Epoch, now: aldis_core::time::Timestamp, writes: &[Write]) -> Result<Committed, Error>;

    /// Looks whether what has been committed is where the next start will look for it. A store without files always
    /// succeeds.
    ///
    /// # Errors
    /// [`Error::Replaced`] if it is not.
    fn check(&mut self) -> Result<(), Error>;
}
