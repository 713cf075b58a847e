//! When the server is killed, and what that came to.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use aldis_client::{Client, Search};
use aldis_simulator::Rng;
use anyhow::{Context as _, bail};
use serde::Serialize;
use tokio::time::sleep;

use super::Options;
use super::accounts::Accounts;
use super::checks::Evidence;
use super::fleet::Devices;
use super::server::Server;

/// With fewer commands out than this, a kill proves little.
const MOVING_MIN: u64 = 100;
/// How long commands gather.
const MOVING_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// What devices have or may have; what only waits for its device is not counted.
const MOVING: &str = "status in ('PUBLISHED', 'IN_PROGRESS')";

/// What a run came to.
#[derive(Debug, Default, Serialize)]
pub struct Figures {
    kills: u32,
    /// Commands out at each kill, the fewest and the middle.
    moving_min: u64,
    moving_median: u64,
    ready_ms_median: u64,
    ready_ms_max: u64,
    calls: u64,
    calls_refused: u64,
    calls_unanswered: u64,
    jobs: usize,
    single_commands: usize,
    tasks: usize,
    attempts_received: usize,
    replies_acknowledged_to_witnesses: usize,
    /// Devices let in for the first time, and activations that a kill cut off.
    newcomers: usize,
    activations_cut_off: u64,
    #[serde(skip)]
    moving: Vec<u64>,
    #[serde(skip)]
    ready: Vec<u64>,
}

/// The moments to kill at.
#[derive(Debug, Clone, Copy)]
enum Aim {
    /// Whenever.
    Anywhere,
    /// While a job is being created.
    InCreation,
    /// While the devices are coming back.
    InStorm,
    /// As `Anywhere`, and again before the next start has come to its end.
    InStart,
}

pub(super) struct Killer {
    kills: u32,
    rng: Rng,
    accounts: Arc<Accounts>,
    figures: Figures,
}

impl Killer {
    pub(super) fn new(options: &Options, accounts: Arc<Accounts>) -> Self {
        Self {
            kills: options.kills,
            rng: Rng::for_case(options.seed, ["crash", "killer"], 0),
            accounts,
            figures: Figures::default(),
        }
    }

    pub(super) async fn kill(
        mut self,
        server: &mut Server,
        client: &Client,
        devices: &Devices,
    ) -> anyhow::Result<Figures> {
        for _ in 0..self.kills {
            let aim = [Aim::Anywhere, Aim::InCreation, Aim::InStorm, Aim::InStart][self.upto(3)];
            let moving = self.wait_for(aim, client, devices).await?;
            server.kill().await?;
            if matches!(aim, Aim::InStart) {
                server.start_and_kill(Duration::from_millis(self.ms(40))).await?;
            }
            let ready = server.start_again().await?;
            self.figures.moving.push(moving);
            self.figures.ready.push(u64::try_from(ready.as_millis())?);
        }
        self.figures.kills = self.kills;
        Ok(self.figures)
    }

    /// Waits for the moment; how much was moving right before it.
    async fn wait_for(&mut self, aim: Aim, client: &Client, devices: &Devices) -> anyhow::Result<u64> {
        let begun = Instant::now();
        loop {
            match aim {
                Aim::Anywhere | Aim::InStart => sleep(Duration::from_millis(self.ms(800))).await,
                Aim::InCreation => {}
                Aim::InStorm => devices.connected(self.ms(100), Duration::from_millis(300)).await,
            }
            // A call that fails is one that the previous kill has broken.
            let moving = count(client, MOVING).await.unwrap_or(0);
            if moving >= MOVING_MIN {
                if matches!(aim, Aim::InCreation) {
                    self.meet_creation().await;
                }
                return Ok(moving);
            }
            if begun.elapsed() > MOVING_WITHIN {
                bail!("only {moving} commands are moving: nothing to be learnt from a kill");
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Waits for the next call that creates a job, and a little longer.
    async fn meet_creation(&mut self) {
        let before = self.accounts.creations();
        let begun = Instant::now();
        while self.accounts.creations() == before && begun.elapsed() < Duration::from_secs(1) {
            sleep(Duration::from_micros(200)).await;
        }
        sleep(Duration::from_micros(self.ms(4_000))).await;
    }

    fn ms(&mut self, most: u64) -> u64 {
        self.rng.within(&(0..=most))
    }

    fn upto(&mut self, last: u64) -> usize {
        usize::try_from(self.ms(last)).unwrap_or(0)
    }
}

/// Waits until every task of every job has ended.
pub(super) async fn all_final(client: &Client, within: Duration) -> anyhow::Result<()> {
    let begun = Instant::now();
    let open = "status in ('INIT', 'QUEUED', 'PUBLISHED', 'IN_PROGRESS')";
    loop {
        let tasks = count(client, open).await.context("asking for open tasks")?;
        let jobs = client
            .search_jobs(&Search::page(Some("status in ('INIT', 'IN_PROGRESS')"), 1, 0))
            .await?;
        let jobs = jobs.pagination.map_or(0, |page| page.total_size);
        if tasks == 0 && jobs == 0 {
            return Ok(());
        }
        if begun.elapsed() > within {
            bail!("{tasks} tasks and {jobs} jobs do not come to their end");
        }
        sleep(Duration::from_millis(200)).await;
    }
}

async fn count(client: &Client, expression: &str) -> anyhow::Result<u64> {
    let found = client.search_tasks(&Search::page(Some(expression), 1, 0)).await?;
    Ok(found.pagination.context("no page")?.total_size)
}

impl Figures {
    pub(super) fn count(&mut self, evidence: &Evidence) {
        let middle = |values: &mut Vec<u64>| {
            values.sort_unstable();
            values.get(values.len() / 2).copied().unwrap_or_default()
        };
        self.moving_median = middle(&mut self.moving);
        self.ready_ms_median = middle(&mut self.ready);
        self.moving_min = self.moving.first().copied().unwrap_or_default();
        self.ready_ms_max = self.ready.last().copied().unwrap_or_default();
        self.jobs = evidence.jobs.len();
        self.single_commands = evidence.told.commands.len();
        self.tasks = evidence.tasks.len();
        self.attempts_received = evidence.received.len();
        self.replies_acknowledged_to_witnesses = evidence.acts.acknowledged.len();
        self.newcomers = evidence.newcomers.let_in.len();
        self.activations_cut_off = evidence.newcomers.cut_off;
    }

    pub(super) fn count_calls(&mut self, accounts: &Accounts) {
        self.calls = accounts.calls.load(Ordering::Relaxed);
        self.calls_refused = accounts.refused.load(Ordering::Relaxed);
        self.calls_unanswered = accounts.unanswered.load(Ordering::Relaxed);
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "kills                    {}", self.kills)?;
        writeln!(
            f,
            "commands out             {} at least, {} at half of them",
            self.moving_min, self.moving_median
        )?;
        writeln!(
            f,
            "ready again              {} ms (half), {} ms (slowest)",
            self.ready_ms_median, self.ready_ms_max
        )?;
        writeln!(
            f,
            "calls                    {}, {} refused, {} unanswered",
            self.calls, self.calls_refused, self.calls_unanswered
        )?;
        writeln!(f, "jobs, tasks              {}, {}", self.jobs, self.tasks)?;
        writeln!(f, "single commands          {} answered well", self.single_commands)?;
        writeln!(f, "attempts received        {}", self.attempts_received)?;
        writeln!(
            f,
            "newcomers let in         {}, activation cut off {} times",
            self.newcomers, self.activations_cut_off
        )?;
        write!(
            f,
            "acknowledged and checked {} replies",
            self.replies_acknowledged_to_witnesses
        )
    }
}
