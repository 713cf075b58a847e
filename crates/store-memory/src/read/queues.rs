//! Answers about what waits: due tasks, device queues and slots.

use std::cmp::Reverse;

use aldis_core::ids::DeviceNo;
use aldis_core::task::Task;
use aldis_core::time::Timestamp;
use aldis_store::rows::Slot;
use aldis_store::{Error, ReadQueues};

use crate::MemoryStore;

impl ReadQueues for MemoryStore {
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
}
