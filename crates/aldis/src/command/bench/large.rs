//! One job for very many absent devices: written, asked about, found again after a restart, withdrawn, expired.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;

use super::absent::Absent;
use super::figures::{Spread, number};
use super::meter::Meter;
use super::row::Row;
use super::search;
use super::world::World;

const PRODUCT: &str = "bench-absent";
/// Two days, the most that the API takes.
const TTL_SECONDS: u32 = 172_800;

/// How large.
#[derive(Debug, Clone, Args)]
pub(super) struct Size {
    /// Registered devices, none of them connected
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub(super) devices: usize,
    /// Calls of each kind, where calls are measured
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) calls: u32,
    /// Connected devices that are kept busy while calls are measured
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    pub(super) busy: usize,
    /// How long the commands wait that are left to expire: their tasks have to be written before
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    pub(super) ttl: u32,
}

/// What happens to the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Create,
    Search,
    Restart,
    Cancel,
    Expire,
}

impl Part {
    pub(super) const ALL: [Self; 5] = [Self::Create, Self::Search, Self::Restart, Self::Cancel, Self::Expire];
}

impl Size {
    pub(super) async fn measure(&self, dir: Option<&Path>, parts: &[Part]) -> anyhow::Result<Vec<Row>> {
        let mut world = World::start(dir).await?;
        let (absent, registered) = Absent::register(&world, PRODUCT, self.devices).await?;
        let mut rows = vec![registered];
        let (job, created) = create(&world, &absent).await?;
        rows.extend(created);
        for part in parts {
            rows.extend(match part {
                Part::Create => Vec::new(),
                Part::Search => search::measure(&world, &absent, &job, self.calls, self.busy).await?,
                Part::Restart => restart(&mut world, &job).await?,
                Part::Cancel => cancel(&world, &absent, &job).await?,
                Part::Expire => expire(&world, &absent, self.ttl).await?,
            });
        }
        Ok(rows)
    }
}

async fn create(world: &World, absent: &Absent) -> anyhow::Result<(String, Vec<Row>)> {
    world.reset_peak()?;
    let disk_before = world.disk_bytes()?;
    let meter = Meter::start(world, None)?;
    let begun = meter.begun();
    let (job, answered) = absent.create(world, TTL_SECONDS).await?;
    absent.written(world, &job).await?;
    let took = begun.elapsed();
    let round = meter.stop(absent.count, world, None)?;
    let grown = world.disk_bytes()?.saturating_sub(disk_before);
    let written = Row {
        latency: Spread::of(vec![took]),
        server_peak_kib: Some(world.usage()?.peak_kib),
        disk_bytes_each: Some(number(grown) / number(absent.count)),
        remark: Some(format!(
            "all files of the server {} MB",
            world.disk_bytes()? / 1_000_000
        )),
        ..Row::of(format!("all {} tasks durable", absent.count), vec![round])
    };
    Ok((job, vec![Row::once("createJob answered", answered), written]))
}

async fn restart(world: &mut World, job: &str) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (killed, how) in [(false, "stopped in order"), (true, "killed")] {
        let begun = Instant::now();
        world.server.end(killed).await?;
        if !killed {
            rows.push(Row::once("stop", begun.elapsed()));
        }
        let begun = Instant::now();
        world.start_again().await?;
        let ready = Row::once(format!("ready again, {how}"), begun.elapsed());
        world.client.statistics(job).await?;
        rows.push(Row {
            server_peak_kib: Some(world.usage()?.peak_kib),
            server_us: None,
            ..ready.remark(format!(
                "statistics known after {:.1} ms",
                begun.elapsed().as_secs_f64() * 1000.0
            ))
        });
    }
    Ok(rows)
}

async fn cancel(world: &World, absent: &Absent, job: &str) -> anyhow::Result<Vec<Row>> {
    world.reset_peak()?;
    let meter = Meter::start(world, None)?;
    let begun = meter.begun();
    world.client.cancel_tasks(job, None).await?;
    let answered = begun.elapsed();
    absent.ended(world, job, |count| count.canceled).await?;
    let took = begun.elapsed();
    let round = meter.stop(absent.count, world, None)?;
    let settled = Row {
        latency: Spread::of(vec![took]),
        server_peak_kib: Some(world.usage()?.peak_kib),
        ..Row::of("all tasks cancelled", vec![round])
    };
    Ok(vec![Row::once("cancelTask answered", answered), settled])
}

async fn expire(world: &World, absent: &Absent, ttl: u32) -> anyhow::Result<Vec<Row>> {
    let (job, _) = absent.create(world, ttl).await?;
    absent.written(world, &job).await?;
    let created = world.client.get_job(&job).await?.create_timestamp;
    let deadline = created + i64::from(ttl) * 1000;
    let left = deadline - jiff::Timestamp::now().as_millisecond();
    ensure!(
        left > 0,
        "the tasks were written {} ms after their time was over: --ttl",
        -left
    );
    tokio::time::sleep(Duration::from_millis(u64::try_from(left)?)).await;
    world.reset_peak()?;
    let meter = Meter::start(world, None)?;
    absent.ended(world, &job, |count| count.ttl_timeout).await?;
    let took = meter.begun().elapsed();
    let round = meter.stop(absent.count, world, None)?;
    Ok(vec![Row {
        latency: Spread::of(vec![took]),
        server_peak_kib: Some(world.usage()?.peak_kib),
        ..Row::of("all tasks expired, from the deadline", vec![round])
    }])
}
