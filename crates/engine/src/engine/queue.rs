//! What waits for one device, in the order in which it goes out.

use std::collections::VecDeque;

use aldis_core::ids::{JobNo, TaskNo};
use aldis_core::time::Timestamp;

/// A place in a device's queue. Places are ordered as their fields are: by the moment due, then by job, then by task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct QueuePosition {
    /// When the task's round became due.
    pub(super) due: Timestamp,
    pub(super) job: JobNo,
    pub(super) task: TaskNo,
}

/// A device's queue. Short, and grown at its end nearly always: a sorted row of places is smaller than a tree.
#[derive(Debug, Default)]
pub(super) struct Queue(VecDeque<QueuePosition>);

impl Queue {
    pub(super) fn first(&self) -> Option<QueuePosition> {
        self.0.front().copied()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes a place that is not taken yet.
    pub(super) fn insert(&mut self, place: QueuePosition) {
        if self.0.back().is_none_or(|last| *last < place) {
            self.0.push_back(place);
        } else if let Err(index) = self.0.binary_search(&place) {
            self.0.insert(index, place);
        }
    }

    pub(super) fn remove(&mut self, place: &QueuePosition) {
        if self.0.front() == Some(place) {
            self.0.pop_front();
        } else if let Ok(index) = self.0.binary_search(place) {
            self.0.remove(index);
        }
        if self.0.is_empty() {
            self.0 = VecDeque::new();
        }
    }

    pub(super) fn places(&self) -> impl Iterator<Item = &QueuePosition> {
        self.0.iter()
    }
}

impl FromIterator<QueuePosition> for Queue {
    fn from_iter<I: IntoIterator<Item = QueuePosition>>(places: I) -> Self {
        let mut places: Vec<QueuePosition> = places.into_iter().collect();
        places.sort_unstable();
        places.dedup();
        Self(places.into())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_keeps_the_order_of_a_sorted_set(
            first in proptest::collection::vec((0..9_i64, 0..4_u64), 0..9),
            changes in proptest::collection::vec((any::<bool>(), 0..9_i64, 0..4_u64), 0..40),
        ) {
            let place = |at: i64, no: u64| QueuePosition {
                due: Timestamp(at),
                job: JobNo(no),
                task: TaskNo(no),
            };
            let mut model: BTreeSet<QueuePosition> = first.iter().map(|(at, no)| place(*at, *no)).collect();
            let mut queue: Queue = first.into_iter().map(|(at, no)| place(at, no)).collect();
            for (joins, at, no) in changes {
                if joins {
                    model.insert(place(at, no));
                    queue.insert(place(at, no));
                } else {
                    model.remove(&place(at, no));
                    queue.remove(&place(at, no));
                }
                prop_assert_eq!(queue.first(), model.first().copied());
                prop_assert_eq!(queue.len(), model.len());
            }
            prop_assert_eq!(queue.places().copied().collect::<Vec<_>>(), model.into_iter().collect::<Vec<_>>());
        }
    }
}
