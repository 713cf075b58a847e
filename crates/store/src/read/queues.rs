//! Questions about what waits: due tasks, device queues and slots.

use aldis_core::ids::DeviceNo;
use aldis_core::task::Task;
use aldis_core::time::Timestamp;

use crate::Error;
use crate::rows::Slot;

/// Reads what waits: due tasks, device queues and slots.
///
/// Deleted devices and deleted jobs are found only where a method says so.
pub trait ReadQueues: Send + Sync {
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
    /// Tasks of one device of which an attempt was made: those in state `Published` or `InProgress` first, then the
    /// newest (largest number), at most `limit`.
    fn attempted(&self, device: DeviceNo, limit: usize) -> Result<Vec<Task>, Error>;
    /// The slots that were written. All that are held: [`crate::held_slots`].
    fn slots(&self) -> Result<Vec<Slot>, Error>;
}
