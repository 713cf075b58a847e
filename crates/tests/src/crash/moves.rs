//! An operator who moves devices from one gateway to another, without pause.

use std::sync::Arc;
use std::time::Duration;

use aldis_client::{Client, DeviceRef};
use aldis_simulator::{DeviceIdentity, Rng};
use tokio::time::sleep;

use super::accounts::Accounts;

/// Between two moves: a gateway has some time to find out what it has.
const PAUSE: Duration = Duration::from_millis(100);

fn name(device: &DeviceIdentity) -> DeviceRef {
    DeviceRef::keys(&device.product_key, &device.device_key)
}

/// Moves until it is stopped. Calls may fail, and a device be under no gateway for a while: the next move of it sets
/// that right.
pub(super) async fn move_for_ever(
    client: Client,
    gateways: Vec<DeviceIdentity>,
    devices: Vec<DeviceIdentity>,
    seed: u64,
    accounts: Arc<Accounts>,
) {
    let mut rng = Rng::for_case(seed, ["crash", "moves"], 0);
    loop {
        let (Some(device), Some(to)) = (rng.pick(&devices), rng.pick(&gateways)) else {
            return;
        };
        if let Ok(found) = client.gateway_of(&name(device)).await {
            accounts.note_move(&device.device_key);
            if let Some(from) = found.data {
                let from = DeviceRef::keys(&from.product_key, &from.device_key);
                // Whether that was done shows when the device is put somewhere else.
                let _refused = client.remove_sub_devices(&from, &[name(device)]).await;
            }
            let _refused = client.add_sub_devices(&name(to), &[name(device)]).await;
        }
        sleep(PAUSE).await;
    }
}
