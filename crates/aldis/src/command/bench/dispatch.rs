//! Jobs for many connected devices: from the first call until the last reply is durable and acknowledged.

use std::path::Path;
use std::time::Duration;

use aldis_client::{NewJob, TaskStatus};
use anyhow::ensure;
use clap::Args;
use tokio::time::sleep;

use super::figures::{Spread, number};
use super::fleets::Fleets;
use super::load::Answers;
use super::meter::Meter;
use super::row::{Round, Row};
use super::world::{PATIENCE, World, product_job};

/// How often jobs are looked at whose retries are awaited.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How large, how often.
#[derive(Debug, Clone, Args)]
pub(super) struct Size {
    /// Connected devices; several numbers are measured one after another
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1000,10000")]
    pub(super) devices: Vec<usize>,
    /// How often, on the same connections
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) rounds: u16,
    /// Processes that the devices are spread over
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) fleets: usize,
    #[command(flatten)]
    pub(super) answers: Answers,
}

/// Several jobs at once.
#[derive(Debug, Clone, Args)]
pub(super) struct Jobs {
    /// Jobs that are created one after another, without waiting for their tasks
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=50))]
    pub(super) jobs: u16,
    #[command(flatten)]
    pub(super) size: Size,
}

impl Jobs {
    pub(super) async fn measure(&self, dir: Option<&Path>) -> anyhow::Result<Vec<Row>> {
        let mut rows = Vec::new();
        for devices in &self.size.devices {
            rows.push(self.one(dir, *devices).await?);
        }
        Ok(rows)
    }

    async fn one(&self, dir: Option<&Path>, devices: usize) -> anyhow::Result<Row> {
        let Size { rounds, answers, .. } = &self.size;
        let world = World::start(dir).await?;
        let identities = world.register(super::world::PRODUCT, devices).await?;
        let mut fleets = Fleets::connect(identities, self.size.fleets, &world.plan(answers)).await?;
        fleets.settle().await?;
        world.reset_peak()?;
        let disk_before = world.disk_bytes()?;
        let (mut measured, mut latencies) = (Vec::new(), Vec::new());
        for _ in 0..*rounds {
            let (round, jobs) = self.round(&world, &mut fleets).await?;
            measured.push(round);
            latencies = until_success(&world, &jobs).await?;
        }
        let grown = world.disk_bytes()?.saturating_sub(disk_before);
        let tasks: u64 = measured.iter().map(|round| round.count).sum();
        let what = match self.jobs {
            1 => format!("1 job, {devices} devices"),
            jobs => format!("{jobs} jobs, {devices} devices"),
        };
        let first_and_last = first_and_last(&measured);
        Ok(Row {
            latency: Spread::of(latencies),
            server_peak_kib: Some(world.usage()?.peak_kib),
            disk_bytes_each: Some(number(grown) / number(tasks)),
            remark: first_and_last,
            ..Row::of(what, measured)
        })
    }

    async fn round(&self, world: &World, fleets: &mut Fleets) -> anyhow::Result<(Round, Vec<String>)> {
        let job = product_job(&self.size.answers);
        let wanted = fleets.size()?.saturating_mul(self.jobs.into());
        let before = fleets.mark().await?;
        let meter = Meter::start(world, Some(fleets))?;
        let jobs = create(world, &job, self.jobs).await?;
        fleets.acknowledged(self.jobs.into()).await?;
        if self.size.answers.failing > 0.0 {
            until_ended(world, &jobs).await?;
        }
        let round = meter.stop(wanted, world, Some(fleets))?;
        let mut succeeded = 0;
        for job in &jobs {
            let count = world.client.statistics(job).await?.data;
            // Even with retries, one in millions fails eleven times.
            let ended_well = count.succeed + count.failed == count.total;
            ensure!(
                ended_well && count.total == fleets.size()?,
                "tasks did not end: {count:?}"
            );
            succeeded += count.succeed;
        }
        if self.size.answers.failing == 0.0 {
            let sent = fleets.counts().await?.commands - before.commands;
            ensure!(
                succeeded == wanted && sent == wanted,
                "{sent} commands and {succeeded} successes of {wanted} tasks"
            );
        }
        Ok((round, jobs))
    }
}

async fn create(world: &World, job: &NewJob, count: u16) -> anyhow::Result<Vec<String>> {
    let mut jobs = Vec::new();
    for _ in 0..count {
        jobs.push(world.client.create_job(job).await?.data);
    }
    Ok(jobs)
}

/// Waits until no task is retried any more.
async fn until_ended(world: &World, jobs: &[String]) -> anyhow::Result<()> {
    let all = async {
        for job in jobs {
            loop {
                let count = world.client.statistics(job).await?.data;
                if count.ended() == count.total {
                    break;
                }
                sleep(LOOK_EVERY).await;
            }
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, all).await?
}

/// How long each task took from its job's creation to its success, as stored.
async fn until_success(world: &World, jobs: &[String]) -> anyhow::Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    for job in jobs {
        let created = world.client.get_job(job).await?.create_timestamp;
        let mut tasks = world.client.tasks_of(job);
        while let Some(task) = tasks.next().await? {
            if task.status == TaskStatus::Succeed {
                let took = u64::try_from(task.update_timestamp - created).unwrap_or(0);
                latencies.push(Duration::from_millis(took));
            }
        }
    }
    Ok(latencies)
}

/// Whether stored tasks make further ones dearer.
fn first_and_last(rounds: &[Round]) -> Option<String> {
    let (first, last) = (rounds.first()?, rounds.last()?);
    let (first, last) = (first.server_us, last.server_us);
    (rounds.len() > 1).then(|| format!("server µs in the first round {first:.1}, in the last {last:.1}"))
}
