//! The devices of both sides.

use std::net::SocketAddr;
use std::time::Duration;

use aldis_simulator::{DeviceIdentity, FaultModel, Fleet, FleetHandle, FleetOptions, Subscribes};
use anyhow::{Context as _, ensure};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::time::timeout;

use crate::Args;

/// The thread that every fleet has.
pub(crate) const THREAD: &str = "device-fleet";
/// More than a round needs on a slow machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);
pub(crate) const PRODUCT: &str = "compared";
/// The name of the service that is invoked.
pub(crate) const SERVICE: &str = "ping";
/// Devices settle for a second after they have come.
pub(crate) const SETTLING: Duration = Duration::from_millis(1_500);

/// As many open files as the machine gives.
pub(crate) fn make_room() -> anyhow::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// Connects the devices; to a broker they subscribe.
pub(crate) async fn connect(
    args: &Args,
    mqtt: SocketAddr,
    devices: Vec<DeviceIdentity>,
    subscribes: Subscribes,
) -> anyhow::Result<FleetHandle> {
    let faults = FaultModel {
        latency_ms: 0..=args.pause_ms,
        failure: args.failing,
        ..FaultModel::default()
    };
    let options = FleetOptions {
        subscribes,
        ..FleetOptions::with(faults)
    };
    let fleet = Fleet::start(mqtt, devices, options)?;
    let all = timeout(PATIENCE, fleet.all_connected()).await;
    all.context("the devices do not come in")??;
    tokio::time::sleep(SETTLING).await;
    ensure!(fleet.counts().lost == 0, "devices have lost their links");
    Ok(fleet)
}
