//! Files that are made once, and those that only their owner may read.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use aldis_core::text_file;
use anyhow::Context as _;

/// Who may read a file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Readers {
    Everybody,
    Owner,
}

/// Makes a file that must not exist yet: no key is ever overwritten.
pub(super) fn create(path: &Path, text: &str, readers: Readers) -> anyhow::Result<()> {
    let mode = match readers {
        Readers::Everybody => 0o644,
        Readers::Owner => 0o600,
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .with_context(|| format!("cannot make {}", path.display()))?;
    file.write_all(text.as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Gives what is in a file a second name, under which it stays when the first gets something else.
pub(super) fn keep(path: &Path, kept: &Path) -> anyhow::Result<()> {
    match std::fs::hard_link(path, kept) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked.with_context(|| format!("cannot keep {} as {}", path.display(), kept.display())),
    }
}

/// Puts another text into a file, at once.
pub(super) fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let mut new = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(dir.unwrap_or_else(|| Path::new(".")))?;
    new.write_all(text.as_bytes())?;
    new.persist(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

/// Reads a file.
pub(super) fn read(path: &Path) -> anyhow::Result<String> {
    let told = || format!("cannot read {}", path.display());
    let bytes = std::fs::read(path).with_context(told)?;
    text_file::decode(bytes).with_context(told)
}
