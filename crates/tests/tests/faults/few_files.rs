//! A server that may open few files: devices, callers, database and log share them, and none takes what another needs.

use std::net::SocketAddr;

use serde_json::json;
use tokio::net::TcpStream;

use crate::harness::{Plan, Start, World, eventually};

const FILES: u32 = 256;
/// More connections than all files, to each listener.
const STRANGERS: usize = 300;

async fn strangers(to: SocketAddr) -> Vec<TcpStream> {
    let mut connected = Vec::new();
    for _ in 0..STRANGERS {
        connected.push(TcpStream::connect(to).await.unwrap());
    }
    connected
}

/// How many files the server has open.
fn open_files(world: &World) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", world.server.pid()))
        .unwrap()
        .count()
}

#[tokio::test]
async fn crowds_at_both_listeners_leave_files_for_devices_calls_and_the_database() {
    let world = World::with(Start {
        open_files: Some(FILES),
        ..Start::default()
    })
    .await;
    let idle = open_files(&world);
    let mut device = world.connected("d1").await;
    let (callers, others) = (strangers(world.server.http).await, strangers(world.server.mqtt).await);
    eventually("connections that are accepted", || async {
        (open_files(&world) >= idle + 150).then_some(())
    })
    .await;
    let job = world
        .create(&Plan::device(device.identity()).ttl(60).reply_within(60))
        .await;
    let command = device.next_command().await.unwrap();
    device.answer(&command, 200, json!({})).await.unwrap();
    world.count_when(&job, "done", |count| count.succeed == 1).await;
    let mut second = world.connected("d2").await;
    second.ping().await.unwrap();
    assert!(open_files(&world) < FILES as usize, "{} files", open_files(&world));
    let log = world.server.log();
    assert!(!log.contains("could not be accepted"), "{log}");
    drop((callers, others));
}
