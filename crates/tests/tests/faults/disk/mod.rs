//! A disk that fails on demand, under the real program: `disk.c`, compiled once per run and loaded before the C
//! library.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::harness::Start;

/// What the disk does to files of a data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No file can grow and none can be made; what has a place can be written.
    Full,
    /// Every write fails.
    Unwritable,
    /// Writes succeed, and making them durable fails.
    Unsynced,
    /// Every read fails.
    Unreadable,
    /// Nothing can be opened for writing.
    ReadOnly,
    /// Making something durable takes 200 ms.
    Slow,
    /// Making something durable does not end.
    Hung,
}

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Unwritable => "unwritable",
            Self::Unsynced => "unsynced",
            Self::Unreadable => "unreadable",
            Self::ReadOnly => "readonly",
            Self::Slow => "slow",
            Self::Hung => "hung",
        }
    }
}

/// The disk of one program: sound until it is broken.
pub(crate) struct Disk {
    control: TempDir,
}

impl Disk {
    pub(crate) fn new() -> Self {
        Self {
            control: tempfile::tempdir().unwrap(),
        }
    }

    /// What a program needs in its environment to have this disk.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        vec![
            ("LD_PRELOAD".to_owned(), text(shim())),
            ("FAULTY_DISK_CONTROL".to_owned(), text(&self.file())),
        ]
    }

    /// A server on this disk.
    pub(crate) fn start(&self) -> Start {
        Start {
            variables: self.variables(),
            ..Start::default()
        }
    }

    /// From now on, until it is mended, the files of this directory suffer the fault.
    pub(crate) fn breaks(&self, fault: Fault, directory: &Path) {
        // Complete at once: a reader sees this line or none.
        let line = format!("{} {}\n", fault.name(), directory.canonicalize().unwrap().display());
        let unfinished = self.control.path().join("unfinished");
        std::fs::write(&unfinished, line).unwrap();
        std::fs::rename(&unfinished, self.file()).unwrap();
    }

    /// All is well again.
    pub(crate) fn is_mended(&self) {
        std::fs::remove_file(self.file()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.control.path().join("control")
    }
}

/// The compiled shim. Cargo's own directory for what tests make keeps it out of the way of other users.
fn shim() -> &'static Path {
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    SHIM.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/disk/disk.c");
        let shim = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faulty_disk.so");
        let unfinished = shim.with_extension(std::process::id().to_string());
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .arg(&unfinished)
            .arg(source)
            .arg("-ldl");
        assert!(cc.status().unwrap().success(), "the shim does not compile");
        std::fs::rename(&unfinished, &shim).unwrap();
        shim
    })
}
