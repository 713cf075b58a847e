//! The operating system's limits.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the limit of open files to the hard one; each device takes one. Returns what is allowed from now on, `None` if
/// there is no limit.
pub fn raise_file_limit() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    let before = limit.current;
    limit.current = limit.maximum;
    if setrlimit(Resource::Nofile, limit).is_ok() { limit.maximum } else { before }
}
