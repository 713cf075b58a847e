//! The lock of a data directory: held by the one process that works with it, and freed by the system when that ends,
//! however it does.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::open::OpenError;

const LOCK: &str = "lock";

/// A locked data directory. The file alone does not do: who removes it lets a second server make another one.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
    _directory: File,
}

impl Lock {
    pub(crate) fn take(dir: &Path) -> Result<Self, OpenError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Io { path, source }
        };
        let path = dir.join(LOCK);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(failed(&path))?;
        let directory = File::open(dir).map_err(failed(dir))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(OpenError::InUse(dir.to_owned())),
            Err(error) => return Err(failed(&path)(error.into())),
        }
        // Not every file system locks directories; the file is locked on all of them.
        if flock(&directory, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
            return Err(OpenError::InUse(dir.to_owned()));
        }
        Ok(Self {
            _file: file,
            _directory: directory,
        })
    }
}
