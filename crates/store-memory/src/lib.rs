//! The in-memory model of a store: what every driver has to do, in plain maps.
//!
//! It is the yardstick of the conformance suite and the store of simulations, so it is written to be obviously right.
//! Each resource has a file with its rows and its writes; `read` answers every question from them. Nothing is durable,
//! nothing is encrypted, and searches look at every row.

mod apply;
mod devices;
mod jobs;
mod journal;
mod read;
mod records;
mod registry;
mod reported;
mod set_back;
mod tasks;

use std::collections::BTreeMap;
use std::sync::Arc;

use aldis_core::ids::DeviceNo;
use aldis_core::time::Timestamp;
use aldis_store::rows::{CommitNo, Slot};
use aldis_store::{Committed, Epoch, Error, Store, Write};
use parking_lot::RwLock;

use devices::Devices;
use jobs::Jobs;
use journal::Journal;
use registry::Registry;
use reported::ReportedValues;
use tasks::Tasks;

/// A store in memory. Clones share their contents, so that a writer and its readers can each hold one.
#[derive(Clone, Default)]
pub struct MemoryStore {
    contents: Arc<RwLock<Contents>>,
}

impl MemoryStore {
    /// The epoch of the current writer: a test that changes rows beside an engine commits with it.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.contents.read().epoch
    }
}

impl Store for MemoryStore {
    fn begin_epoch(&mut self) -> Result<Epoch, Error> {
        let mut contents = self.contents.write();
        contents.epoch = Epoch(contents.epoch.0 + 1);
        Ok(contents.epoch)
    }

    fn commit(&mut self, epoch: Epoch, now: Timestamp, writes: &[Write]) -> Result<Committed, Error> {
        let mut contents = self.contents.write();
        if epoch != contents.epoch {
            return Err(Error::StaleEpoch {
                given: epoch,
                current: contents.epoch,
            });
        }
        contents.last = CommitNo(contents.last.0 + 1);
        contents.clock = now;
        let done = writes.iter().map(|write| contents.apply(write)).collect();
        Ok(Committed {
            number: contents.last,
            done,
        })
    }

    fn check(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

/// All that is kept. While writes are applied, `last` and `clock` are those of the commit under way.
#[derive(Default)]
struct Contents {
    epoch: Epoch,
    last: CommitNo,
    clock: Timestamp,
    registry: Registry,
    devices: Devices,
    reported: ReportedValues,
    jobs: Jobs,
    tasks: Tasks,
    slots: BTreeMap<DeviceNo, Slot>,
    journal: Journal,
}
