//! One job for many connected devices: from the call until the last reply is durable and acknowledged.

use std::path::Path;
use std::time::{Duration, Instant};

use aldis_client::{NewJob, TargetScope, TaskStatus, TimeoutPolicy};
use aldis_simulator::{FleetOptions, Journal};
use anyhow::ensure;
use serde::Serialize;

use super::figures::{Spread, millis, rate};
use super::world::{PRODUCT, World, acknowledged, ping};

/// What was measured.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Dispatch {
    devices: usize,
    /// Connecting them all, in milliseconds.
    connect_ms: f64,
    /// Each job's duration in milliseconds: from the call until the last of its replies was acknowledged.
    rounds_ms: Vec<f64>,
    /// Tasks a second: of the middle round, and of the slowest and the fastest.
    tasks_per_second: f64,
    tasks_per_second_range: [f64; 2],
    /// From a job's creation to the success of a task, over the tasks of all rounds, as stored by the server.
    until_success: Option<Spread>,
}

pub(super) async fn measure(dir: Option<&Path>, devices: usize, rounds: u32) -> anyhow::Result<Dispatch> {
    let world = World::start(dir).await?;
    let identities = world.register(devices).await?;
    let journal = Journal::new();
    let options = FleetOptions {
        journal: Some(journal.clone()),
        ..FleetOptions::default()
    };
    let begun = Instant::now();
    let fleet = world.connect(identities, options).await?;
    let connect = begun.elapsed();
    // The first round is not counted: devices settle for a second after their connection.
    let (mut durations, mut latencies) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let due = u64::try_from(devices)?.saturating_mul(u64::from(round) + 1);
        let begun = Instant::now();
        let job = world.client.create_job(&request()).await?.data;
        acknowledged(&fleet, due).await?;
        let took = begun.elapsed();
        let measured = until_success(&world, &job, devices).await?;
        if round > 0 {
            durations.push(took);
            latencies.extend(measured);
        }
    }
    ensure!(journal.delivered_twice().is_empty(), "an attempt was delivered twice");
    fleet.stop().await;
    durations.sort_unstable();
    let of = |place: usize| durations.get(place).map_or(0.0, |took| rate(devices, *took));
    Ok(Dispatch {
        devices,
        connect_ms: millis(connect),
        tasks_per_second: of(durations.len() / 2),
        tasks_per_second_range: [of(durations.len() - 1), of(0)],
        rounds_ms: durations.iter().map(|took| millis(*took)).collect(),
        until_success: Spread::of(latencies),
    })
}

fn request() -> NewJob {
    NewJob {
        timeout_policy: Some(TimeoutPolicy {
            in_progress_timeout_in_seconds: Some(60),
            ttl_timeout_in_seconds: Some(60),
        }),
        ..NewJob::new("benchmark", TargetScope::products([PRODUCT]), ping())
    }
}

/// How long each task took, and that each succeeded.
async fn until_success(world: &World, job: &str, devices: usize) -> anyhow::Result<Vec<Duration>> {
    let count = world.client.statistics(job).await?.data;
    ensure!(
        count.succeed == u64::try_from(devices)?,
        "not every task succeeded: {count:?}"
    );
    let created = world.client.get_job(job).await?.create_timestamp;
    let mut tasks = world.client.tasks_of(job);
    let mut latencies = Vec::with_capacity(devices);
    while let Some(task) = tasks.next().await? {
        ensure!(
            task.status == TaskStatus::Succeed,
            "task {} did not succeed",
            task.task_id
        );
        let took = u64::try_from(task.update_timestamp - created).unwrap_or(0);
        latencies.push(Duration::from_millis(took));
    }
    Ok(latencies)
}

impl Dispatch {
    pub(super) fn lines(&self) -> Vec<(&'static str, Option<String>)> {
        let [slowest, fastest] = self.tasks_per_second_range;
        vec![
            (
                "one job, all connected",
                Some(format!(
                    "{} devices, {} rounds: {:.0} tasks/s (rounds from {slowest:.0} to {fastest:.0})",
                    self.devices,
                    self.rounds_ms.len(),
                    self.tasks_per_second,
                )),
            ),
            (
                "  created to success",
                self.until_success.map(|spread| spread.to_string()),
            ),
            (
                "  connecting",
                Some(format!(
                    "{:.0} devices/s",
                    rate(self.devices, Duration::from_secs_f64(self.connect_ms / 1000.0))
                )),
            ),
        ]
    }
}
