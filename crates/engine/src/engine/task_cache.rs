//! Stored rows of present devices' tasks: their next step reads nothing from the store.

use aldis_core::ids::TaskNo;
use aldis_core::task::{State, Task};

use super::maps::Map;

/// At some 300 bytes each. Rows beyond it are read from the store when they are needed.
const CACHED_MAX: usize = 65_536;

/// Rows that need not be read again.
#[derive(Debug, Default)]
pub(super) struct TaskCache(Map<TaskNo, Task>);

impl TaskCache {
    /// Whether the next step of the task follows from its device being present.
    pub(super) fn is_worth_keeping(task: &Task) -> bool {
        matches!(task.state, State::Queued | State::Published | State::InProgress)
    }

    /// Keeps a row as it is stored, as long as there is room.
    pub(super) fn insert(&mut self, task: Task) {
        if self.0.len() < CACHED_MAX {
            self.0.insert(task.no, task);
        }
    }

    /// Takes a row out: its holder may change it.
    pub(super) fn take(&mut self, no: TaskNo) -> Option<Task> {
        self.0.remove(&no)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.0.len()
    }
}
