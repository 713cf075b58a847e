//! A server with a thing model, a product and devices, for one part of the benchmark.

use std::path::Path;
use std::time::Duration;

use aldis_client::{Client, CommandInfo, NewDevice, NewProduct, ThingModel};
use aldis_simulator::{DeviceIdentity, Fleet, FleetHandle, FleetOptions};
use anyhow::{Context as _, bail};
use serde_json::{Map, json};
use tokio::time::{sleep, timeout};

use crate::local_server::LocalServer;
use crate::registration::register;

pub(super) const PRODUCT: &str = "bench";
const MODEL: &str = "bench-model";
/// More than any part needs on a slow machine; beyond it something is wrong.
pub(super) const PATIENCE: Duration = Duration::from_secs(300);

pub(super) struct World {
    pub(super) server: LocalServer,
    pub(super) client: Client,
}

impl World {
    pub(super) async fn start(dir: Option<&Path>) -> anyhow::Result<Self> {
        let server = LocalServer::start("bench", dir).await?;
        let client = server.client()?;
        let ping = json!({"identifier": "ping", "name": {"defaultValue": "ping"}, "inputData": [], "outputData": []});
        let model = ThingModel {
            services: Some(Map::from_iter([("ping".to_owned(), ping)])),
            ..ThingModel::new(MODEL, "Benchmark")
        };
        client.create_model(&model).await?;
        let product = NewProduct {
            product_key: Some(PRODUCT.to_owned()),
            ..NewProduct::new("Benchmark", MODEL)
        };
        client.create_product(&product).await?;
        Ok(Self { server, client })
    }

    pub(super) async fn register(&self, count: usize) -> anyhow::Result<Vec<DeviceIdentity>> {
        register(&self.client, &vec![NewDevice::new(PRODUCT, "bench"); count]).await
    }

    /// Connects devices and waits until all are.
    pub(super) async fn connect(
        &self,
        devices: Vec<DeviceIdentity>,
        options: FleetOptions,
    ) -> anyhow::Result<FleetHandle> {
        let fleet = Fleet::start(self.server.mqtt, devices, options)?;
        tokio::select! {
            all = fleet.all_connected() => { all?; }
            put_off = fleet.wait_until(|counts| counts.put_off > 0) => bail!(
                "{} of {} devices are connected, and the server has no room for more: each takes an open file, and \
                 `ulimit -Hn` says how many there may be",
                put_off.connected, fleet.size(),
            ),
            () = sleep(PATIENCE) => bail!("only {} of {} devices are connected", fleet.counts().connected, fleet.size()),
        }
        Ok(fleet)
    }
}

/// The command that every part sends.
pub(super) fn ping() -> CommandInfo {
    CommandInfo::service("ping", json!({}))
}

/// Waits until the server has acknowledged so many replies: each has been committed before.
pub(super) async fn acknowledged(fleet: &FleetHandle, replies: u64) -> anyhow::Result<()> {
    let done = timeout(
        PATIENCE,
        fleet.wait_until(move |counts| counts.replies_acknowledged >= replies),
    )
    .await;
    done.context("replies are missing")?;
    Ok(())
}
