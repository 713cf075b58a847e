//! Callers that wait until a task has ended: told by the engine after the commit that ended it, not by asking the
//! store.
//!
//! A caller reserves its place, registers for a task, and only then looks at the stored task: whatever commit follows
//! the registration tells it, whatever came before is seen. A caller that leaves is forgotten. No thread waits.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aldis_core::ids::TaskNo;
use aldis_core::task::Task;
use aldis_store::{Committed, Done, Error, Read, Write};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::observer::CommitObserver;
use crate::writer::WriterError;

/// Most callers that wait at a time, however many HTTP connections there may be: this bounds memory.
pub const WAITERS_MAX: usize = 32_768;

type Told = (u64, oneshot::Sender<Task>);

#[derive(Default)]
struct Registered {
    by_task: HashMap<TaskNo, Vec<Told>>,
    next: u64,
    closed: bool,
}

/// Everybody who waits.
pub struct Waiters {
    registered: Mutex<Registered>,
    /// How many there are; read without the lock after every commit.
    count: AtomicUsize,
    places: Arc<Semaphore>,
}

impl Default for Waiters {
    fn default() -> Self {
        Self {
            registered: Mutex::default(),
            count: AtomicUsize::new(0),
            places: Arc::new(Semaphore::new(WAITERS_MAX)),
        }
    }
}

/// A place for a caller that will wait.
pub struct WaiterPermit {
    waiters: Arc<Waiters>,
    permit: OwnedSemaphorePermit,
}

/// A caller that waits; dropped, it is forgotten.
pub struct Waiting {
    waiters: Arc<Waiters>,
    task: TaskNo,
    id: u64,
    told: oneshot::Receiver<Task>,
    _permit: OwnedSemaphorePermit,
}

impl Waiters {
    /// Sets the highest number of waiters. Called once, before the first one waits.
    pub fn bound(&self, most: usize) {
        self.places.forget_permits(WAITERS_MAX.saturating_sub(most));
    }

    /// A place, if the server is not stopping and there are not too many waiters already.
    ///
    /// # Errors
    /// [`WriterError::Overloaded`], [`WriterError::TooManyWait`].
    pub fn reserve(self: &Arc<Self>) -> Result<WaiterPermit, WriterError> {
        if self.registered.lock().closed {
            return Err(WriterError::Overloaded);
        }
        let permit = Arc::clone(&self.places).try_acquire_owned();
        let permit = permit.map_err(|_all_taken| WriterError::TooManyWait)?;
        Ok(WaiterPermit {
            waiters: Arc::clone(self),
            permit,
        })
    }

    /// These tasks are stored like this; those who wait for one that is final are told.
    pub(crate) fn notify<'t>(&self, tasks: impl IntoIterator<Item = &'t Task>) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let mut registered = self.registered.lock();
        for task in tasks.into_iter().filter(|task| task.state.is_final()) {
            for (_, told) in registered.by_task.remove(&task.no).unwrap_or_default() {
                self.count.fetch_sub(1, Ordering::SeqCst);
                // The receiver of a caller that has just left is closed.
                drop(told.send(task.clone()));
            }
        }
    }

    /// The tasks that callers wait for.
    pub fn tasks(&self) -> Vec<TaskNo> {
        self.registered.lock().by_task.keys().copied().collect()
    }

    /// The server is stopping: all waits end without an answer, and no new one begins.
    pub(crate) fn close(&self) {
        let mut registered = self.registered.lock();
        registered.closed = true;
        registered.by_task.clear();
        self.count.store(0, Ordering::SeqCst);
    }

    fn forget(&self, task: TaskNo, id: u64) {
        let mut registered = self.registered.lock();
        let Some(waiting) = registered.by_task.get_mut(&task) else {
            return;
        };
        let before = waiting.len();
        waiting.retain(|(other, _)| *other != id);
        self.count.fetch_sub(before - waiting.len(), Ordering::SeqCst);
        if waiting.is_empty() {
            registered.by_task.remove(&task);
        }
    }
}

impl CommitObserver for Waiters {
    fn committed(&self, writes: &[Write], committed: &Committed) {
        for (write, done) in writes.iter().zip(&committed.done) {
            if let (Write::Steps(steps), Done::Steps(applied)) = (write, done) {
                let stored = steps.iter().zip(applied).filter(|(_, applied)| **applied);
                self.notify(stored.map(|(step, _)| &step.task));
            }
        }
    }

    fn answer_lost(&self, store: &dyn Read) -> Result<(), Error> {
        let stored = store.tasks(&self.tasks())?;
        self.notify(stored.iter().flatten());
        Ok(())
    }

    fn stopping(&self) {
        self.close();
    }
}

impl WaiterPermit {
    /// Registers for a task. The stored task has to be looked at afterwards: it may be final already.
    #[must_use]
    pub fn wait_for(self, task: TaskNo) -> Waiting {
        let (tell, told) = oneshot::channel();
        let mut registered = self.waiters.registered.lock();
        let id = registered.next;
        registered.next += 1;
        if !registered.closed {
            registered.by_task.entry(task).or_default().push((id, tell));
            self.waiters.count.fetch_add(1, Ordering::SeqCst);
        }
        drop(registered);
        Waiting {
            waiters: self.waiters,
            task,
            id,
            told,
            _permit: self.permit,
        }
    }
}

impl Waiting {
    /// The task once it is final; `None` if the server stops before.
    pub async fn end(&mut self) -> Option<Task> {
        (&mut self.told).await.ok()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.waiters.forget(self.task, self.id);
    }
}

#[cfg(test)]
mod tests {
    use aldis_core::ids::DeviceNo;
    use aldis_core::task::State;
    use aldis_core::time::Timestamp;
    use futures_util::FutureExt as _;

    use super::*;

    fn task(no: u64, state: State) -> Task {
        Task {
            state,
            ..Task::new(TaskNo(no), DeviceNo(1), Timestamp(0))
        }
    }

    fn waiting(waiters: &Arc<Waiters>, no: u64) -> Waiting {
        waiters.reserve().unwrap().wait_for(TaskNo(no))
    }

    #[test]
    fn everybody_is_told_of_their_own_task_and_only_when_it_is_final() {
        let waiters = Arc::<Waiters>::default();
        let mut all = [1, 1, 2].map(|no| waiting(&waiters, no));
        waiters.notify(&[task(1, State::Published), task(3, State::Failed)]);
        assert!(all.iter_mut().all(|waiting| waiting.end().now_or_never().is_none()));
        waiters.notify(&[task(1, State::Succeeded)]);
        let [first, second, third] = &mut all;
        for told in [first, second] {
            assert_eq!(told.end().now_or_never().flatten(), Some(task(1, State::Succeeded)));
        }
        assert_eq!(third.end().now_or_never(), None);
        assert_eq!(waiters.tasks(), [TaskNo(2)]);
    }

    #[test]
    fn who_leaves_is_forgotten_and_gives_the_place_back() {
        let waiters = Arc::<Waiters>::default();
        let kept = waiting(&waiters, 1);
        for _ in 0..2 * WAITERS_MAX {
            drop(waiting(&waiters, 1));
        }
        assert_eq!(waiters.registered.lock().by_task[&TaskNo(1)].len(), 1);
        drop(kept);
        assert!(waiters.tasks().is_empty());
        assert_eq!(waiters.count.load(Ordering::SeqCst), 0);
        assert_eq!(waiters.places.available_permits(), WAITERS_MAX);
    }

    #[test]
    fn there_is_an_end_to_the_places() {
        let waiters = Arc::<Waiters>::default();
        let places: Vec<WaiterPermit> = (0..WAITERS_MAX).map(|_| waiters.reserve().unwrap()).collect();
        assert!(matches!(waiters.reserve(), Err(WriterError::TooManyWait)));
        drop(places);
        assert!(waiters.reserve().is_ok());
        waiters.bound(1);
        let only = waiters.reserve();
        assert!(only.is_ok() && waiters.reserve().is_err());
    }

    #[test]
    fn stop_answers_all_waiters_and_takes_no_new_ones() {
        let waiters = Arc::<Waiters>::default();
        let (mut before, place) = (waiting(&waiters, 1), waiters.reserve().unwrap());
        waiters.close();
        assert_eq!(before.end().now_or_never(), Some(None));
        assert_eq!(place.wait_for(TaskNo(2)).end().now_or_never(), Some(None));
        assert!(matches!(waiters.reserve(), Err(WriterError::Overloaded)));
        drop(before);
        assert_eq!(waiters.count.load(Ordering::SeqCst), 0);
    }
}
