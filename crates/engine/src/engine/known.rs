//! Tasks of present devices, as they are stored, so that their next step needs no look at the store.

use aldis_core::ids::TaskNo;
use aldis_core::task::{State, Task};

use super::maps::Map;

/// At some 300 bytes each: what lies beyond is read when its turn comes.
const KNOWN_MAX: usize = 65_536;

/// Rows that need not be read again.
#[derive(Debug, Default)]
pub(super) struct Known(Map<TaskNo, Task>);

impl Known {
    /// Whether a task has a next step that its device's presence brings about.
    pub(super) fn is_worth(task: &Task) -> bool {
        matches!(task.state, State::Queued | State::Published | State::InProgress)
    }

    /// Keeps a row as it is stored, as long as there is room.
    pub(super) fn keep(&mut self, task: Task) {
        if self.0.len() < KNOWN_MAX {
            self.0.insert(task.no, task);
        }
    }

    /// Takes a row out: its holder may change it.
    pub(super) fn take(&mut self, no: TaskNo) -> Option<Task> {
        self.0.remove(&no)
    }

    pub(super) fn forget_all(&mut self) {
        self.0.clear();
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.0.len()
    }
}
