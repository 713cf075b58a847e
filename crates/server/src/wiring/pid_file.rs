//! `aldis.pid` in the data directory: whom to send a signal to (docs/operating.md, "The data directory").

use std::path::{Path, PathBuf};

const PID_FILE: &str = "aldis.pid";

/// The file while the server runs. It is removed with this value, but stays when the process is killed: the lock says
/// whether a server runs, not this.
#[derive(Debug)]
pub(super) struct PidFile(PathBuf);

impl PidFile {
    /// Writes it. A server that cannot serves all the same.
    pub(super) fn write(dir: &Path) -> Self {
        let path = dir.join(PID_FILE);
        let unfinished = path.with_extension("pid.new");
        let written = std::fs::write(&unfinished, format!("{}\n", std::process::id()))
            .and_then(|()| std::fs::rename(&unfinished, &path));
        if let Err(error) = written {
            tracing::warn!(path = %path.display(), %error, "the file with the process id could not be written");
        }
        Self(path)
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::debug!(path = %self.0.display(), %error, "the file with the process id could not be removed");
        }
    }
}
