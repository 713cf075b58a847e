//! The machine's clocks: the one place that asks the operating system for the time.

use std::time::{SystemTime, UNIX_EPOCH};

use aldis_core::time::Timestamp;
use rustix::time::{ClockId, clock_gettime};

use aldis_engine::clock::TimeSource;

/// The clock that goes on while the machine is suspended, where there is one.
#[cfg(target_os = "linux")]
const MONOTONIC: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const MONOTONIC: ClockId = ClockId::Monotonic;

/// The operating system's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemTimes;

impl TimeSource for SystemTimes {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may ask")]
    fn wall(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic_us(&self) -> i64 {
        let time = clock_gettime(MONOTONIC);
        time.tv_sec
            .saturating_mul(1_000_000)
            .saturating_add(time.tv_nsec / 1_000)
    }
}
