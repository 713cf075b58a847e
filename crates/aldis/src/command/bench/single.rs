//! One command for one device, again and again: alone, while jobs for many others are being sent, and while a job for
//! very many absent ones is written and withdrawn.

use std::path::Path;
use std::time::{Duration, Instant};

use aldis_client::{NewJob, Target, TargetScope};
use aldis_simulator::{Fleet, FleetHandle, FleetOptions, Journal};
use anyhow::Context as _;
use clap::Args;
use tokio::time::{sleep, timeout};

use super::absent::Absent;
use super::busy::{Busy, beside};
use super::figures::Spread;
use super::row::Row;
use super::world::{PATIENCE, World, job};

const ALONE: &str = "bench-alone";
const ABSENT: &str = "bench-absent";
/// Between two commands, so that they do not follow the server's own rhythm.
const PAUSE: Duration = Duration::from_millis(5);
/// Longer than any command of this scenario has to wait for its device.
const TTL_SECONDS: u32 = 86_400;

#[derive(Debug, Clone, Args)]
pub(super) struct Single {
    /// Commands that are measured, one after another
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) commands: u32,
    /// Connected devices that are kept busy with 20 jobs at a time
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    pub(super) devices: usize,
    /// Absent devices that a job is created for and cancelled, again and again
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub(super) absent: usize,
}

impl Single {
    pub(super) async fn measure(&self, dir: Option<&Path>) -> anyhow::Result<Vec<Row>> {
        let world = World::start(dir).await?;
        let lonely = Lonely::start(&world).await?;
        let mut rows = lonely.rows(&world, "alone", self.commands).await?;
        if self.devices > 0 {
            let mut busy = Busy::start(&world, self.devices).await?;
            let what = format!("{} devices busy", self.devices);
            let others = busy.keep_busy(&world);
            rows.extend(beside(others, lonely.rows(&world, &what, self.commands)).await?);
        }
        if self.absent > 0 {
            let (absent, _) = Absent::register(&world, ABSENT, self.absent).await?;
            let what = format!("a job for {} written and cancelled", self.absent);
            let others = write_and_cancel(&world, &absent);
            rows.extend(beside(others, lonely.rows(&world, &what, self.commands)).await?);
        }
        lonely.fleet.stop().await;
        Ok(rows)
    }
}

async fn write_and_cancel(world: &World, absent: &Absent) -> anyhow::Result<()> {
    loop {
        let (job, _) = absent.create(world, TTL_SECONDS).await?;
        absent.written(world, &job).await?;
        world.client.cancel_tasks(&job, None).await?;
        absent.ended(world, &job, |count| count.canceled).await?;
    }
}

/// The device that the commands are for, in this process, so that no moment is lost between it and the clock.
struct Lonely {
    fleet: FleetHandle,
    journal: Journal,
    job: NewJob,
}

impl Lonely {
    async fn start(world: &World) -> anyhow::Result<Self> {
        world.product(ALONE).await?;
        let identities = world.register(ALONE, 1).await?;
        let device = identities.first().context("no device")?;
        let target = Target::keys(&device.product_key, &device.device_key);
        let journal = Journal::new();
        let options = FleetOptions {
            journal: Some(journal.clone()),
            ..FleetOptions::default()
        };
        let fleet = Fleet::start(world.server.mqtt, identities, options)?;
        let job = job(TargetScope::devices([target]));
        let lonely = Self { fleet, journal, job };
        // Not counted: the device settles for a second after its connection.
        lonely.command(world).await?;
        Ok(lonely)
    }

    async fn rows(&self, world: &World, what: &str, commands: u32) -> anyhow::Result<Vec<Row>> {
        let (mut answered, mut delivered, mut durable) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..commands {
            let [call, arrival, reply] = self.command(world).await?;
            answered.push(call);
            delivered.push(arrival);
            durable.push(reply);
            sleep(PAUSE).await;
        }
        let row = |part: &str, durations| Row {
            latency: Spread::of(durations),
            ..Row::new(format!("{part}, {what}"))
        };
        Ok(vec![
            row("call answered", answered),
            row("command at the device", delivered),
            row("success durable", durable),
        ])
    }

    /// How long after the call began it was answered, the device had the command, and its reply was acknowledged.
    async fn command(&self, world: &World) -> anyhow::Result<[Duration; 3]> {
        let due = self.fleet.counts().replies_acknowledged + 1;
        let begun = Instant::now();
        let answer = async {
            world.client.create_job(&self.job).await?;
            anyhow::Ok(begun.elapsed())
        };
        let reply = async {
            let acknowledged = self.fleet.wait_until(|counts| counts.replies_acknowledged >= due);
            timeout(PATIENCE, acknowledged).await.context("a reply is missing")?;
            anyhow::Ok(begun.elapsed())
        };
        let (answer, reply) = tokio::try_join!(answer, reply)?;
        let arrived = self.journal.records().last().map(|record| record.at - begun);
        Ok([answer, arrived.context("no command has arrived")?, reply])
    }
}
