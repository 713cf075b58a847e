//! Every command that arrived, so that a test can prove that no attempt was delivered twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use aldis_core::ids::WireId;

use crate::{DeviceIdentity, Received};

/// One command that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Which attempt it was.
    pub id: WireId,
    /// Which device received it.
    pub device: Arc<DeviceIdentity>,
    /// When.
    pub at: Instant,
}

/// A growing list of [`Record`]s. Clones share it; give one to several fleets and devices to have one account of all.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    records: Arc<Mutex<Vec<Record>>>,
}

impl Journal {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a command. One whose id is none of Aldis's own is not noted: it is no attempt.
    pub(crate) fn note(&self, device: &Arc<DeviceIdentity>, command: &Received) {
        if let Some(id) = command.wire_id() {
            self.lock().push(Record {
                id,
                device: Arc::clone(device),
                at: Instant::now(),
            });
        }
    }

    /// Everything so far, in the order of arrival.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        self.lock().clone()
    }

    /// How many commands have arrived.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether none has arrived yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// The attempts that arrived more than once, at whichever devices.
    #[must_use]
    pub fn delivered_twice(&self) -> BTreeSet<WireId> {
        let mut times = BTreeMap::<WireId, u32>::new();
        for record in self.lock().iter() {
            *times.entry(record.id).or_default() += 1;
        }
        times
            .into_iter()
            .filter(|(_, times)| *times > 1)
            .map(|(id, _)| id)
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
