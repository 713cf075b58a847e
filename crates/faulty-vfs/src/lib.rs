//! A disk that fails as told, for SQLite databases in tests.
//!
//! [`FaultyVfs::under`] puts a layer between SQLite and the files of one directory; databases elsewhere in the process
//! are left alone. The layer can refuse writes, make half of them, refuse to make them durable, and stop in the midst
//! of anything, as a process that dies or a machine that loses its power does: then nothing more reaches the files
//! until [`FaultyVfs::revive`], which after a loss of power also takes back some of what was never made durable.
//!
//! Not here: faults of other programs' files, of reading one's own writes, of memory, and of disks that lie about what
//! is durable.

mod layer;
mod state;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use state::State;
pub use state::Trouble;

/// The disk under one directory.
pub struct FaultyVfs {
    directory: PathBuf,
    state: Arc<Mutex<State>>,
}

impl FaultyVfs {
    /// A disk that is well, under this directory. Databases opened in it from now on are on it.
    ///
    /// # Errors
    /// The directory does not exist.
    pub fn under(directory: &Path) -> std::io::Result<Self> {
        let directory = directory.canonicalize()?;
        let state = Arc::default();
        layer::attach(directory.clone(), Arc::clone(&state));
        Ok(Self { directory, state })
    }

    /// From the call after these many that it is about, `times` calls fail.
    pub fn fails(&self, trouble: Trouble, after: u32, times: u32) {
        self.state.lock().trouble = Some((trouble, after, times));
    }

    /// No more calls fail by themselves.
    pub fn heal(&self) {
        let mut state = self.state.lock();
        (state.trouble, state.stops) = (None, None);
    }

    /// The disk stops in the midst of a call, after this many more calls that change files.
    pub fn stops(&self, after: u32) {
        self.state.lock().stops = Some(after);
    }

    /// The disk stops here and now.
    pub fn stop(&self) {
        self.state.lock().stopped = true;
    }

    /// Nothing reaches the files any more.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.state.lock().stopped
    }

    /// A fault waits for its moment, or the disk has stopped.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        let state = self.state.lock();
        state.trouble.is_some() || state.stops.is_some() || state.stopped
    }

    /// How often something failed, half done or stopped.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.state.lock().failures
    }

    /// The disk goes on; everything that had files open on it must have closed them. With `power_lost`, of what was not
    /// made durable each write is there, or not, or half, as these numbers say.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn revive(&self, power_lost: Option<&mut dyn FnMut() -> u64>) -> std::io::Result<()> {
        let mut state = self.state.lock();
        (state.trouble, state.stops, state.stopped) = (None, None, false);
        match power_lost {
            Some(draw) => state.lose_power(draw),
            None => Ok(()),
        }
    }
}

impl Drop for FaultyVfs {
    fn drop(&mut self) {
        layer::detach(&self.directory);
    }
}
