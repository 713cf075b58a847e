//! A store that fails when it is told to, and lets a test act right before a commit.

use std::sync::Arc;

use aldis_core::time::Timestamp;
use aldis_store::{Committed, Epoch, Error, Store, Write};
use aldis_store_memory::MemoryStore;
use parking_lot::Mutex;

use crate::faulty_store::{FaultyStore, ReadFaults, StoreFaults, unavailable};

/// What a test does right before a commit, with what is to be committed.
type Meddling = Box<dyn FnOnce(&mut MemoryStore, &[Write]) + Send>;

/// What goes wrong next.
#[derive(Default)]
pub struct Faults {
    /// How many of the next commits fail, with nothing of them stored.
    pub commits: usize,
    /// How many of the next commits are stored, but with their answer lost.
    pub answers: usize,
    /// Reads fail after this many, until this is cleared.
    pub reads_after: Option<usize>,
    /// Happens before the next commit.
    pub meddling: Option<Meddling>,
    /// Commits tried so far.
    pub tried: usize,
}

/// The model with faults, as engine tests use it.
pub type FailingStore = FaultyStore<MemoryStore, Arc<Mutex<Faults>>>;

impl ReadFaults for Arc<Mutex<Faults>> {
    fn before_read(&self) -> Result<(), Error> {
        let mut faults = self.lock();
        match &mut faults.reads_after {
            Some(0) => return Err(unavailable("a read that fails")),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(())
    }
}

impl StoreFaults<MemoryStore> for Arc<Mutex<Faults>> {
    fn commit(
        &self,
        store: &mut MemoryStore,
        epoch: Epoch,
        now: Timestamp,
        writes: &[Write],
    ) -> Result<Committed, Error> {
        let mut faults = self.lock();
        faults.tried += 1;
        if let Some(meddle) = faults.meddling.take() {
            meddle(store, writes);
        }
        if faults.commits > 0 {
            faults.commits -= 1;
            return Err(unavailable("a commit that fails"));
        }
        let committed = store.commit(epoch, now, writes)?;
        if faults.answers > 0 {
            faults.answers -= 1;
            return Err(unavailable("a commit whose answer is lost"));
        }
        Ok(committed)
    }
}
