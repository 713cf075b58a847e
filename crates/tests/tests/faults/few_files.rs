//! A server that may open few files: devices, callers, database and log share them, and none takes what another needs.

use std::net::SocketAddr;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::harness::{Plan, Start, World, eventually};

const FILES: u32 = 256;
/// More connections than all files, to each listener.
const STRANGERS: usize = 300;
/// A refused connection comes again after this: soon enough to keep every place taken, without taking the processor.
const BETWEEN_CONNECTIONS: Duration = Duration::from_millis(200);

/// Connections that are made again whenever the server ends them, until they are dropped.
struct Crowd(Vec<JoinHandle<()>>);

impl Crowd {
    fn at(to: SocketAddr) -> Self {
        Self((0..STRANGERS).map(|_| tokio::spawn(come_again(to))).collect())
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

async fn come_again(to: SocketAddr) {
    loop {
        if let Ok(mut connected) = TcpStream::connect(to).await {
            // Ends with the connection; what the server says before that does not matter here.
            drop(tokio::io::copy(&mut connected, &mut tokio::io::sink()).await);
        }
        tokio::time::sleep(BETWEEN_CONNECTIONS).await;
    }
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
    let _crowds = (Crowd::at(world.server.http), Crowd::at(world.server.mqtt));
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
}

/// Sets how many files the server may open.
fn may_open(world: &World, files: u64) {
    let pid = Pid::from_raw(i32::try_from(world.server.pid()).unwrap());
    let limit = Rlimit {
        current: Some(files),
        maximum: getrlimit(Resource::Nofile).maximum,
    };
    prlimit(pid, Resource::Nofile, limit).unwrap();
}

#[tokio::test]
async fn listeners_without_a_file_left_go_on_when_there_are_files_again() {
    let world = World::new().await;
    let identity = world.device("d1").await;
    may_open(&world, 1);
    let (callers, others) = (
        TcpStream::connect(world.server.http).await.unwrap(),
        TcpStream::connect(world.server.mqtt).await.unwrap(),
    );
    for told in [
        "HTTP connection could not be accepted",
        "device's connection could not be accepted",
    ] {
        eventually(told, || async { world.server.log().contains(told).then_some(()) }).await;
    }
    drop((callers, others));
    may_open(&world, 4096);
    let mut device = world.connect(&identity).await;
    device.ping().await.unwrap();
    world.api.command("searchJob", &json!({})).await.data();
}
