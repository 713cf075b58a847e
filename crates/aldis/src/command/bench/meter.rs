//! What a stretch of time has cost the processes that take part.

use std::time::{Duration, Instant};

use aldis_simulator::Usage;
use anyhow::Context as _;

use super::figures::number;
use super::fleets::Fleets;
use super::row::Round;
use super::world::World;

/// The beginning of a stretch.
pub(super) struct Meter {
    begun: Instant,
    used: Used,
}

struct Used {
    server: Duration,
    fleet: Duration,
    caller: Duration,
}

impl Used {
    fn now(world: &World, fleets: Option<&Fleets>) -> anyhow::Result<Self> {
        Ok(Self {
            server: world.usage()?.cpu,
            fleet: fleets.map_or(Ok(Duration::ZERO), Fleets::cpu)?,
            caller: Usage::of(std::process::id()).context("this process")?.cpu,
        })
    }
}

impl Meter {
    /// Begins.
    pub(super) fn start(world: &World, fleets: Option<&Fleets>) -> anyhow::Result<Self> {
        let used = Used::now(world, fleets)?;
        Ok(Self {
            used,
            begun: Instant::now(),
        })
    }

    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    /// Ends the measurement: `done` operations were carried out.
    pub(super) fn stop(self, count: u64, world: &World, fleets: Option<&Fleets>) -> anyhow::Result<Round> {
        let seconds = self.begun.elapsed().as_secs_f64();
        let used = Used::now(world, fleets)?;
        let us = |before: Duration, after: Duration| after.saturating_sub(before).as_secs_f64() * 1e6 / number(count);
        Ok(Round {
            count,
            seconds,
            server_us: us(self.used.server, used.server),
            fleet_us: us(self.used.fleet, used.fleet),
            caller_us: us(self.used.caller, used.caller),
        })
    }
}
