//! Good devices behind the same address as many with old secrets that never stop trying.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use aldis_simulator::{Device, DeviceIdentity};

use crate::harness::{World, eventually};

/// More than answers to one address are held back at a time, also one with [`GOOD`] good devices.
const WRONG: usize = 150;
const GOOD: usize = 30;
/// This many have been refused once before new devices connect: those left fit into the half of the places that is kept
/// free of devices that were refused before. To wait for the last of them would be to wait for luck.
const REFUSED_ONCE: usize = WRONG * 3 / 4;
/// What the clients with old secrets wait before they try again.
const AGAIN_AFTER: Duration = Duration::from_millis(250);
const NOT_AUTHORIZED: u8 = 5;

/// What has come of the logins with old secrets.
#[derive(Default)]
struct Seen {
    /// Devices that were refused at least once.
    refused: AtomicUsize,
    /// Connections that were closed without an answer.
    unheard: AtomicUsize,
    over: AtomicBool,
}

async fn try_for_ever(identity: DeviceIdentity, at: std::net::SocketAddr, seen: Arc<Seen>) {
    let mut refused = false;
    while !seen.over.load(Ordering::Relaxed) {
        match Device::new(&identity).try_connect(at).await {
            Ok(code) => {
                assert_eq!(code, NOT_AUTHORIZED);
                seen.refused.fetch_add(usize::from(!refused), Ordering::Relaxed);
                refused = true;
            }
            Err(_closed) => {
                seen.unheard.fetch_add(1, Ordering::Relaxed);
            }
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

/// Lets every device come in once; each has to succeed with its first connection.
async fn come_in(world: &World, devices: &[DeviceIdentity]) {
    for identity in devices {
        let connected = Device::connected(identity, world.server.mqtt).await;
        drop(connected.unwrap_or_else(|error| panic!("{identity:?} is kept out: {error}")));
    }
}

#[tokio::test]
async fn good_devices_behind_an_address_full_of_wrong_ones_come_in_at_once() {
    let world = World::new().await;
    let keys = |kind: &str, count: usize| -> Vec<String> { (0..count).map(|n| format!("{kind}{n}")).collect() };
    let known = world.register("pump", &keys("known", GOOD)).await;
    let new = world.register("pump", &keys("new", GOOD)).await;
    let wrong = world.register("pump", &keys("wrong", WRONG)).await;
    come_in(&world, &known).await;

    let seen = Arc::new(Seen::default());
    for identity in wrong {
        let old = DeviceIdentity::new("pump", identity.device_key.as_str(), "an-old-secret".to_owned());
        tokio::spawn(try_for_ever(old, world.server.mqtt, Arc::clone(&seen)));
    }
    let count = |of: fn(&Seen) -> &AtomicUsize, least: usize| {
        let seen = Arc::clone(&seen);
        move || {
            let reached = of(&seen).load(Ordering::Relaxed) >= least;
            std::future::ready(reached.then_some(()))
        }
    };
    eventually("an address that is full", count(|seen| &seen.unheard, 1)).await;
    come_in(&world, &known).await;
    eventually(
        "most wrong devices refused once",
        count(|seen| &seen.refused, REFUSED_ONCE),
    )
    .await;
    come_in(&world, &new).await;
    come_in(&world, &known).await;
    seen.over.store(true, Ordering::Relaxed);
}
