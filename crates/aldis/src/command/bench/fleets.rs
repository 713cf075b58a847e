//! The simulated devices, in processes of their own.

use std::io::{self, BufReader};
use std::time::Duration;

use aldis_simulator::{Counts, DeviceIdentity, FleetPlan, FleetProcess, FleetRequest, serve_fleet};
use anyhow::{Context as _, ensure};
use tokio::process::Command;
use tokio::time::timeout;

use super::world::PATIENCE;
use crate::exit::Outcome;
use crate::open_files::make_room_for;

/// The longest that devices settle after their connection, and a little more.
const SETTLED_AFTER: Duration = Duration::from_millis(1_500);

/// The devices of one server.
pub(super) struct Fleets {
    fleets: Vec<FleetProcess>,
    /// Of each, the replies that had been acknowledged when the latest round began.
    acknowledged_before: Vec<u64>,
}

impl Fleets {
    /// Connects the devices, spread over several processes, and waits until all are.
    pub(super) async fn connect(
        devices: Vec<DeviceIdentity>,
        processes: usize,
        plan: &FleetPlan,
    ) -> anyhow::Result<Self> {
        let each = devices.len().div_ceil(processes.max(1)).max(1);
        let mut fleets = Vec::new();
        for chunk in devices.chunks(each) {
            let plan = FleetPlan {
                devices: chunk.iter().cloned().map(keys).collect(),
                ..plan.clone()
            };
            fleets.push(FleetProcess::start(program()?, &plan).await?);
        }
        let mut fleets = Self {
            acknowledged_before: vec![0; fleets.len()],
            fleets,
        };
        fleets.all_connected().await?;
        Ok(fleets)
    }

    /// Waits until every device is connected.
    pub(super) async fn all_connected(&mut self) -> anyhow::Result<()> {
        for fleet in &mut self.fleets {
            let size = u64::try_from(fleet.size())?;
            let asked = timeout(PATIENCE, fleet.ask(FleetRequest::Connected(size))).await;
            let counts = asked.context("devices do not get in")??;
            ensure!(
                counts.refused == 0,
                "the server refused a device with CONNACK code {}",
                counts.refused_with
            );
        }
        Ok(())
    }

    /// Waits until devices that have just come are sent commands at once.
    pub(super) async fn settle(&mut self) -> anyhow::Result<()> {
        tokio::time::sleep(SETTLED_AFTER).await;
        ensure!(self.counts().await?.lost == 0, "devices have lost their links");
        Ok(())
    }

    /// Waits until every device has been let in a second time.
    pub(super) async fn accepted_twice(&mut self) -> anyhow::Result<()> {
        for fleet in &mut self.fleets {
            let twice = u64::try_from(fleet.size())?.saturating_mul(2);
            let asked = timeout(PATIENCE, fleet.ask(FleetRequest::Accepted(twice))).await;
            asked.context("devices do not come back")??;
        }
        Ok(())
    }

    /// How many devices there are.
    pub(super) fn size(&self) -> anyhow::Result<u64> {
        Ok(u64::try_from(
            self.fleets.iter().map(FleetProcess::size).sum::<usize>(),
        )?)
    }

    /// Begins a round, from which on replies are counted; gives the figures till then.
    pub(super) async fn mark(&mut self) -> anyhow::Result<Counts> {
        for (fleet, before) in self.fleets.iter_mut().zip(&mut self.acknowledged_before) {
            *before = fleet.ask(FleetRequest::Now).await?.replies_acknowledged;
        }
        self.counts().await
    }

    /// Waits until the server has acknowledged this many replies of each device on average in this round.
    pub(super) async fn acknowledged(&mut self, each: u64) -> anyhow::Result<()> {
        for (fleet, before) in self.fleets.iter_mut().zip(&self.acknowledged_before) {
            let wanted = before + u64::try_from(fleet.size())?.saturating_mul(each);
            let asked = timeout(PATIENCE, fleet.ask(FleetRequest::Acknowledged(wanted))).await;
            asked.context("replies are missing")??;
        }
        Ok(())
    }

    /// Tells all processes, one after another.
    pub(super) async fn notify(&mut self, ask: FleetRequest) -> anyhow::Result<()> {
        for fleet in &mut self.fleets {
            fleet.ask(ask).await?;
        }
        Ok(())
    }

    /// The figures of all, those that are of interest here added up.
    pub(super) async fn counts(&mut self) -> anyhow::Result<Counts> {
        let mut sum = Counts::default();
        for fleet in &mut self.fleets {
            let counts = fleet.ask(FleetRequest::Now).await?;
            sum.connected += counts.connected;
            sum.accepted += counts.accepted;
            sum.put_off += counts.put_off;
            sum.refused += counts.refused;
            sum.unreachable += counts.unreachable;
            sum.lost += counts.lost;
            sum.commands += counts.commands;
            sum.replies_acknowledged += counts.replies_acknowledged;
        }
        Ok(sum)
    }

    /// Processor time so far.
    pub(super) fn cpu(&self) -> anyhow::Result<Duration> {
        let used = self.fleets.iter().map(|fleet| Ok(fleet.usage()?.cpu));
        used.sum()
    }
}

fn keys(device: DeviceIdentity) -> (String, String, String) {
    (device.product_key, device.device_key, device.device_secret)
}

/// This program, as a fleet.
fn program() -> anyhow::Result<Command> {
    let this = std::env::current_exe().context("cannot tell which program this is")?;
    let mut command = Command::new(this);
    command.args(["bench", "fleet"]);
    Ok(command)
}

/// What the process of a fleet does.
pub(super) fn serve() -> anyhow::Result<Outcome> {
    make_room_for(0)?;
    serve_fleet(BufReader::new(io::stdin().lock()), io::stdout().lock())?;
    Ok(Outcome::Done)
}
