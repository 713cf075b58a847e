//! Files that are there as a whole or not at all: written under another name beside the final one, then renamed.

use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile, PersistError};

use crate::exit::usage;

/// What becomes of a file that has the final name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It is refused before anything is written.
    Refused,
    /// It is replaced at the end.
    Replaced,
}

/// Who may read the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Those that the process's umask allows.
    AsUsual,
    /// The owner: it has secrets.
    Owner,
}

/// A file that is being written, or standard output.
pub(crate) enum Sink {
    /// Written as it comes: standard output, and names of devices and pipes, which must not be replaced.
    Direct(BufWriter<Box<dyn Write>>),
    /// Not there before [`Sink::finish`].
    Whole {
        /// What is written, under a passing name.
        file: BufWriter<NamedTempFile>,
        /// The final name.
        path: PathBuf,
        /// What becomes of a file of that name.
        existing: Existing,
    },
}

impl Sink {
    /// Opens a file, or standard output for `None`.
    ///
    /// # Errors
    /// A usage error that names the path.
    pub(crate) fn open(path: Option<&Path>, existing: Existing, readers: Readers) -> anyhow::Result<Self> {
        let Some(path) = path else {
            return Ok(Self::Direct(BufWriter::new(Box::new(io::stdout()))));
        };
        open(path, existing, readers).map_err(|error| usage(format!("{}: {error}", path.display())))
    }

    /// Makes the file complete, and gives it its name.
    ///
    /// # Errors
    /// It cannot be written, or a file of that name appeared meanwhile and must not be replaced.
    pub(crate) fn finish(self) -> io::Result<()> {
        match self {
            Self::Direct(mut sink) => sink.flush(),
            Self::Whole { file, path, existing } => {
                let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.as_file().sync_all()?;
                let named = match existing {
                    Existing::Refused => file.persist_noclobber(&path),
                    Existing::Replaced => file.persist(&path),
                };
                named.map(drop).map_err(|failed| kept(failed, &path))
            }
        }
    }
}

/// What was written stays under its passing name where the final one cannot be had: it may be nowhere else.
fn kept(failed: PersistError, path: &Path) -> io::Error {
    let PersistError { error, file } = failed;
    match file.keep() {
        Ok((_, kept)) => {
            let told = format!("{}: {error}; what was written is in {}", path.display(), kept.display());
            io::Error::new(error.kind(), told)
        }
        Err(_) => error,
    }
}

fn open(path: &Path, existing: Existing, readers: Readers) -> io::Result<Sink> {
    // What a link names is replaced, not the link.
    let path = path.canonicalize().unwrap_or_else(|_absent| path.to_owned());
    match path.metadata() {
        Ok(found) if !found.is_file() && !found.is_dir() => {
            let file = std::fs::OpenOptions::new().write(true).open(&path)?;
            return Ok(Sink::Direct(BufWriter::new(Box::new(file))));
        }
        Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        Ok(_) if existing == Existing::Refused => return Err(exists()),
        // A link that names nothing.
        Err(_) if path.symlink_metadata().is_ok() => return Err(exists()),
        _ => {}
    }
    let mode = match readers {
        Readers::AsUsual => 0o666,
        Readers::Owner => 0o600,
    };
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let file = Builder::new()
        .prefix(".aldis-unfinished-")
        .permissions(std::fs::Permissions::from_mode(mode))
        .tempfile_in(dir.unwrap_or_else(|| Path::new(".")))?;
    Ok(Sink::Whole {
        file: BufWriter::new(file),
        path,
        existing,
    })
}

fn exists() -> io::Error {
    let told = "the file exists already and is not overwritten";
    io::Error::new(io::ErrorKind::AlreadyExists, told)
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Direct(sink) => sink.write(bytes),
            Self::Whole { file, .. } => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Direct(sink) => sink.flush(),
            Self::Whole { file, .. } => file.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_file_is_there_only_when_it_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        std::fs::write(&path, "old").unwrap();
        let mut abandoned = Sink::open(Some(&path), Existing::Replaced, Readers::AsUsual).unwrap();
        abandoned.write_all(b"half").unwrap();
        drop(abandoned);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(dir.path().read_dir().unwrap().count(), 1);
        let mut complete = Sink::open(Some(&path), Existing::Replaced, Readers::AsUsual).unwrap();
        complete.write_all(b"new").unwrap();
        complete.finish().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn a_file_with_secrets_is_the_owners_and_replaces_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secrets");
        let sink = Sink::open(Some(&path), Existing::Refused, Readers::Owner).unwrap();
        sink.finish().unwrap();
        assert_eq!(mode(&path), 0o600);
        let refused = Sink::open(Some(&path), Existing::Refused, Readers::Owner)
            .err()
            .unwrap();
        assert!(refused.to_string().contains("exists already"), "{refused}");
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path().join("none"), &link).unwrap();
        assert!(Sink::open(Some(&link), Existing::Refused, Readers::Owner).is_err());
    }

    #[test]
    fn what_was_written_is_kept_when_its_name_is_taken_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secrets");
        let mut sink = Sink::open(Some(&path), Existing::Refused, Readers::Owner).unwrap();
        sink.write_all(b"new").unwrap();
        std::fs::write(&path, "other").unwrap();
        let told = sink.finish().unwrap_err().to_string();
        let kept = told.rsplit(' ').next().unwrap();
        assert_eq!(
            (std::fs::read_to_string(kept).unwrap().as_str(), mode(Path::new(kept))),
            ("new", 0o600)
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "other");
    }

    #[test]
    fn a_device_is_written_and_not_replaced() {
        let mut sink = Sink::open(Some(Path::new("/dev/null")), Existing::Refused, Readers::Owner).unwrap();
        sink.write_all(b"x").unwrap();
        sink.finish().unwrap();
        assert!(!Path::new("/dev/null").metadata().unwrap().is_file());
    }
}
