//! The machine's wall clock is wrong or is set, and the process is stopped for a while
//! (docs/decisions/0017-one-clock.md).
//!
//! The wall clock of the real program is set by libfaketime (Debian package `faketime`), which leaves the monotonic
//! clock alone.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aldis_client::TaskStatus;
use aldis_simulator::{Behaviour, DeviceIdentity, FleetOptions, Journal, Received, Recipient};
use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;

use crate::harness::{Plan, Start, World, eventually};

/// Ten years, in seconds.
const YEARS_S: i64 = 10 * 365 * 86_400;

/// The wall clock of a server.
struct Wall {
    directory: TempDir,
}

impl Wall {
    /// A wall clock that is off by a number of seconds, and how a server is started that looks at it.
    fn off_by(seconds: i64) -> (Self, Start) {
        let wall = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        wall.set(seconds);
        let variable = |name: &str, value: &Path| (name.to_owned(), value.to_str().unwrap().to_owned());
        let variables = vec![
            variable("LD_PRELOAD", &library()),
            variable("FAKETIME_TIMESTAMP_FILE", &wall.file()),
            variable("FAKETIME_NO_CACHE", Path::new("1")),
            variable("FAKETIME_DONT_FAKE_MONOTONIC", Path::new("1")),
            variable("FAKETIME_DONT_RESET", Path::new("1")),
        ];
        let start = Start {
            variables,
            ..Start::default()
        };
        (wall, start)
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("offset")
    }

    /// Sets by how many seconds it is off. The server never sees half of the file.
    fn set(&self, seconds: i64) {
        let new = self.directory.path().join("new");
        std::fs::write(&new, format!("{seconds:+}\n")).unwrap();
        std::fs::rename(new, self.file()).unwrap();
    }
}

/// Where Debian puts it.
fn library() -> PathBuf {
    let found = std::fs::read_dir("/usr/lib").unwrap().flatten();
    let candidates = found.map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"));
    let library = candidates.into_iter().find(|path| path.exists());
    library.expect("the Debian package `faketime` is installed (scripts/test does that)")
}

/// Devices that succeed, after this time.
async fn fleet(world: &World, devices: usize, after: Duration) -> (aldis_simulator::FleetHandle, Journal) {
    let devices = world.many_devices(devices).await;
    let journal = Journal::new();
    let answer = move |_: &Recipient<'_>, _: &Received| Behaviour::success(json!({})).after(after);
    let options = FleetOptions {
        journal: Some(journal.clone()),
        ..FleetOptions::with(answer)
    };
    (world.fleet(devices, options).await, journal)
}

async fn ready(world: &World) -> u16 {
    world.api.get("/health/ready", "").await.status
}

async fn until_ready(world: &World, status: u16) {
    eventually("readiness", || async { (ready(world).await == status).then_some(()) }).await;
}

/// A job with default timeouts for the first device, whose task is there at once.
fn plan() -> Plan {
    Plan::device(&DeviceIdentity::new("pump", "d0", ""))
}

/// What `createJob` says beside the job's id.
async fn warned(world: &World) -> (String, String) {
    let answer = world.api.command("createJob", &plan().0).await;
    let word = answer.body["msg"].as_str().unwrap().to_owned();
    (answer.data().as_str().unwrap().to_owned(), word)
}

#[tokio::test]
async fn a_wall_clock_that_is_set_back_ends_no_job() {
    let (wall, start) = Wall::off_by(0);
    let world = World::open_with(start).await;
    let (fleet, _) = fleet(&world, 1, Duration::ZERO).await;
    wall.set(-60);
    eventually("the step in the log", || async {
        world.server.log().contains("the wall clock was set back").then_some(())
    })
    .await;
    let job = world.create(&plan()).await;
    world.task_in(&job, TaskStatus::Succeed).await;
    assert_eq!(ready(&world).await, 200);
    fleet.stop().await;
}

#[tokio::test]
async fn an_hour_ahead_for_a_moment_ends_no_job_and_is_said() {
    let (wall, start) = Wall::off_by(0);
    let world = World::open_with(start).await;
    let (fleet, _) = fleet(&world, 1, Duration::ZERO).await;
    wall.set(3_600);
    until_ready(&world, 503).await;
    let (job, word) = warned(&world).await;
    assert!(word.starts_with("OK; ") && word.contains("in doubt"), "{word}");
    wall.set(0);
    until_ready(&world, 200).await;
    world.task_in(&job, TaskStatus::Succeed).await;
    let (job, word) = warned(&world).await;
    assert_eq!(word, "OK");
    world.task_in(&job, TaskStatus::Succeed).await;
    fleet.stop().await;
}

#[tokio::test]
async fn a_store_of_a_clock_years_ahead_is_held_until_its_operator_accepts_the_clock() {
    let (wall, start) = Wall::off_by(YEARS_S);
    let mut world = World::open_with(start).await;
    let (fleet, _) = fleet(&world, 1, Duration::ZERO).await;
    let waits = world.create(&plan()).await;
    world.task_in(&waits, TaskStatus::Succeed).await;
    wall.set(0);
    world.server.kill_and_start_again();
    assert_eq!(ready(&world).await, 503);
    let (held, word) = warned(&world).await;
    assert!(word.contains("--accept-clock"), "{word}");
    let planned = plan().at(crate::harness::now_ms());
    let refused = world.api.command("createJob", &planned.0).await;
    refused.fails(200, 99_400, "triggerTs");
    world.server.kill_and_start_again_with("--accept-clock");
    assert_eq!(ready(&world).await, 200);
    world.task_in(&held, TaskStatus::Succeed).await;
    // The next start has nothing to hold.
    world.server.kill_and_start_again();
    assert_eq!(ready(&world).await, 200);
    let job = world.create(&plan()).await;
    let task = world.task_in(&job, TaskStatus::Succeed).await;
    assert!(
        task.create_timestamp.abs_diff(crate::harness::now_ms()) < 60_000,
        "{task:?}"
    );
    fleet.stop().await;
}

/// The process is stopped for twice as long as a reply may take. The replies wait in sockets meanwhile.
#[tokio::test]
async fn replies_that_wait_in_sockets_while_the_process_is_stopped_are_in_time() {
    const DEVICES: usize = 10;
    let world = World::open().await;
    let (fleet, journal) = fleet(&world, DEVICES, Duration::from_secs(2)).await;
    let job = world.create(&Plan::product("pump").ttl(600).reply_within(5)).await;
    eventually("commands out", || async { (journal.len() == DEVICES).then_some(()) }).await;
    world.server.send(Signal::STOP);
    tokio::time::sleep(Duration::from_secs(10)).await;
    world.server.send(Signal::CONT);
    world
        .count_when(&job, "answered", |count| count.succeed == DEVICES as u64)
        .await;
    fleet.stop().await;
}
