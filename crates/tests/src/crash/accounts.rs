//! What operators were told and what devices did, written down at the moment when it was certain.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use aldis_core::ids::WireId;
use aldis_simulator::Journal;
use parking_lot::Mutex;

/// Whom a job was for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Targets {
    /// These device keys.
    Devices(BTreeSet<String>),
    /// Every device.
    Product,
}

/// What the caller of a single command was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandTold {
    /// Its id.
    pub id: String,
    /// For which device.
    pub device: String,
    /// What has become of it, as far as the caller knows.
    pub known: KnownOutcome,
}

/// What is known of a single command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownOutcome {
    /// It is kept for its device.
    Kept,
    /// The device has carried it out.
    CarriedOut,
    /// It was cancelled before it was sent.
    Cancelled,
}

/// What an operator was told to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Jobs whose creation was answered, by id.
    pub created: BTreeMap<String, Targets>,
    /// Jobs whose deletion was answered.
    pub deleted: BTreeSet<String>,
    /// Jobs whose deletion was asked for and stayed without an answer: they are there or gone.
    pub perhaps_deleted: BTreeSet<String>,
    /// Tasks whose cancellation was confirmed, one by one or with their job.
    pub cancelled: BTreeSet<String>,
    /// Tasks whose retry was confirmed.
    pub retried: BTreeSet<String>,
    /// What came of single commands, by what they were told apart by.
    pub commands: BTreeMap<String, CommandTold>,
}

/// What devices did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acts {
    /// Attempts that a device meant to answer with success.
    pub succeeded: BTreeSet<WireId>,
    /// Successes whose reply the server has acknowledged, for devices that wait for that.
    pub acknowledged: BTreeSet<WireId>,
    /// Commands that came over a gateway's connection for devices that were not in over it.
    pub astray: BTreeSet<WireId>,
}

/// What devices saw that came for the first time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arrivals {
    /// Those that were let in with their own secret.
    pub let_in: BTreeSet<String>,
    /// Those that were refused their secret before they had ever used it, or in spite of it.
    pub shut_out: BTreeSet<String>,
    /// How often a device was cut off before it was told its secret.
    pub cut_off: u64,
}

/// All of it, while it grows.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    pub(super) told: Mutex<Told>,
    pub(super) acts: Mutex<Acts>,
    pub(super) newcomers: Mutex<Arrivals>,
    pub(super) journal: Journal,
    pub(super) calls: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) unanswered: AtomicU64,
    faultless: AtomicBool,
    creating: AtomicU64,
    moved: Mutex<BTreeMap<String, u64>>,
}

impl Accounts {
    /// From now on devices answer well, and at once.
    pub(super) fn end_faults(&self) {
        self.faultless.store(true, Ordering::Release);
    }

    pub(super) fn is_faultless(&self) -> bool {
        self.faultless.load(Ordering::Acquire)
    }

    /// A device is about to be moved to another gateway.
    pub(super) fn note_move(&self, device_key: &str) {
        *self.moved.lock().entry(device_key.to_owned()).or_default() += 1;
    }

    /// How often that was so.
    pub(super) fn moves(&self, device_key: &str) -> u64 {
        self.moved.lock().get(device_key).copied().unwrap_or_default()
    }

    /// A call that creates a job is about to leave.
    pub(super) fn note_creating(&self) {
        self.creating.fetch_add(1, Ordering::AcqRel);
    }

    /// How many such calls there have been.
    pub(super) fn creations(&self) -> u64 {
        self.creating.load(Ordering::Acquire)
    }
}
