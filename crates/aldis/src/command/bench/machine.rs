//! Where was measured: figures without their machine mean nothing.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::figures::Spread;

/// The machine and the disk, as far as known.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Machine {
    version: &'static str,
    optimised: bool,
    cores: usize,
    processor: Option<String>,
    /// Device and kind of the file system that the data lie on.
    disk: Option<String>,
    /// How long the disk takes to make one page durable; every commit waits for that at least once.
    sync: Option<Spread>,
}

/// Pages that are made durable to see how long that takes.
const SYNCS: usize = 100;
/// What SQLite writes at least.
const PAGE: [u8; 4096] = [7; 4096];

impl Machine {
    pub(super) fn look(dir: Option<&Path>) -> Self {
        let temporary = std::env::temp_dir();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            optimised: !cfg!(debug_assertions),
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            processor: std::fs::read_to_string("/proc/cpuinfo")
                .ok()
                .and_then(|text| processor(&text)),
            disk: std::fs::read_to_string("/proc/mounts")
                .ok()
                .and_then(|text| disk(&text, &std::path::absolute(dir.unwrap_or(&temporary)).ok()?)),
            sync: syncs(dir.unwrap_or(&temporary)).ok().and_then(Spread::of),
        }
    }

    pub(super) fn lines(&self) -> Vec<(&'static str, Option<String>)> {
        let build = if self.optimised {
            "release build"
        } else {
            "DEVELOPMENT BUILD: not representative"
        };
        let processor = self.processor.as_deref().unwrap_or("unknown processor");
        vec![
            ("aldis", Some(format!("{}, {build}", self.version))),
            ("machine", Some(format!("{} cores, {processor}", self.cores))),
            ("data on", self.disk.clone()),
            ("  one page durable", self.sync.map(|spread| spread.to_string())),
        ]
    }
}

fn syncs(dir: &Path) -> std::io::Result<Vec<Duration>> {
    let mut file = tempfile::tempfile_in(dir)?;
    let mut one = || {
        let begun = Instant::now();
        file.write_all(&PAGE)?;
        file.sync_data()?;
        Ok(begun.elapsed())
    };
    (0..SYNCS).map(|_| one()).collect()
}

fn processor(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The file system with the longest mount point above the directory.
fn disk(mounts: &str, dir: &Path) -> Option<String> {
    let rows = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        Some((words.next()?, words.next()?, words.next()?))
    });
    rows.filter(|(_, point, _)| dir.starts_with(point))
        .max_by_key(|(_, point, _)| point.len())
        .map(|(device, _, kind)| format!("{kind} ({device})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_is_that_of_the_nearest_mount() {
        let mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n";
        assert_eq!(disk(mounts, Path::new("/tmp/x")).unwrap(), "tmpfs (tmpfs)");
        assert_eq!(disk(mounts, Path::new("/tmpx")).unwrap(), "ext4 (/dev/vda)");
    }
}
