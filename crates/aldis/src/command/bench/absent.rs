//! Devices that are registered and never there, and the jobs that wait for them.

use std::time::{Duration, Instant};

use aldis_client::{NewDevice, Search, StatusCount, TargetScope};
use anyhow::Context as _;
use tokio::time::{sleep, timeout};

use super::meter::Meter;
use super::row::Row;
use super::world::{PATIENCE, World, job, waiting};
use crate::registration::{CHUNK, register};

/// How often the server is asked whether it is done; asking costs it something, and decides how exact the figure is.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// All devices of a product.
pub(super) struct Absent {
    product: &'static str,
    pub(super) count: u64,
    pub(super) last: Last,
}

/// The device that was registered last, whose task is written last.
pub(super) struct Last {
    pub(super) device_key: String,
}

impl Absent {
    /// Makes the product and registers its devices; the row tells how fast.
    pub(super) async fn register(world: &World, product: &'static str, count: usize) -> anyhow::Result<(Self, Row)> {
        world.product(product).await?;
        let meter = Meter::start(world, None)?;
        let mut last = None;
        for begin in (0..count).step_by(CHUNK) {
            let some = vec![NewDevice::new(product, "bench"); CHUNK.min(count - begin)];
            last = register(&world.client, &some).await?.pop();
        }
        let count = u64::try_from(count)?;
        let round = meter.stop(count, world, None)?;
        let device_key = last.context("no device")?.device_key;
        let last = Last { device_key };
        Ok((
            Self { product, count, last },
            Row::of("registering devices", vec![round]),
        ))
    }

    /// Creates a job for all of them, whose commands wait so long; its id, and how long the call took.
    pub(super) async fn create(&self, world: &World, ttl_seconds: u32) -> anyhow::Result<(String, Duration)> {
        let request = waiting(job(TargetScope::products([self.product])), ttl_seconds);
        let begun = Instant::now();
        let job = world.client.create_job(&request).await?.data;
        Ok((job, begun.elapsed()))
    }

    /// Waits until all tasks of a job can be found, and so are durable.
    pub(super) async fn written(&self, world: &World, job: &str) -> anyhow::Result<()> {
        let last = format!(
            "jobId = '{job}' and productKey = '{}' and deviceKey = '{}'",
            self.product, self.last.device_key
        );
        let all = async {
            self.found(world, &last, 1).await?;
            self.found(world, &format!("jobId = '{job}' and status = 'QUEUED'"), self.count)
                .await
        };
        timeout(PATIENCE, all).await.context("tasks are missing")?
    }

    async fn found(&self, world: &World, expression: &str, wanted: u64) -> anyhow::Result<()> {
        let search = Search::page(Some(expression), 1, 0);
        loop {
            let found = world.client.search_tasks(&search).await?.pagination;
            if found.is_some_and(|found| found.total_size >= wanted) {
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until all tasks of a job have ended in one way.
    pub(super) async fn ended(
        &self,
        world: &World,
        job: &str,
        way: impl Fn(&StatusCount) -> u64,
    ) -> anyhow::Result<()> {
        let all = async {
            while way(&world.client.statistics(job).await?.data) < self.count {
                sleep(LOOK_EVERY).await;
            }
            anyhow::Ok(())
        };
        timeout(PATIENCE, all).await.context("tasks do not end")?
    }
}
