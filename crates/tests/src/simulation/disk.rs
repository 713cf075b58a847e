//! The store under test, on a disk that fails as told.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aldis_core::time::Timestamp;
use aldis_faulty_vfs::FaultyVfs;
use aldis_simulator::Rng;
use aldis_store::{Committed, Epoch, Error, Read, Store, Write};
use aldis_store_memory::MemoryStore;
use aldis_store_sqlite::Options;
use aldis_test_support::{FaultyStore, ReadFaults, StoreFaults, unavailable};
use parking_lot::Mutex;

use super::operation::Fault;
use super::oracle::{Checked, broken};

/// Faults that wait for their moment, and what is known of the last commit.
#[derive(Debug, Default)]
pub(super) struct Faults {
    commits: u8,
    answer_lost: bool,
    reads: u8,
    slow_ms: u32,
    /// The process dies in the next commit, which is stored or not.
    dies: Option<bool>,
    /// It has died, and does not know it yet.
    died: bool,
    /// The machine loses its power when the process dies.
    power: bool,
    /// The machine's clocks, which a slow disk lets pass.
    pub(super) clocks: [Arc<AtomicI64>; 2],
    /// The last commit that is known to be stored.
    last: u64,
    /// Commits begun after it for which the database failed; whether they are durable is unknown.
    in_doubt: u64,
}

/// Turned on from outside, used up by the store.
pub(super) type Switch = Arc<Mutex<Faults>>;

/// How the process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// In order: every file was closed.
    Stopped,
    /// In the midst of anything.
    Killed,
    /// With the machine.
    PowerCut,
}

/// What outlives the process.
pub(super) enum Disk {
    /// A store in memory, which clones share.
    Memory(MemoryStore),
    /// A data directory.
    Directory(Box<Directory>),
}

/// A data directory on a disk that fails as told.
pub(super) struct Directory {
    faulty: FaultyVfs,
    rng: Rng,
    directory: tempfile::TempDir,
}

impl Disk {
    /// A directory of its own; the seed decides what a loss of power leaves of writes that were not durable.
    pub(super) fn directory(seed: u64) -> Self {
        let directory = tempfile::tempdir().expect("a directory for the database");
        let faulty = FaultyVfs::under(directory.path()).expect("it was just made");
        Self::Directory(Box::new(Directory {
            faulty,
            rng: Rng::new(seed),
            directory,
        }))
    }

    /// Lets this happen next.
    pub(super) fn fails(&self, switch: &Switch, fault: Fault) {
        let mut faults = switch.lock();
        match (fault, self) {
            (Fault::Commits(count), _) => faults.commits = count,
            (Fault::AnswerLost, _) => faults.answer_lost = true,
            (Fault::Reads(count), _) => faults.reads = count,
            (Fault::Slow(ms), _) => faults.slow_ms = ms,
            (Fault::Files(_, _, times), Self::Memory(_)) => faults.commits = times,
            (Fault::Files(trouble, after, times), Self::Directory(on)) => {
                on.faulty.fails(trouble, after.into(), times.into());
            }
            (Fault::Death(after) | Fault::PowerCut(after), Self::Memory(_)) => faults.dies = Some(after % 2 == 0),
            (Fault::Death(after), Self::Directory(on)) => on.faulty.stops(after.into()),
            (Fault::PowerCut(after), Self::Directory(on)) => {
                faults.power = true;
                on.faulty.stops(after.into());
            }
        }
    }

    /// The disk is well again.
    pub(super) fn heal(&self, switch: &Switch) {
        let mut faults = switch.lock();
        *faults = Faults {
            clocks: faults.clocks.clone(),
            died: faults.died,
            last: faults.last,
            in_doubt: faults.in_doubt,
            ..Faults::default()
        };
        if let Self::Directory(on) = self {
            on.faulty.heal();
        }
    }

    /// Whether a fault still waits for its moment.
    pub(super) fn is_failing(&self, switch: &Switch) -> bool {
        let faults = switch.lock();
        let files = match self {
            Self::Memory(_) => false,
            Self::Directory(on) => on.faulty.is_failing(),
        };
        let commits = faults.commits > 0 || faults.answer_lost || faults.dies.is_some();
        files || commits || faults.reads > 0 || faults.slow_ms > 0
    }

    /// Whether the process has died in a commit.
    pub(super) fn has_died(&self, switch: &Switch) -> bool {
        let files = match self {
            Self::Memory(_) => false,
            Self::Directory(on) => on.faulty.is_stopped(),
        };
        files || switch.lock().died
    }

    /// The process is about to end; `true` if the power goes with it.
    pub(super) fn end(&self, switch: &Switch, ending: Ending) -> bool {
        if let Self::Directory(on) = self
            && ending != Ending::Stopped
        {
            on.faulty.stop();
        }
        ending == Ending::PowerCut || switch.lock().power
    }

    /// The process starts: what was written is there, but for what went with the power.
    pub(super) fn revive(&mut self, switch: &Switch, power_lost: bool) {
        if let Self::Directory(on) = self {
            let rng = &mut on.rng;
            let mut draw = || rng.draw();
            let revived = on.faulty.revive(power_lost.then_some(&mut draw));
            revived.expect("the directory is ours");
        }
        switch.lock().died = false;
        self.heal(switch);
    }

    /// The ways to what is kept, as after a start of the process.
    pub(super) fn open(&self, switch: &Switch) -> Opened {
        match self {
            Self::Memory(store) => opened(store.clone(), store.clone(), switch),
            Self::Directory(on) => open_directory(on.directory.path(), switch),
        }
    }
}

/// The commit that a start finds as the last: the last one that is known to be stored, or one of those begun after it.
pub(super) fn is_whole(switch: &Switch, found: u64) -> Checked {
    let mut faults = switch.lock();
    let (last, in_doubt) = (faults.last, std::mem::take(&mut faults.in_doubt));
    faults.last = found;
    if last == 0 || (last..=last + in_doubt).contains(&found) {
        return Ok(());
    }
    broken(
        "commits_are_whole",
        format!("commit {found} is the last, after {last} was stored and {in_doubt} more begun"),
    )
}

/// The ways to what is kept.
pub(super) struct Opened {
    /// The engine's.
    pub(super) store: Box<dyn Store>,
    /// The application's.
    pub(super) reader: Arc<dyn Read>,
    /// The observer's, which never fails.
    pub(super) observer: Arc<dyn Read>,
}

fn open_directory(path: &Path, switch: &Switch) -> Opened {
    let options = Options { key: None, readers: 1 };
    let (store, reader) = aldis_store_sqlite::open(path, &options).expect("the directory is ours");
    opened(store, reader, switch)
}

fn opened<S, R>(store: S, reader: R, switch: &Switch) -> Opened
where
    S: Store + 'static,
    R: Read + Clone + 'static,
{
    Opened {
        store: Box::new(FaultyStore {
            store,
            faults: MachineFaults(Arc::clone(switch)),
        }),
        observer: Arc::new(reader.clone()),
        reader: Arc::new(FaultyStore {
            store: reader,
            faults: MachineFaults(Arc::clone(switch)),
        }),
    }
}

/// The faults of the simulated machine, on any store.
struct MachineFaults(Switch);

impl ReadFaults for MachineFaults {
    fn before_read(&self) -> Result<(), Error> {
        let mut faults = self.0.lock();
        if faults.died {
            return Err(unavailable("a simulated death"));
        }
        if faults.reads > 0 {
            faults.reads -= 1;
            return Err(unavailable("a simulated question that fails"));
        }
        Ok(())
    }
}

impl<S: Store> StoreFaults<S> for MachineFaults {
    fn commit(&self, store: &mut S, epoch: Epoch, now: Timestamp, writes: &[Write]) -> Result<Committed, Error> {
        let mut faults = self.0.lock();
        let slow = std::mem::take(&mut faults.slow_ms);
        for clock in &faults.clocks {
            clock.fetch_add(slow.into(), Ordering::SeqCst);
        }
        let dies = faults.dies.take();
        faults.died |= dies.is_some();
        if faults.died && dies != Some(true) {
            return Err(unavailable("a simulated death before a commit"));
        }
        if faults.commits > 0 {
            faults.commits -= 1;
            return Err(unavailable("a simulated commit that fails"));
        }
        let lost = std::mem::take(&mut faults.answer_lost) || dies.is_some();
        faults.in_doubt += 1;
        drop(faults);
        let committed = store.commit(epoch, now, writes)?;
        let mut faults = self.0.lock();
        (faults.last, faults.in_doubt) = (committed.number.0, 0);
        if lost {
            return Err(unavailable("a simulated commit whose answer is lost"));
        }
        Ok(committed)
    }
}
