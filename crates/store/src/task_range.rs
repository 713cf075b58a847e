//! The numbers of a job's tasks.

use aldis_core::ids::TaskNo;

/// The task numbers that a job has been given: one range without gaps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaskRange {
    /// The first number; `None` while none is allocated, so also for a job without any member.
    pub first: Option<TaskNo>,
    /// How many numbers are allocated from `first` on.
    pub allocated: u64,
}

impl TaskRange {
    /// Whether the number of `task` lies in the range.
    #[must_use]
    pub fn contains(&self, task: TaskNo) -> bool {
        self.first
            .is_some_and(|first| task.0 >= first.0 && task.0 - first.0 < self.allocated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_contains_its_numbers_and_no_neighbours() {
        let range = TaskRange {
            first: Some(TaskNo(4)),
            allocated: 3,
        };
        let inside: Vec<u64> = (0..10).filter(|no| range.contains(TaskNo(*no))).collect();
        assert_eq!(inside, [4, 5, 6]);
        assert!(!TaskRange::default().contains(TaskNo(0)));
    }
}
