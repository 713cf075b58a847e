//! The operating system's limit of open files, and how devices and callers of the API share it.

use std::num::NonZeroUsize;

use rustix::process::{Resource, getrlimit, setrlimit};

use aldis_gateway::turned_away_max;

/// Files that are neither connection nor listener: database, log, lock, runtime.
const OTHER_FILES: usize = 64;
/// Of this many files, one is a caller's: devices hold their connections for good, callers come and go, and those of a
/// server with 20,000 files are hundreds at most.
const FILES_PER_CALLER: usize = 32;
/// Fewer callers than this would stand in each other's way: this many get a place as long as devices get most of the
/// files.
const CALLERS_MIN: usize = 128;
/// More connections than this bring callers nothing, unless very many wait for devices: there is one database behind
/// them.
const CALLERS_MAX: usize = 4096;

/// One place per this many, but no more than [`KEPT_MAX`], cannot be held by callers that wait for devices: calls that
/// do not wait always come through.
const CALLERS_PER_KEPT: usize = 8;
/// Calls that do not wait take milliseconds: more places than this would stay empty.
const KEPT_MAX: usize = 64;

/// How many connections of each kind there may be at a time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Connections {
    pub(super) callers: usize,
    pub(super) devices: usize,
}

impl Connections {
    /// How many callers may wait for devices at a time.
    pub(super) fn waiting(&self) -> usize {
        let kept = (self.callers / CALLERS_PER_KEPT).clamp(1, KEPT_MAX);
        self.callers.saturating_sub(kept).max(1)
    }
}

/// Raises the limit of open files to the hard one, and says how many connections fit below it; `callers` if the
/// operator says how many of them.
pub(super) fn connections(callers: Option<NonZeroUsize>) -> Connections {
    let files = raise().map(|files| usize::try_from(files).unwrap_or(usize::MAX));
    let files_known = files.unwrap_or(usize::MAX);
    let share = callers.map_or_else(|| share(files_known), |callers| split(files_known, callers.get()));
    if let Some(files) = files {
        tracing::info!(
            files,
            devices = share.devices,
            callers = share.callers,
            "at most this many devices and callers can be connected, by the limit of open files"
        );
    }
    share
}

/// A share for callers that grows with the files, and never takes more than a quarter of what there is for both.
fn share(files: usize) -> Connections {
    let wanted = (files / FILES_PER_CALLER).clamp(CALLERS_MIN, CALLERS_MAX);
    split(files, wanted.min(files.saturating_sub(OTHER_FILES) / 4))
}

/// As many callers as the operator wants, if one device at least finds room. Devices get the other files: those that
/// have a place, and those that are told that there is none.
fn split(files: usize, callers: usize) -> Connections {
    let for_both = files.saturating_sub(OTHER_FILES);
    let callers = callers.min(for_both.saturating_sub(1)).max(1);
    let rest = for_both.saturating_sub(callers);
    let fits = |devices: &usize| devices + turned_away_max(*devices) <= rest;
    let told = [0, usize::MAX].map(turned_away_max);
    let candidates = told
        .map(|told| rest.saturating_sub(told))
        .into_iter()
        .chain([rest / 5 * 4]);
    let devices = candidates.filter(fits).max().unwrap_or(0).max(1);
    Connections { callers, devices }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(files: usize) -> (usize, usize) {
        let share = share(files);
        (share.callers, share.devices)
    }

    #[test]
    fn devices_get_most_of_the_files() {
        assert_eq!(shared(20_000), (625, 19_247), "the usual limit");
        assert_eq!(shared(1024), (128, 768));
        assert_eq!(shared(256), (48, 112), "the least that is common");
        assert_eq!(shared(1_048_576), (4096, 1_044_352));
    }

    #[test]
    fn shares_add_up_to_no_more_than_there_is() {
        for files in (OTHER_FILES + 20..2_000).chain([4096, 20_000, 131_072, 1 << 30]) {
            let (callers, devices) = shared(files);
            let all = callers + devices + turned_away_max(devices) + OTHER_FILES;
            assert!(all <= files, "{all} of {files}");
            assert!(devices >= callers && callers > 0, "{files}");
        }
    }

    #[test]
    fn the_operator_may_want_more_callers_than_that() {
        let split = |files, callers| {
            let split = split(files, callers);
            (split.callers, split.devices)
        };
        assert_eq!(split(20_000, 10_000), (10_000, 9_872));
        assert_eq!(split(20_000, 16), (16, 19_856));
        assert_eq!(split(1024, 10_000), (959, 1));
        assert_eq!(
            split(60, 10_000),
            (1, 1),
            "it will not be enough, but the server says so itself"
        );
    }

    #[test]
    fn callers_that_wait_for_devices_leave_room_for_others() {
        let waiting = |callers| Connections { callers, devices: 1 }.waiting();
        for (callers, most) in [(1, 1), (2, 1), (16, 14), (128, 112), (625, 561), (10_000, 9_936)] {
            assert_eq!(waiting(callers), most, "{callers}");
        }
    }

    #[test]
    fn without_a_limit_only_callers_have_one() {
        assert_eq!(share(usize::MAX).callers, CALLERS_MAX);
    }
}
