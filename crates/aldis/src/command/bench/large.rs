//! A job for a large product whose devices are all absent: how soon it is accepted, how soon all its tasks exist, and what
//! its statistics cost then.

use std::path::Path;
use std::time::{Duration, Instant};

use aldis_client::{NewJob, Search, TargetScope, TimeoutPolicy};
use anyhow::{Context as _, ensure};
use serde::Serialize;
use tokio::time::{sleep, timeout};

use super::figures::{Spread, millis, rate};
use super::world::{PATIENCE, PRODUCT, World, ping};

/// How often the tasks are counted; counting costs the server something, and decides how exact the figure is.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What was measured.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Large {
    devices: usize,
    register_ms: f64,
    /// Until createJob was answered.
    accepted_ms: f64,
    /// Until every task could be found by searchTask.
    created_ms: f64,
    /// One queryJobStatistics after another.
    statistics: Option<Spread>,
}

pub(super) async fn measure(dir: Option<&Path>, devices: usize, calls: u32) -> anyhow::Result<Large> {
    let world = World::start(dir).await?;
    let begun = Instant::now();
    world.register(devices).await?;
    let register = begun.elapsed();
    let request = NewJob {
        timeout_policy: Some(TimeoutPolicy {
            in_progress_timeout_in_seconds: Some(60),
            ttl_timeout_in_seconds: Some(86_400),
        }),
        ..NewJob::new("benchmark", TargetScope::products([PRODUCT]), ping())
    };
    let begun = Instant::now();
    let job = world.client.create_job(&request).await?.data;
    let accepted = begun.elapsed();
    let all = u64::try_from(devices)?;
    let created = timeout(PATIENCE, until_written(&world, &job, all)).await;
    created.context("tasks are missing")??;
    let created = begun.elapsed();
    Ok(Large {
        devices,
        register_ms: millis(register),
        accepted_ms: millis(accepted),
        created_ms: millis(created),
        statistics: Spread::of(statistics(&world, &job, all, calls).await?),
    })
}

async fn until_written(world: &World, job: &str, all: u64) -> anyhow::Result<()> {
    let queued = Search::page(Some(&format!("jobId = '{job}' and status = 'QUEUED'")), 1, 0);
    loop {
        let found = world.client.search_tasks(&queued).await?.pagination;
        if found.is_some_and(|found| found.total_size == all) {
            return Ok(());
        }
        sleep(LOOK_EVERY).await;
    }
}

async fn statistics(world: &World, job: &str, all: u64, calls: u32) -> anyhow::Result<Vec<Duration>> {
    let mut durations = Vec::new();
    for _ in 0..calls {
        let begun = Instant::now();
        let count = world.client.statistics(job).await?.data;
        durations.push(begun.elapsed());
        ensure!(
            (count.total, count.init) == (all, all),
            "the statistics are wrong: {count:?}"
        );
    }
    Ok(durations)
}

impl Large {
    pub(super) fn lines(&self) -> Vec<(&'static str, Option<String>)> {
        let registered = rate(self.devices, Duration::from_secs_f64(self.register_ms / 1000.0));
        vec![
            (
                "one job, all offline",
                Some(format!(
                    "{} devices: accepted in {:.1} ms, all tasks created after {:.0} ms",
                    self.devices, self.accepted_ms, self.created_ms
                )),
            ),
            ("  its statistics", self.statistics.map(|spread| spread.to_string())),
            ("  registering", Some(format!("{registered:.0} devices/s"))),
        ]
    }
}
