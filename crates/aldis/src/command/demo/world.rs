//! What the demo's jobs need: a thing model, a product, devices, most of them connected.

use std::time::{Duration, Instant};

use aldis_client::{Client, NewDevice, NewProduct, Search, ThingModel};
use aldis_simulator::{DeviceIdentity, Fleet, FleetHandle, FleetOptions, Journal};
use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{sleep, timeout};

use super::fleet::{DeviceKind, Devices, Heard};
use super::stage::Stage;
use crate::local_server::LocalServer;
use crate::registration::register;

/// The names that the specification page's request uses.
pub(super) const PRODUCT: &str = "productKey";
const FIRST_DEVICE: &str = "deviceKey";
const MODEL: &str = "modelId";
/// How often the server is asked how many devices are online.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// The devices that are there.
pub(super) struct World {
    pub(super) fleet: FleetHandle,
    pub(super) journal: Journal,
    pub(super) heard: UnboundedReceiver<Heard>,
    /// All devices, in the order of their places.
    pub(super) devices: Vec<DeviceIdentity>,
}

/// Registers everything and connects the devices; those that shall be offline come and leave again.
pub(super) async fn build(stage: Stage, server: &LocalServer, client: &Client, size: usize) -> anyhow::Result<World> {
    let begun = Instant::now();
    client.create_model(&model()).await?;
    let product = NewProduct {
        product_key: Some(PRODUCT.to_owned()),
        ..NewProduct::new("Demo product", MODEL)
    };
    client.create_product(&product).await?;
    let devices = register(client, &(0..size).map(new_device).collect::<Vec<_>>()).await?;
    stage.show(
        "prepared",
        format_args!(
            "thing model {MODEL}, product {PRODUCT}, {size} devices registered in {:.2} s",
            begun.elapsed().as_secs_f64()
        ),
    );
    let world = connect(stage, server, devices).await?;
    await_presence(client, world.fleet.size()).await?;
    Ok(world)
}

async fn connect(stage: Stage, server: &LocalServer, devices: Vec<DeviceIdentity>) -> anyhow::Result<World> {
    let (heard_from, heard) = unbounded_channel();
    let (places, leaving): (Vec<_>, Vec<_>) =
        (0..devices.len()).partition(|&index| DeviceKind::of(index) != DeviceKind::Offline);
    let named =
        |places: &[usize]| -> Vec<_> { places.iter().filter_map(|&place| devices.get(place).cloned()).collect() };
    let (staying, leaving) = (named(&places), named(&leaving));
    let journal = Journal::new();
    let options = FleetOptions {
        journal: Some(journal.clone()),
        ..FleetOptions::with(Devices {
            places,
            heard: heard_from,
        })
    };
    let begun = Instant::now();
    let gone = leaving.len();
    let brief = FleetOptions {
        journal: Some(journal.clone()),
        ..FleetOptions::default()
    };
    let brief = Fleet::start(server.mqtt, leaving, brief)?;
    all_connected(stage, &brief).await?;
    brief.stop().await;
    let fleet = Fleet::start(server.mqtt, staying, options)?;
    all_connected(stage, &fleet).await?;
    stage.show(
        "connected",
        format_args!(
            "{} devices over MQTT in {:.2} s; {gone} others were there and have left",
            fleet.size(),
            begun.elapsed().as_secs_f64(),
        ),
    );
    Ok(World {
        fleet,
        journal,
        heard,
        devices,
    })
}

/// A fleet that takes longer than this does not come.
fn patience(devices: usize) -> Duration {
    Duration::from_secs(30) + Duration::from_millis(10) * u32::try_from(devices).unwrap_or(u32::MAX)
}

async fn all_connected(stage: Stage, fleet: &FleetHandle) -> anyhow::Result<()> {
    let mut progress = stage.progress(fleet.size());
    let connected = timeout(patience(fleet.size()), fleet.all_connected());
    tokio::pin!(connected);
    let outcome = loop {
        tokio::select! {
            outcome = &mut connected => break outcome,
            () = sleep(Duration::from_millis(100)) => {
                progress.show(fleet.counts().connected, fleet.size(), "devices connected");
            }
        }
    };
    progress.end();
    match outcome {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(refused)) => Err(refused.into()),
        Err(_elapsed) => {
            let counts = fleet.counts();
            let (connected, size, put_off) = (counts.connected, fleet.size(), counts.put_off);
            bail!("only {connected} of {size} devices are connected; for {put_off} the server had no room")
        }
    }
}

/// The server must have noticed who has left before the job decides who is there.
async fn await_presence(client: &Client, online: usize) -> anyhow::Result<()> {
    let search = Search::page(Some(&format!("productKey = '{PRODUCT}' and status = 'online'")), 1, 0);
    let seen = async {
        loop {
            let page = client.search_devices(&search).await?;
            let total = page.pagination.map(|info| info.total_size);
            if total == u64::try_from(online).ok() {
                return anyhow::Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
    };
    timeout(patience(0), seen)
        .await
        .context("the server sees another number of devices online")?
}

fn new_device(index: usize) -> NewDevice {
    let key = match index {
        0 => FIRST_DEVICE.to_owned(),
        _ => format!("device-{index:04}"),
    };
    NewDevice {
        device_key: Some(key.clone()),
        ..NewDevice::new(PRODUCT, key)
    }
}

fn model() -> ThingModel {
    let named = |identifier: &str| json!({"identifier": identifier, "name": {"defaultValue": identifier}});
    let with = |mut definition: Value, field: &str, value: Value| {
        definition[field] = value;
        definition
    };
    let number = |identifier| with(named(identifier), "dataType", json!("INT"));
    let input = with(number("input"), "required", json!(true));
    let service = with(named("serviceId"), "inputData", json!([input]));
    let service = with(service, "outputData", json!([number("output")]));
    let setpoint = with(named("setpoint"), "dataType", json!("DOUBLE"));
    ThingModel {
        services: Some(Map::from_iter([("serviceId".to_owned(), service)])),
        measurepoints: Some(Map::from_iter([("setpoint".to_owned(), setpoint)])),
        ..ThingModel::new(MODEL, "Demo model")
    }
}
