//! Connections that do nothing: what memory of the server each takes. And a storm: all devices are away, come back at
//! once, and each finds a command waiting.

use std::path::Path;
use std::time::{Duration, Instant};

use aldis_client::Search;
use aldis_simulator::{FleetPlan, FleetRequest};
use anyhow::{Context as _, ensure};
use clap::Args;
use tokio::time::{sleep, timeout};

use super::figures::{Spread, number};
use super::fleets::Fleets;
use super::load::Answers;
use super::meter::Meter;
use super::row::Row;
use super::world::{PATIENCE, PRODUCT, World, product_job, waiting};

/// Longer than devices settle after their connection.
const SETTLED_AFTER: Duration = Duration::from_secs(3);
/// Connections that are being opened at the same time in a storm, of each process.
const PARALLEL: usize = 250;
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long the storm's commands wait for their devices.
const TTL_SECONDS: u32 = 300;

#[derive(Debug, Clone, Args)]
pub(super) struct Idle {
    /// Connections; several numbers are measured one after another
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "5000,15700")]
    pub(super) devices: Vec<usize>,
    /// Processes that the devices are spread over
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub(super) fleets: usize,
}

impl Idle {
    pub(super) async fn measure(&self, dir: Option<&Path>) -> anyhow::Result<Vec<Row>> {
        let mut rows = Vec::new();
        for devices in &self.devices {
            rows.extend(self.one(dir, *devices).await?);
        }
        Ok(rows)
    }

    async fn one(&self, dir: Option<&Path>, devices: usize) -> anyhow::Result<Vec<Row>> {
        let world = World::start(dir).await?;
        let identities = world.register(PRODUCT, devices).await?;
        let plan = FleetPlan {
            parallel_connects: PARALLEL,
            ..world.plan(&Answers::default())
        };
        let before = world.usage()?.resident_kib;
        let meter = Meter::start(&world, None)?;
        let mut fleets = Fleets::connect(identities, self.fleets, &plan).await?;
        let connected = meter.stop(u64::try_from(devices)?, &world, None)?;
        sleep(SETTLED_AFTER).await;
        let after = world.usage()?.resident_kib;
        let grown = after.saturating_sub(before);
        let each = number(grown) / number(connected.count);
        let connecting = Row::of(format!("connecting {devices}"), vec![connected]).remark(format!(
            "{each:.2} KiB of memory each when idle, the server grown from {before} to {after} KiB"
        ));
        let storm = storm(&world, &mut fleets).await?;
        Ok([vec![connecting], storm].concat())
    }
}

async fn storm(world: &World, fleets: &mut Fleets) -> anyhow::Result<Vec<Row>> {
    let devices = fleets.size()?;
    let before = fleets.mark().await?;
    fleets.notify(FleetRequest::GoOffline).await?;
    nobody_is_online(world).await?;
    let job = waiting(product_job(&Answers::default()), TTL_SECONDS);
    let job = world.client.create_job(&job).await?.data;
    world.reset_peak()?;
    let meter = Meter::start(world, Some(fleets))?;
    let begun = Instant::now();
    fleets.notify(FleetRequest::GoOnline).await?;
    fleets.accepted_twice().await?;
    let back = begun.elapsed();
    fleets.acknowledged(1).await?;
    let done = begun.elapsed();
    let round = meter.stop(devices, world, Some(fleets))?;
    let counts = fleets.counts().await?;
    let tasks = world.client.statistics(&job).await?.data;
    ensure!(
        tasks.succeed == devices && counts.commands - before.commands == devices,
        "{} commands for {devices} devices: {tasks:?}",
        counts.commands - before.commands
    );
    ensure!(counts.connected == devices, "{} devices are back", counts.connected);
    let remark = format!(
        "{} times put off, {} times unreachable",
        counts.put_off - before.put_off,
        counts.unreachable - before.unreachable
    );
    Ok(vec![
        Row::once(format!("storm, all {devices} back"), back),
        Row {
            latency: Spread::of(vec![done]),
            server_peak_kib: Some(world.usage()?.peak_kib),
            remark: Some(remark),
            ..Row::of("storm, and all their commands done", vec![round])
        },
    ])
}

/// What was sent to a link that is about to break would be lost by right, and is not what a storm is about.
async fn nobody_is_online(world: &World) -> anyhow::Result<()> {
    let online = Search::page(Some("status = 'online'"), 1, 0);
    let all = async {
        while world
            .client
            .search_devices(&online)
            .await?
            .pagination
            .is_none_or(|page| page.total_size > 0)
        {
            sleep(LOOK_EVERY).await;
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, all).await.context("devices do not leave")?
}
