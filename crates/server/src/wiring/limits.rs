//! The operating system's limit of open files, and what of it devices may take.

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::{api, gateway};

/// Files that are neither connection nor listener: database, log, lock, runtime.
const OTHER_FILES: usize = 64;

/// Raises the limit of open files to the hard one, and says how many device connections fit below it beside the HTTP
/// connections.
pub(super) fn device_connections_max() -> usize {
    let Some(files) = raise() else { return usize::MAX };
    let files = usize::try_from(files).unwrap_or(usize::MAX);
    let others = (api::CONNECTIONS_MAX + gateway::TURNED_AWAY_MAX + OTHER_FILES).min(files / 2);
    let devices = files - others;
    tracing::info!(
        files,
        devices,
        "at most this many devices can be connected, by the limit of open files"
    );
    devices
}

fn raise() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    let before = limit.current;
    limit.current = limit.maximum;
    if setrlimit(Resource::Nofile, limit).is_ok() {
        limit.maximum
    } else {
        before
    }
}
