//! Thousands of connections to the devices' port that never log in.

use std::cell::Cell;
use std::time::{Duration, Instant};

use aldis_client::TaskStatus;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{Plan, World};
use crate::packets::packet;

/// As many as are opened.
const STRANGERS: usize = 4000;
/// Of these, how many send a byte of a CONNECT every second.
const DRIPPING: usize = 50;
/// What a connection may cost the server.
const BYTES_EACH: u64 = 16 * 1024;
/// The server waits ten seconds for a CONNECT, and has a busy machine.
const ENDED_WITHIN: Duration = Duration::from_secs(25);
/// A command of a device that behaves is done within this time.
const SERVED_WITHIN: Duration = Duration::from_secs(5);

/// A CONNECT that says it is long, and is not finished.
fn half_a_login() -> Vec<u8> {
    let whole = packet(
        0x10,
        &[&b"\x00\x04MQTT\x04\xc2\x00\x3c\x00\x80"[..], &[b'a'; 200]].concat(),
    );
    whole[..60].to_vec()
}

/// Says `first`, then a byte a second if it drips; how long it could.
async fn stranger(mut socket: TcpStream, first: &[u8], drips: bool) -> Duration {
    let begun = Instant::now();
    drop(socket.write_all(first).await);
    let mut told = [0; 64];
    while begun.elapsed() < ENDED_WITHIN {
        match timeout(Duration::from_secs(1), socket.read(&mut told)).await {
            Err(_elapsed) if drips => drop(socket.write_all(b"a").await),
            Err(_elapsed) => {}
            // Closed, or reset.
            Ok(_ended) => break,
        }
    }
    begun.elapsed()
}

#[tokio::test]
async fn connections_that_never_log_in_are_ended_in_time_and_keep_no_device_out() {
    crate::idle::raise_file_limit();
    let world = World::open().await;
    let mut inside = world.connected("inside").await;
    let before = world.server.peak_memory();
    let half = half_a_login();
    let mut strangers = Vec::new();
    for n in 0..STRANGERS {
        let socket = TcpStream::connect(world.server.mqtt).await.unwrap();
        let (first, drips) = match n % 3 {
            0 => (Vec::new(), false),
            1 => (half.clone(), false),
            _ => (half.clone(), n < 3 * DRIPPING),
        };
        strangers.push(tokio::spawn(async move { stranger(socket, &first, drips).await }));
    }
    // Beside all of them, those inside are served and others come in.
    let mut late = world.connected("late").await;
    for device in [&mut inside, &mut late] {
        let begun = Instant::now();
        let job = world.create(&Plan::device(device.identity()).ttl(60)).await;
        let command = device.next_command().await.unwrap();
        device.answer(&command, 200, json!({})).await.unwrap();
        world.task_in(&job, TaskStatus::Succeed).await;
        assert!(begun.elapsed() < SERVED_WITHIN, "{:?}", begun.elapsed());
    }
    for stranger in strangers {
        let took = stranger.await.unwrap();
        assert!(took < ENDED_WITHIN, "{took:?}");
    }
    let grown = world.server.peak_memory() - before;
    assert!(
        grown < STRANGERS as u64 * BYTES_EACH,
        "{} KiB for {STRANGERS} strangers",
        grown / 1024
    );
    inside.ping().await.unwrap();
}

#[tokio::test]
async fn a_storm_of_logins_by_one_device_keeps_no_other_waiting() {
    let world = World::open().await;
    let stormy = world.device("stormy").await;
    let mut good = world.connected("good").await;
    let mqtt = world.server.mqtt;
    let over = Cell::new(false);
    let storm = async {
        let mut logins = 0_u32;
        while !over.get() {
            let all: Vec<_> = (0..100)
                .map(|_| {
                    let identity = stormy.clone();
                    tokio::spawn(async move { aldis_simulator::Device::connected(&identity, mqtt).await })
                })
                .collect();
            for login in all {
                // Each throws out the one before it, perhaps in the midst of its login.
                logins += u32::from(login.await.unwrap().is_ok());
            }
            assert!(logins > 0, "no device gets in");
        }
    };
    let work = async {
        for _ in 0..20 {
            let begun = Instant::now();
            let job = world.create(&Plan::device(good.identity()).ttl(60)).await;
            let command = good.next_command().await.unwrap();
            good.answer(&command, 200, json!({})).await.unwrap();
            world.task_in(&job, TaskStatus::Succeed).await;
            assert!(begun.elapsed() < SERVED_WITHIN, "{:?}", begun.elapsed());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        over.set(true);
    };
    tokio::join!(work, storm);
    // The last one to connect is the one.
    let mut last = world.connect(&stormy).await;
    let job = world.create(&Plan::device(&stormy).ttl(60)).await;
    let command = last.next_command().await.unwrap();
    last.answer(&command, 200, json!({})).await.unwrap();
    world.task_in(&job, TaskStatus::Succeed).await;
}
