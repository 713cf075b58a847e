//! The devices: a fleet that misbehaves in every way, and some witnesses that note what the server has acknowledged to
//! them.

use std::sync::Arc;
use std::time::Duration;

use aldis_client::Client;
use aldis_simulator::{
    BackOff, Behaviour, Device, DeviceError, DeviceIdentity, FaultModel, Fleet, FleetHandle, FleetOptions, Handler,
    Received, Recipient, Reply, SUCCESS,
};
use anyhow::Context as _;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::accounts::Accounts;
use super::moves::move_for_ever;
use super::operators::prepare_gateways;
use super::server::Server;

/// Devices that wait for the server's acknowledgement of each reply.
const WITNESSES: usize = 16;
/// Devices behind gateways, which do the same for them.
const SUB_DEVICES: usize = 32;
const SUB_DEVICES_EACH: usize = 8;
/// Commands after which a gateway comes in anew, to see which devices it has now.
const HEARD_MAX: u32 = 20;
/// The code of a login that has succeeded.
const LET_IN: u16 = 200;
/// Shorter than any device's own, so that most are back before the next kill.
const BACK_OFF: BackOff = BackOff {
    first: Duration::from_millis(50),
    longest: Duration::from_millis(400),
};
const CONNECTED_WITHIN: Duration = Duration::from_secs(60);

pub(super) struct Devices {
    fleet: FleetHandle,
    witnesses: JoinSet<()>,
}

impl Devices {
    pub(super) async fn start(
        server: &Server,
        client: &Client,
        identities: &[DeviceIdentity],
        seed: u64,
        accounts: Arc<Accounts>,
    ) -> anyhow::Result<Self> {
        let (watched, others) = identities.split_at(WITNESSES.min(identities.len()));
        let (behind, many) = others.split_at(SUB_DEVICES.min(others.len() / 2));
        let gateways = prepare_gateways(client, behind, SUB_DEVICES_EACH).await?;
        let journal = accounts.journal.clone();
        let options = FleetOptions {
            journal: Some(journal.clone()),
            back_off: BACK_OFF,
            ..FleetOptions::with(Misbehaving {
                faults: faults(seed),
                accounts: Arc::clone(&accounts),
            })
        };
        let fleet = Fleet::start(server.mqtt, many.to_vec(), options)?;
        timeout(CONNECTED_WITHIN, fleet.all_connected())
            .await
            .context("devices do not come in")??;
        let mut witnesses = JoinSet::new();
        let boxes = gateways.iter().map(|(gateway, _)| gateway.clone()).collect();
        witnesses.spawn(move_for_ever(
            client.clone(),
            boxes,
            behind.to_vec(),
            seed,
            Arc::clone(&accounts),
        ));
        let alone = watched.iter().map(|identity| (identity.clone(), Vec::new()));
        // Every gateway tries to have all of them: each is let in where it is under.
        let gateways = gateways.into_iter().map(|(gateway, _)| (gateway, behind.to_vec()));
        for (identity, sub_devices) in alone.chain(gateways) {
            let mut device = Device::new(&identity);
            device.keep_journal(&journal);
            witnesses.spawn(witness(device, sub_devices, server.mqtt, Arc::clone(&accounts)));
        }
        Ok(Self { fleet, witnesses })
    }

    /// Waits until this percentage of the fleet are connected, and no longer than that.
    pub(super) async fn connected(&self, percent: u64, at_most: Duration) {
        let size = u64::try_from(self.fleet.size()).unwrap_or(u64::MAX);
        let enough = self
            .fleet
            .wait_until(move |counts| counts.connected * 100 >= size * percent);
        // A device that is late stays away: that course of events is tested too.
        let _late = timeout(at_most, enough).await;
    }

    pub(super) async fn stop(mut self) {
        self.witnesses.shutdown().await;
        self.fleet.stop().await;
    }
}

fn faults(seed: u64) -> FaultModel {
    FaultModel {
        seed,
        latency_ms: 0..=400,
        failure: 0.12,
        silence: 0.02,
        lost_link: 0.02,
        doubled: 0.05,
        late: 0.02,
        late_by_ms: 2_000..=6_000,
        no_puback: 0.03,
        rubbish: 0.01,
        ..FaultModel::default()
    }
}

struct Misbehaving {
    faults: FaultModel,
    accounts: Arc<Accounts>,
}

impl Handler for Misbehaving {
    fn handle(&mut self, recipient: &Recipient<'_>, command: &Received) -> Behaviour {
        let behaviour = if self.accounts.is_faultless() {
            Behaviour::code(SUCCESS)
        } else {
            self.faults.behaviour(recipient)
        };
        let success = matches!(&behaviour.reply, Reply::Answer(answer) if answer.code == SUCCESS);
        if let Some(id) = command.wire_id().filter(|_| success) {
            self.accounts.acts.lock().succeeded.insert(id);
        }
        behaviour
    }
}

/// Answers well, one command at a time, and notes what was acknowledged, for itself and for the devices behind it.
/// Comes back for ever.
async fn witness(
    mut device: Device,
    sub_devices: Vec<DeviceIdentity>,
    mqtt: std::net::SocketAddr,
    accounts: Arc<Accounts>,
) {
    let is_gateway = !sub_devices.is_empty();
    loop {
        if let Ok(own) = come_in(&mut device, &sub_devices, mqtt, &accounts).await {
            let mut heard = 0;
            while let Ok(command) = device.next_command().await {
                let Some(id) = command.wire_id() else { continue };
                let to = command.reply_topic();
                let place = own.iter().find(|place| to.starts_with(&place.topics));
                if place.is_none() {
                    accounts.acts.lock().astray.insert(id);
                }
                accounts.acts.lock().succeeded.insert(id);
                if device.answer(&command, SUCCESS, json!({})).await.is_err() {
                    break;
                }
                // What is said for a device that is being moved away is acknowledged and dropped.
                if place.is_some_and(|place| accounts.moves(&place.key) == place.moves) {
                    accounts.acts.lock().acknowledged.insert(id);
                }
                heard += 1;
                if is_gateway && heard >= HEARD_MAX {
                    break;
                }
            }
        }
        device.drop_link();
        sleep(BACK_OFF.first).await;
    }
}

/// A device that is in.
struct ConnectedDevice {
    /// With what its topics begin.
    topics: String,
    key: String,
    /// How often it had been moved before it came in.
    moves: u64,
}

impl ConnectedDevice {
    fn of(device: &DeviceIdentity, moves: u64) -> Self {
        Self {
            topics: device.topic(""),
            key: device.device_key.clone(),
            moves,
        }
    }
}

/// Those that are in.
async fn come_in(
    device: &mut Device,
    sub_devices: &[DeviceIdentity],
    mqtt: std::net::SocketAddr,
    accounts: &Accounts,
) -> Result<Vec<ConnectedDevice>, DeviceError> {
    device.connect(mqtt).await?;
    let mut own = vec![ConnectedDevice::of(device.identity(), 0)];
    for sub_device in sub_devices {
        let moves = accounts.moves(&sub_device.device_key);
        if device.log_in(sub_device).await?["code"] == LET_IN {
            own.push(ConnectedDevice::of(sub_device, moves));
        }
    }
    Ok(own)
}
