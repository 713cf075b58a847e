//! The operating system's limit of open files: a simulated device takes one.

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::exit::usage;

/// Files that are open besides device sockets: the three standard ones, the runtime's, connections of the API.
const OTHER_FILES: u64 = 64;

/// Raises the limit to the hard one, and refuses as many devices as do not fit below it.
pub(crate) fn make_room_for(devices: usize) -> anyhow::Result<()> {
    check(devices, raise())
}

/// What is allowed from now on; `None` if there is no limit.
fn raise() -> Option<u64> {
    let before = getrlimit(Resource::Nofile);
    let mut raised = before;
    raised.current = raised.maximum;
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => before.maximum,
        Err(_) => before.current,
    }
}

fn check(devices: usize, allowed: Option<u64>) -> anyhow::Result<()> {
    let needed = u64::try_from(devices)?.saturating_add(OTHER_FILES);
    match allowed {
        Some(allowed) if allowed < needed => Err(usage(format!(
            "{devices} devices need {needed} open files, and {allowed} are allowed here (ulimit -Hn): at most {} devices fit",
            allowed.saturating_sub(OTHER_FILES)
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_the_figure() {
        check(936, Some(1000)).unwrap();
        check(usize::MAX, None).unwrap();
        let told = check(937, Some(1000)).unwrap_err().to_string();
        assert!(
            told.contains("1001") && told.ends_with("at most 936 devices fit"),
            "{told}"
        );
    }
}
