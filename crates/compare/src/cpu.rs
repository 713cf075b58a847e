//! Processor time of processes and threads, as Linux counts it.

use std::fs;
use std::ops::{Add, Sub};

use anyhow::Context as _;

/// What the kernel counts in, on every Linux that matters.
const TICK_US: f64 = 10_000.0;

/// Processor time, in ticks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Used(u32);

impl Used {
    pub(crate) fn us(self) -> f64 {
        f64::from(self.0) * TICK_US
    }
}

impl Add for Used {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Used {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

/// By a process, so far.
pub(crate) fn of_process(pid: u32) -> anyhow::Result<Used> {
    read(&format!("/proc/{pid}/stat")).map(|(_, used)| used)
}

/// By this process's threads of that name, so far.
pub(crate) fn of_threads(name: &str) -> anyhow::Result<Used> {
    let mut sum = Used::default();
    for thread in fs::read_dir("/proc/self/task")? {
        let path = thread?.path().join("stat");
        // A thread may end between the look at the list and at itself.
        if let Ok((found, used)) = read(&path.to_string_lossy())
            && found == name
        {
            sum = sum + used;
        }
    }
    Ok(sum)
}

/// Name, and user and system time together.
fn read(path: &str) -> anyhow::Result<(String, Used)> {
    let text = fs::read_to_string(path)?;
    let (name, rest) = text
        .split_once(" (")
        .and_then(|(_, rest)| rest.rsplit_once(") "))
        .context("no stat")?;
    let mut words = rest.split(' ').skip(11).map(str::parse::<u32>);
    let mut next = || words.next().context("too short")?.context("no number");
    Ok((name.to_owned(), Used(next()? + next()?)))
}
