//! A server with a thing model, a product and devices, for one scenario.

use std::path::Path;
use std::time::Duration;

use aldis_client::{
    Client, CommandInfo, NewDevice, NewJob, NewProduct, RetryPolicy, TargetScope, ThingModel, TimeoutPolicy,
};
use aldis_simulator::{DeviceIdentity, FleetPlan, Usage};
use anyhow::Context as _;
use serde_json::{Map, json};

use super::load::Answers;
use crate::local_server::LocalServer;
use crate::registration::register;

pub(super) const PRODUCT: &str = "bench";
const MODEL: &str = "bench-model";
/// More than any part needs on a slow machine; beyond it something is wrong.
pub(super) const PATIENCE: Duration = Duration::from_secs(300);
/// How long commands wait for devices that are there.
const TTL_SECONDS: u32 = 20;
const REPLY_SECONDS: u32 = 60;
/// The most that a job may order.
const RETRIES: u32 = 10;

pub(super) struct World {
    pub(super) server: LocalServer,
    pub(super) client: Client,
}

impl World {
    pub(super) async fn start(dir: Option<&Path>) -> anyhow::Result<Self> {
        Self::start_with(dir, &[]).await
    }

    /// With flags for the server.
    pub(super) async fn start_with(dir: Option<&Path>, flags: &'static [&'static str]) -> anyhow::Result<Self> {
        let server = LocalServer::start_with("bench", dir, flags).await?;
        let client = server.client()?;
        let ping = json!({"identifier": "ping", "name": {"defaultValue": "ping"}, "inputData": [], "outputData": []});
        let model = ThingModel {
            services: Some(Map::from_iter([("ping".to_owned(), ping)])),
            ..ThingModel::new(MODEL, "Benchmark")
        };
        client.create_model(&model).await?;
        let world = Self { server, client };
        world.product(PRODUCT).await?;
        Ok(world)
    }

    /// Starts the server that has been ended.
    pub(super) async fn start_again(&mut self) -> anyhow::Result<()> {
        self.server.start_again().await?;
        self.client = self.server.client()?;
        Ok(())
    }

    /// Makes a product.
    pub(super) async fn product(&self, key: &str) -> anyhow::Result<()> {
        let product = NewProduct {
            product_key: Some(key.to_owned()),
            ..NewProduct::new("Benchmark", MODEL)
        };
        self.client.create_product(&product).await?;
        Ok(())
    }

    /// Registers devices of a product.
    pub(super) async fn register(&self, product: &str, count: usize) -> anyhow::Result<Vec<DeviceIdentity>> {
        register(&self.client, &vec![NewDevice::new(product, "bench"); count]).await
    }

    /// A fleet for this server.
    pub(super) fn plan(&self, answers: &Answers) -> FleetPlan {
        FleetPlan {
            pause_ms: (*answers.pause.start(), *answers.pause.end()),
            failing: answers.failing,
            ..FleetPlan::new(self.server.mqtt)
        }
    }

    /// What the server has used.
    pub(super) fn usage(&self) -> anyhow::Result<Usage> {
        Ok(Usage::of(self.pid()?)?)
    }

    /// Lets its peak of memory start anew.
    pub(super) fn reset_peak(&self) -> anyhow::Result<()> {
        Ok(Usage::reset_peak(self.pid()?)?)
    }

    fn pid(&self) -> anyhow::Result<u32> {
        self.server.pid().context("the server has ended")
    }

    /// The bytes of its files.
    pub(super) fn disk_bytes(&self) -> anyhow::Result<u64> {
        let sizes = std::fs::read_dir(self.server.data())?.map(|entry| Ok(entry?.metadata()?.len()));
        sizes.sum()
    }
}

/// A job that sends the one command to these targets.
pub(super) fn job(targets: TargetScope) -> NewJob {
    let command = CommandInfo::service("ping", json!({}));
    let job = NewJob::new("benchmark", targets, command);
    waiting(job, TTL_SECONDS)
}

/// The same for the devices of the one product, which are connected and answer so.
pub(super) fn product_job(answers: &Answers) -> NewJob {
    NewJob {
        retry_policy: (answers.failing > 0.0).then_some(RetryPolicy {
            enable_retry: true,
            retry_interval_in_seconds: Some(0),
            retry_count: Some(RETRIES),
        }),
        ..job(TargetScope::products([PRODUCT]))
    }
}

/// The same job, whose commands wait so long for their devices.
pub(super) fn waiting(job: NewJob, ttl_seconds: u32) -> NewJob {
    NewJob {
        timeout_policy: Some(TimeoutPolicy {
            in_progress_timeout_in_seconds: Some(REPLY_SECONDS),
            ttl_timeout_in_seconds: Some(ttl_seconds),
        }),
        ..job
    }
}
