//! Whether the files that SQLite has open are still those that the directory names. What is written to a file that has been
//! removed or replaced is gone when the process ends, and SQLite does not notice.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// A file as the operating system knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    fn of(path: &Path) -> std::io::Result<Self> {
        let found = std::fs::metadata(path)?;
        Ok(Self {
            device: found.dev(),
            inode: found.ino(),
        })
    }
}

/// The database, its log and the log's index, as they were when they were opened.
#[derive(Debug)]
pub(crate) struct Files {
    database: (PathBuf, Identity),
    log: [(PathBuf, Identity); 2],
}

impl Files {
    /// Takes note of the files of an open database; the log is there as soon as a connection has read.
    pub(crate) fn of(database: &Path) -> std::io::Result<Self> {
        let known = |path: PathBuf| Identity::of(&path).map(|identity| (path, identity));
        Ok(Self {
            database: known(database.to_owned())?,
            log: [
                known(database.with_extension("db-wal"))?,
                known(database.with_extension("db-shm"))?,
            ],
        })
    }

    /// A file that is not what it was. Asking for each takes a microsecond, where a commit takes a thousand.
    pub(crate) fn replaced(&self) -> Option<PathBuf> {
        let mut all = std::iter::once(&self.database).chain(&self.log);
        let other = all.find(|(path, opened)| is_other(path, *opened));
        other.map(|(path, _)| path.clone())
    }

    /// Whether the database itself is in its place.
    pub(crate) fn have_database(&self) -> bool {
        !is_other(&self.database.0, self.database.1)
    }

    /// The database has all that was in the log. The next start must not find the index alone, and take the log for lost, nor a
    /// log that is somebody else's. False if it will.
    pub(crate) fn put_log_aside(&self) -> bool {
        let [(log, opened), (index, _)] = &self.log;
        let aside = log.with_extension("db-wal.other");
        let is_gone = |done: std::io::Result<()>| match done {
            Err(error) => error.kind() == ErrorKind::NotFound,
            Ok(()) => true,
        };
        is_gone(std::fs::remove_file(index)) && (!is_other(log, *opened) || is_gone(std::fs::rename(log, aside)))
    }
}

/// A file that cannot be looked at is the disk's affair, and shows elsewhere.
fn is_other(path: &Path, opened: Identity) -> bool {
    match Identity::of(path) {
        Ok(found) => found != opened,
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}
