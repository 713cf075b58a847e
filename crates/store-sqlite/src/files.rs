//! Whether the files that SQLite has open are still those that the directory names, and whole. What is written to a
//! file that has been removed or replaced is gone when the process ends, what has been cut off is gone at once, and
//! SQLite does not notice.

use std::fs::{File, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// A file as the operating system knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    fn of(path: &Path) -> std::io::Result<Self> {
        std::fs::metadata(path).map(|found| Self::from(&found))
    }
}

impl From<&Metadata> for Identity {
    fn from(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
        }
    }
}

/// The database, its log and the log's index, as they were when they were opened.
#[derive(Debug)]
pub(crate) struct Files {
    database: (PathBuf, Identity),
    log: [(PathBuf, Identity); 2],
    /// The log's index, kept open: POSIX drops all of a process's locks on a file, SQLite's too, when it closes the
    /// file once.
    index: File,
    /// The greatest length of the database so far.
    length: u64,
}

impl Files {
    /// Takes note of the files of an open database; the log is there as soon as a connection has read.
    pub(crate) fn of(database: &Path) -> std::io::Result<Self> {
        let known = |path: PathBuf| Identity::of(&path).map(|identity| (path, identity));
        let index = database.with_extension("db-shm");
        Ok(Self {
            index: File::open(&index)?,
            database: known(database.to_owned())?,
            log: [known(database.with_extension("db-wal"))?, known(index)?],
            length: 0,
        })
    }

    /// A file that is not what it was. Asking for each takes a microsecond, where a commit takes a thousand.
    pub(crate) fn replaced(&self) -> Option<PathBuf> {
        let mut all = std::iter::once(&self.database).chain(&self.log);
        let other = all.find(|(path, opened)| is_other(path, *opened));
        other.map(|(path, _)| path.clone())
    }

    /// A file that has been cut: the database, which never becomes shorter without `VACUUM`, or the log, if its index
    /// counts more frames than it has. To be asked before a commit, since that makes the file long again.
    pub(crate) fn cut(&mut self) -> Option<PathBuf> {
        let [(log, opened), _] = &self.log;
        let (database, identity) = &self.database;
        // What is not the file that was opened is told by `replaced`: all that was committed can be saved then.
        let length = |path: &Path, opened| {
            let found = std::fs::metadata(path).ok()?;
            (Identity::from(&found) == opened).then_some(found.len())
        };
        if let Some(found) = length(database, *identity) {
            if found < self.length {
                return Some(database.clone());
            }
            self.length = found;
        }
        let counted = counted_by(&self.index).unwrap_or(0);
        let is_cut = length(log, *opened).is_some_and(|found| found < counted);
        is_cut.then(|| log.clone())
    }

    /// Whether the database itself is in its place.
    pub(crate) fn have_database(&self) -> bool {
        !is_other(&self.database.0, self.database.1)
    }

    /// The database has all that was in the log. The next start must not find the index alone, and take the log for
    /// lost, nor a log that belongs to another database. False if it will.
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

/// The length of the log by its index (<https://sqlite.org/walformat.html>, "The WAL-Index Header").
fn counted_by(index: &File) -> std::io::Result<u64> {
    const LOG_HEADER: u64 = 32;
    const FRAME_HEADER: u64 = 24;
    let mut header = [0; 20];
    index.read_exact_at(&mut header, 0)?;
    let [.., low, high, a, b, c, d] = header;
    let page = match u16::from_ne_bytes([low, high]) {
        1 => 1 << 16,
        bytes => u64::from(bytes),
    };
    let frames = u64::from(u32::from_ne_bytes([a, b, c, d]));
    Ok(if frames == 0 {
        0
    } else {
        LOG_HEADER + frames * (FRAME_HEADER + page)
    })
}

/// A file that cannot be looked at is the disk's affair, and shows elsewhere; one whose directory is none any more is
/// not there.
fn is_other(path: &Path, opened: Identity) -> bool {
    match Identity::of(path) {
        Ok(found) => found != opened,
        Err(error) => matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
    }
}
