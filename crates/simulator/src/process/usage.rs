//! What a process has used, as Linux counts it in `/proc`.

use std::fs;
use std::io;
use std::time::Duration;

/// What processor time is counted in, on every Linux that matters.
const TICK: Duration = Duration::from_millis(10);
/// Written to `clear_refs`, it makes the peak of resident memory start anew.
const RESET_PEAK: &str = "5";

/// What a process has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Processor time, in its own code and in the system's, of all its threads.
    pub cpu: Duration,
    /// Resident memory now, in KiB.
    pub resident_kib: u64,
    /// The most that it was since the start or [`Usage::reset_peak`], in KiB.
    pub peak_kib: u64,
}

impl Usage {
    /// Of a running process.
    ///
    /// # Errors
    /// If there is no such process, or no `/proc`.
    pub fn of(pid: u32) -> io::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        Ok(Self {
            cpu: cpu(&stat).ok_or_else(unreadable)?,
            resident_kib: kib(&status, "VmRSS:").ok_or_else(unreadable)?,
            peak_kib: kib(&status, "VmHWM:").ok_or_else(unreadable)?,
        })
    }

    /// Makes the peak start anew from what is resident now.
    ///
    /// # Errors
    /// If the process belongs to another user.
    pub fn reset_peak(pid: u32) -> io::Result<()> {
        fs::write(format!("/proc/{pid}/clear_refs"), RESET_PEAK)
    }
}

fn unreadable() -> io::Error {
    io::Error::other("/proc does not say what is expected")
}

/// User and system time together. The program's name comes before them, and may contain anything.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut words = rest.split(' ').skip(11).map(|word| word.parse::<u32>().ok());
    let ticks = words.next()?? + words.next()??;
    Some(TICK * ticks)
}

fn kib(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches("kB").trim_end().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses_does_not_shift_the_columns() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 120 30 0 0 20 0 1 0 5 6 7";
        assert_eq!(cpu(stat), Some(Duration::from_millis(1_500)));
    }

    #[test]
    fn memory_is_found_by_its_name() {
        let status = "Name:\tx\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n";
        assert_eq!((kib(status, "VmRSS:"), kib(status, "VmHWM:")), (Some(1024), Some(2048)));
    }
}
