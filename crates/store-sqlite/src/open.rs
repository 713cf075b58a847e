//! Opening a data directory: the lock, the key, the database file, its schema.
//!
//! Nothing that is there is ever replaced: a file that is foreign, damaged or newer is refused. A new database is built
//! under another name and renamed when it is complete, so that a start which is killed leaves nothing half made.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags};

use crate::database::{Pool, Sole, SqliteReader, SqliteStore};
use crate::db::{Db, READER_CACHE_KIB, WRITER_CACHE_KIB};
use crate::driver_error::DriverError;
use crate::files::Files;
use crate::lock::Lock;
use crate::schema;
use crate::secret::{self, Cipher, KEY_LEN};

/// The database's file in its directory.
pub const DATABASE: &str = "aldis.db";
const UNFINISHED: &str = "aldis.db.new";
const KEY: &str = "secret.key";

/// How a data directory is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// The secret key; `None`: the file `secret.key` in the directory, made at the first start.
    pub key: Option<[u8; KEY_LEN]>,
    /// Connections for reading, at least one.
    pub readers: usize,
}

/// Why a data directory cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file or the directory cannot be read or written.
    #[error("cannot use {path}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Another process works with it.
    #[error("{0} is in use by another process: one Aldis server per data directory")]
    InUse(PathBuf),
    /// There is a database, but the key of its secrets is gone.
    #[error("{0} is missing: the database beside it holds secrets sealed with that key")]
    KeyMissing(PathBuf),
    /// The key is another one.
    #[error("the secret key is not the one that {0} was made with")]
    WrongKey(PathBuf),
    /// The file is no database of ours.
    #[error("{0} is not an Aldis database")]
    Foreign(PathBuf),
    /// The file is damaged.
    #[error("{path} is damaged: {what}")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// A newer Aldis has written it.
    #[error("{path} has schema {found}, this Aldis knows up to {known}: start the newer one")]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// A state of the main branch before the first release has written it.
    #[error(
        "{path} has schema {found}, from before the first release; this Aldis opens schema {first} and later: open it once \
         with version 0.1.0 of the program, which converts it to schema {first}"
    )]
    Older {
        /// Which file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The first that can be opened.
        first: i64,
    },
    /// Another process's SQLite holds the file.
    #[error("{0} is locked by another process: a shell or a backup that works with it has to end first")]
    Locked(PathBuf),
    /// The disk does not do as it is told.
    #[error("cannot read or write {path}: is the disk full or failing?")]
    Disk {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// SQLite failed otherwise.
    #[error("cannot open {path}")]
    Sqlite {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Opens a data directory, making it if need be: the writer, and a reader that may be cloned.
///
/// # Errors
/// See [`OpenError`]; nothing that was there is changed then.
pub fn open(dir: &Path, options: &Options) -> Result<(SqliteStore, SqliteReader), OpenError> {
    std::fs::create_dir_all(dir).map_err(|source| OpenError::Io {
        path: dir.to_owned(),
        source,
    })?;
    let lock = Arc::new(Lock::take(dir)?);
    let path = dir.join(DATABASE);
    let exists = check_header(&path)?;
    let cipher = Arc::new(Cipher::new(&key(dir, options, exists)?));
    let explain = |failure| explain(&path, failure);
    if !exists {
        create(dir, &cipher)?;
    }
    let open = |flags, cache| -> Result<Db, DriverError> {
        Db::new(Connection::open_with_flags(&path, flags)?, cache, Arc::clone(&cipher))
    };
    let write = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut writer = open(write, WRITER_CACHE_KIB).map_err(explain)?;
    check_contents(&path, &mut writer, &cipher)?;
    let read = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let readers = (0..options.readers.max(1))
        .map(|_| open(read, READER_CACHE_KIB))
        .collect::<Result<_, _>>();
    let readers = Pool::new(readers.map_err(explain)?, Arc::clone(&lock));
    let files = Files::of(&path).map_err(|source| OpenError::Io { path, source })?;
    Ok((
        SqliteStore::new(Sole::new(writer, files, lock)),
        SqliteReader::new(readers),
    ))
}

fn key(dir: &Path, options: &Options, exists: bool) -> Result<[u8; KEY_LEN], OpenError> {
    if let Some(key) = options.key {
        return Ok(key);
    }
    let path = dir.join(KEY);
    let failed = |source| OpenError::Io {
        path: path.clone(),
        source,
    };
    match secret::read_key(&path).map_err(failed)? {
        Some(key) => Ok(key),
        None if exists => Err(OpenError::KeyMissing(path)),
        None => secret::create_key(&path).map_err(failed),
    }
}

/// Whether there is a database. SQLite would take an empty file for a new one; here it is a damaged one.
fn check_header(path: &Path) -> Result<bool, OpenError> {
    use std::io::Read;
    const MAGIC: &[u8; 16] = b"SQLite format 3\0";
    const HEADER_LEN: u64 = 100;
    let failed = |source| OpenError::Io {
        path: path.to_owned(),
        source,
    };
    let damaged = |what: &str| OpenError::Damaged {
        path: path.to_owned(),
        what: what.to_owned(),
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let log = path.with_extension("db-wal");
            return if log.exists() {
                Err(damaged("it is missing, but its log is there"))
            } else {
                Ok(false)
            };
        }
        Err(error) => return Err(failed(error)),
    };
    // SQLite removes the log's index before the log, and only when all of the log is in the database.
    if path.with_extension("db-shm").exists() && !path.with_extension("db-wal").exists() {
        return Err(damaged(
            "its log is missing: with aldis.db-wal the last commits were removed",
        ));
    }
    let mut header = Vec::new();
    file.take(HEADER_LEN).read_to_end(&mut header).map_err(failed)?;
    match header.get(..MAGIC.len()) {
        Some(start) if start != MAGIC => Err(OpenError::Foreign(path.to_owned())),
        Some(_) if u64::try_from(header.len()).is_ok_and(|len| len == HEADER_LEN) => Ok(true),
        _ => Err(damaged("it is shorter than a header")),
    }
}

fn create(dir: &Path, cipher: &Cipher) -> Result<(), OpenError> {
    let unfinished = dir.join(UNFINISHED);
    let path = dir.join(DATABASE);
    let failed = |source| OpenError::Io {
        path: unfinished.clone(),
        source,
    };
    for leftover in [
        UNFINISHED.to_owned(),
        format!("{UNFINISHED}-wal"),
        format!("{UNFINISHED}-journal"),
    ] {
        match std::fs::remove_file(dir.join(leftover)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    // SQLite gives its log the permissions of the database.
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)
        .map_err(failed)?;
    schema::create(&unfinished, cipher).map_err(|failure| explain(&unfinished, failure))?;
    File::open(&unfinished)
        .and_then(|file| file.sync_all())
        .map_err(failed)?;
    std::fs::rename(&unfinished, &path)
        .and_then(|()| secret::sync_directory_of(&path))
        .map_err(failed)
}

/// Looks before anything is changed: what is refused keeps its log as it is.
fn check_contents(path: &Path, writer: &mut Db, cipher: &Cipher) -> Result<(), OpenError> {
    let explain = |failure| explain(path, failure);
    let keep_log = |writer: &Db, keep| -> Result<(), DriverError> {
        let option = rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        writer.conn.set_db_config(option, keep)?;
        Ok(())
    };
    keep_log(writer, true).map_err(explain)?;
    if !schema::is_ours(&writer.conn).map_err(explain)? {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    let found = schema::version(&writer.conn).map_err(explain)?;
    if found > schema::KNOWN {
        return Err(OpenError::Newer {
            path: path.to_owned(),
            found,
            known: schema::KNOWN,
        });
    }
    if found < 1 {
        return Err(OpenError::Damaged {
            path: path.to_owned(),
            what: format!("it says that its schema is {found}"),
        });
    }
    if found < schema::FIRST {
        return Err(OpenError::Older {
            path: path.to_owned(),
            found,
            first: schema::FIRST,
        });
    }
    if let Some(what) = schema::damage(&writer.conn).map_err(explain)? {
        return Err(OpenError::Damaged {
            path: path.to_owned(),
            what,
        });
    }
    match schema::key_check(&writer.conn).map_err(explain)? {
        Some(check) if cipher.is_key_of(&check) => {}
        Some(_) => return Err(OpenError::WrongKey(path.to_owned())),
        None => {
            return Err(OpenError::Damaged {
                path: path.to_owned(),
                what: "the table meta is empty".to_owned(),
            });
        }
    }
    schema::can_write(&writer.conn).map_err(explain)?;
    schema::migrate(&mut writer.conn).map_err(explain)?;
    keep_log(writer, false).map_err(explain)
}

fn explain(path: &Path, failure: DriverError) -> OpenError {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseCorrupt, DiskFull, NotADatabase, SystemIoFailure};
    let path = path.to_owned();
    match failure {
        DriverError::Sqlite(error) => match error.sqlite_error_code() {
            Some(DatabaseCorrupt) => OpenError::Damaged {
                path,
                what: error.to_string(),
            },
            Some(NotADatabase) => OpenError::Foreign(path),
            Some(DatabaseBusy) => OpenError::Locked(path),
            Some(DiskFull | SystemIoFailure) => OpenError::Disk {
                path,
                source: Box::new(error),
            },
            _ => OpenError::Sqlite {
                path,
                source: Box::new(error),
            },
        },
        DriverError::Store(error) => OpenError::Damaged {
            path,
            what: error.to_string(),
        },
    }
}
