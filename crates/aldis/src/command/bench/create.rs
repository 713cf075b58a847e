//! Many jobs for one absent device each: how many calls a second are answered, each of them after its job is durable.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aldis_client::{Search, Target, TargetScope};
use aldis_simulator::DeviceIdentity;
use anyhow::ensure;
use clap::Args;
use tokio::task::JoinSet;

use super::caller::{Caller, Signer};
use super::figures::{Spread, number};
use super::meter::Meter;
use super::row::{Round, Row};
use super::world::{PRODUCT, World, job, waiting};
use crate::exit::usage;

const COMMANDS: &str = "/connect-service/v2.5/commands";
/// Two days, the most that the API takes.
const TTL_SECONDS: u32 = 172_800;
/// The most tasks that wait for one device.
const WAITING_MAX: usize = 50;
/// How many times fewer calls a caller makes in the same time if it waits for each answer.
const ALONE: usize = 10;

#[derive(Debug, Clone, Args)]
pub(super) struct Create {
    /// Registered devices, none of them connected
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(super) devices: usize,
    /// Calls of a round; a single caller makes a tenth of them
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub(super) calls: usize,
    /// Callers at the same time; several numbers are measured one after another
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,64")]
    pub(super) callers: Vec<usize>,
    /// How often
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) rounds: u16,
}

impl Create {
    pub(super) async fn measure(&self, dir: Option<&Path>) -> anyhow::Result<Vec<Row>> {
        let all: usize = self.callers.iter().map(|callers| self.calls_of(*callers)).sum();
        if all * usize::from(self.rounds) > self.devices * WAITING_MAX {
            return Err(usage(
                "at most 50 tasks wait for one device: more devices or fewer calls",
            ));
        }
        let mut rows = Vec::new();
        for flags in [&["--no-auth"][..], &[]] {
            let world = World::start_with(dir, flags).await?;
            let devices = world.register(PRODUCT, self.devices).await?;
            let calls = Arc::new(Calls::new(&world, &devices, flags.is_empty()).await?);
            for callers in &self.callers {
                rows.push(self.callers(&world, &calls, *callers).await?);
            }
            let found = world.client.search_jobs(&Search::page(None, 1, 0)).await?.pagination;
            let made = u64::try_from(calls.next.load(Ordering::Relaxed))?;
            ensure!(
                found.is_some_and(|found| found.total_size == made),
                "{made} jobs were made: {found:?}"
            );
        }
        Ok(rows)
    }

    fn calls_of(&self, callers: usize) -> usize {
        if callers == 1 {
            self.calls.div_ceil(ALONE)
        } else {
            self.calls
        }
    }

    async fn callers(&self, world: &World, calls: &Arc<Calls>, callers: usize) -> anyhow::Result<Row> {
        world.reset_peak()?;
        let disk_before = world.disk_bytes()?;
        let (mut rounds, mut latencies) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            let (round, durations) = calls.round(world, callers, self.calls_of(callers)).await?;
            rounds.push(round);
            latencies.extend(durations);
        }
        let grown = world.disk_bytes()?.saturating_sub(disk_before);
        let made: u64 = rounds.iter().map(|round| round.count).sum();
        let how = if calls.signer.is_some() { "signed" } else { "--no-auth" };
        Ok(Row {
            latency: Spread::of(latencies),
            server_peak_kib: Some(world.usage()?.peak_kib),
            disk_bytes_each: Some(number(grown) / number(made)),
            ..Row::of(format!("createJob, {callers} callers, {how}"), rounds)
        })
    }
}

/// What is called, and what has been.
struct Calls {
    http: std::net::SocketAddr,
    signer: Option<Arc<Signer>>,
    query: String,
    /// One for each device.
    bodies: Vec<String>,
    next: AtomicUsize,
}

impl Calls {
    async fn new(world: &World, devices: &[DeviceIdentity], signed: bool) -> anyhow::Result<Self> {
        let key = world.server.key()?;
        let signer = match signed {
            true => Some(Signer::new(world.server.http, &key).await?),
            false => None,
        };
        let body = |device: &DeviceIdentity| {
            let target = Target::keys(&device.product_key, &device.device_key);
            serde_json::to_string(&waiting(job(TargetScope::devices([target])), TTL_SECONDS))
        };
        Ok(Self {
            http: world.server.http,
            signer,
            query: format!("action=createJob&orgId={}", key.org_id),
            bodies: devices.iter().map(body).collect::<Result<_, _>>()?,
            next: AtomicUsize::new(0),
        })
    }

    async fn round(
        self: &Arc<Self>,
        world: &World,
        callers: usize,
        count: usize,
    ) -> anyhow::Result<(Round, Vec<Duration>)> {
        let end = self.next.load(Ordering::Relaxed) + count;
        let mut connections = Vec::new();
        for _ in 0..callers {
            connections.push(Caller::connect(self.http, self.signer.clone()).await?);
        }
        let meter = Meter::start(world, None)?;
        let mut running: JoinSet<_> = connections
            .into_iter()
            .map(|caller| Arc::clone(self).call_until(end, caller))
            .collect();
        let mut durations = Vec::new();
        while let Some(done) = running.join_next().await {
            durations.extend(done??);
        }
        self.next.store(end, Ordering::Relaxed);
        Ok((meter.stop(u64::try_from(count)?, world, None)?, durations))
    }

    async fn call_until(self: Arc<Self>, end: usize, mut caller: Caller) -> anyhow::Result<Vec<Duration>> {
        let mut durations = Vec::new();
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= end {
                return Ok(durations);
            }
            let begun = Instant::now();
            let body = &self.bodies[number % self.bodies.len()];
            let answer = caller.post(COMMANDS, &self.query, body).await?;
            durations.push(begun.elapsed());
            let answer = std::str::from_utf8(answer)?;
            ensure!(answer.contains(r#""code":0,"#), "createJob was refused: {answer}");
        }
    }
}
