//! A log that cannot be written, alone and together with the disk of the data: nothing waits for it, nothing ends of
//! it, and what it has not taken is said later.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use aldis_simulator::{Device, DeviceIdentity};
use serde_json::json;
use tempfile::TempDir;

use crate::disk::{Disk, Fault};
use crate::fleet::create_as;
use crate::harness::{COMMANDS, Plan, Start, World, eventually, exchange, request};

/// Calls and logins that are refused, each with a line in the log as far as it has room.
const REFUSED: usize = 30;
/// A stop may take so long.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// A pipe that the server logs to.
struct Pipe {
    _directory: TempDir,
    path: PathBuf,
    /// The end that this test reads, or does not.
    reader: Option<File>,
}

impl Pipe {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        let mut options = OpenOptions::new();
        let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap();
        let reader = options.read(true).custom_flags(nonblocking).open(&path).unwrap();
        Self {
            _directory: directory,
            path,
            reader: Some(reader),
        }
    }

    /// From now on every write fails.
    fn is_closed(&mut self) {
        self.reader = None;
    }

    /// From now on every write blocks: there is no room, and this end is not read.
    fn is_full(&self) {
        let mut options = OpenOptions::new();
        let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap();
        let mut writer = options.write(true).custom_flags(nonblocking).open(&self.path).unwrap();
        for chunk in [&[b'.'; 4096][..], b"."] {
            while writer.write(chunk).is_ok() {}
        }
    }

    /// What can be read by now.
    fn read(&mut self) -> String {
        let mut read = Vec::new();
        // Ends with the error that there is no more for now.
        drop(self.reader.as_mut().unwrap().read_to_end(&mut read));
        String::from_utf8(read).unwrap()
    }
}

/// How the log fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failing {
    /// Its disk is full.
    Full,
    /// Nothing reads its pipe, and the other end is closed.
    Closed,
    /// Nothing reads its pipe, and the other end is open.
    Unread,
}

struct Broken {
    world: World,
    disk: Disk,
    pipe: Pipe,
    /// On the disk.
    logs: TempDir,
}

impl Broken {
    async fn new(failing: Failing) -> Self {
        let (disk, pipe, logs) = (Disk::new(), Pipe::new(), tempfile::tempdir().unwrap());
        let file = logs.path().join("log");
        drop(File::create(&file).unwrap());
        let stderr = if failing == Failing::Full {
            file
        } else {
            pipe.path.clone()
        };
        let world = World::with(Start {
            stderr: Some(stderr),
            ..disk.start()
        })
        .await;
        Self {
            world,
            disk,
            pipe,
            logs,
        }
    }

    fn log_fails(&mut self, failing: Failing) {
        match failing {
            Failing::Full => self.disk.breaks(Fault::Full, self.logs.path()),
            Failing::Closed => self.pipe.is_closed(),
            Failing::Unread => self.pipe.is_full(),
        }
    }
}

/// Has the server say much: unsigned calls, wrong logins.
async fn much_is_refused(world: &World, device: &DeviceIdentity) {
    let target = format!("{COMMANDS}?action=searchJob&orgId=o1");
    for _ in 0..REFUSED {
        let answered = exchange(world.server.http, &request("POST", &target, &[], b"{}")).await;
        answered.unwrap().fails(401, 401, "");
    }
    let wrong = DeviceIdentity::new("pump", "d1", "wrong".to_owned());
    for _ in 0..5 {
        Device::connected(&wrong, world.server.mqtt).await.unwrap_err();
    }
    // A device with the right secret is let in and served.
    drop(world.connect(device).await);
}

async fn is_ready(world: &World, ready: bool) {
    let status = if ready { 200 } else { 503 };
    eventually(&format!("/health/ready answering {status}"), || async {
        let answered = exchange(world.server.http, &request("GET", "/health/ready", &[], b"")).await;
        (answered.unwrap().status == status).then_some(())
    })
    .await;
}

async fn changes_fail(world: &World, identity: &DeviceIdentity) {
    for call in 0..REFUSED {
        let plan = Plan::device(identity).ttl(60);
        create_as(world, &format!("key {call}"), &plan)
            .await
            .fails(500, 99500, "");
    }
    is_ready(world, false).await;
}

async fn a_device_does_its_job(world: &World, identity: &DeviceIdentity) {
    let mut device = world.connect(identity).await;
    let job = world.create(&Plan::device(identity).ttl(60).reply_within(60)).await;
    let command = device.next_command().await.unwrap();
    device.answer(&command, 200, json!({})).await.unwrap();
    world.count_when(&job, "done", |count| count.succeed == 1).await;
}

async fn the_server_lives_without(failing: Failing, fault: Option<Fault>) {
    let mut broken = Broken::new(failing).await;
    let identity = broken.world.device("d1").await;
    broken.log_fails(failing);
    much_is_refused(&broken.world, &identity).await;
    a_device_does_its_job(&broken.world, &identity).await;
    if let Some(fault) = fault {
        broken.disk.breaks(fault, &broken.world.server.data());
        changes_fail(&broken.world, &identity).await;
        much_is_refused(&broken.world, &identity).await;
        broken.disk.is_mended();
    }
    is_ready(&broken.world, true).await;
    a_device_does_its_job(&broken.world, &identity).await;
    let (status, took) = broken.world.server.terminate();
    assert_eq!(status.code(), Some(0), "after {took:?}");
    assert!(took < STOP_WITHIN, "{took:?}");
}

#[tokio::test]
async fn a_log_on_a_full_disk_harms_nothing() {
    the_server_lives_without(Failing::Full, None).await;
}

#[tokio::test]
async fn a_log_whose_reader_has_gone_harms_nothing() {
    the_server_lives_without(Failing::Closed, None).await;
}

#[tokio::test]
async fn a_log_that_is_not_read_harms_nothing() {
    the_server_lives_without(Failing::Unread, None).await;
}

#[tokio::test]
async fn a_log_whose_reader_has_gone_harms_nothing_while_the_disk_is_full() {
    the_server_lives_without(Failing::Closed, Some(Fault::Full)).await;
}

#[tokio::test]
async fn a_log_that_is_not_read_harms_nothing_while_the_disk_fails() {
    the_server_lives_without(Failing::Unread, Some(Fault::Unwritable)).await;
}

/// The directory of the harness holds both.
fn disk_is_full_for_log_and_data(disk: &Disk, world: &World) {
    disk.breaks(Fault::Full, world.server.data().parent().unwrap());
}

#[tokio::test]
async fn a_disk_that_is_full_for_log_and_data_stops_changes_until_there_is_room() {
    let disk = Disk::new();
    let mut world = World::with(disk.start()).await;
    let identity = world.device("d1").await;
    // The first login of a device is stored.
    drop(world.connect(&identity).await);
    disk_is_full_for_log_and_data(&disk, &world);
    changes_fail(&world, &identity).await;
    much_is_refused(&world, &identity).await;
    changes_fail(&world, &identity).await;
    disk.is_mended();
    is_ready(&world, true).await;
    a_device_does_its_job(&world, &identity).await;
    eventually("what was logged meanwhile", || async {
        world.server.log().contains("a commit failed").then_some(())
    })
    .await;
    assert_eq!(world.server.terminate().0.code(), Some(0));
}

#[tokio::test]
async fn a_stop_while_the_disk_is_full_for_log_and_data_is_orderly() {
    let disk = Disk::new();
    let mut world = World::with(disk.start()).await;
    let identity = world.device("d1").await;
    // The first login of a device is stored.
    drop(world.connect(&identity).await);
    disk_is_full_for_log_and_data(&disk, &world);
    changes_fail(&world, &identity).await;
    let (status, took) = world.server.terminate();
    assert_eq!(status.code(), Some(0), "after {took:?}");
    assert!(took < STOP_WITHIN, "{took:?}");
}

#[tokio::test]
async fn what_a_pipe_has_not_taken_is_counted_and_said_when_it_is_read_again() {
    let mut broken = Broken::new(Failing::Unread).await;
    let identity = broken.world.device("d1").await;
    broken.pipe.is_full();
    much_is_refused(&broken.world, &identity).await;
    let mut log = String::new();
    for said in ["a call was refused", "a login does not hold", "left out of the log"] {
        eventually(said, || {
            log += &broken.pipe.read();
            let seen = log.contains(said).then_some(());
            async move { seen }
        })
        .await;
    }
}

#[tokio::test]
async fn refusals_of_one_address_are_a_line_a_second_with_the_reason() {
    let world = World::new().await;
    let begun = std::time::Instant::now();
    let long = "x".repeat(1_000);
    let stranger = DeviceIdentity::new(&long, "d1", "secret".to_owned());
    while begun.elapsed() < Duration::from_secs(3) {
        let target = format!("{COMMANDS}?action=searchJob&orgId=o1");
        exchange(world.server.http, &request("POST", &target, &[], b"{}"))
            .await
            .unwrap();
    }
    Device::connected(&stranger, world.server.mqtt).await.unwrap_err();
    let log = eventually("what was left out", || async {
        let log = world.server.log();
        (log.contains("left out of the log") && log.contains("a login does not hold")).then_some(log)
    })
    .await;
    let lines = log.lines().filter(|line| line.contains("no access token")).count();
    assert!((2..=5).contains(&lines), "{lines} lines:\n{log}");
    assert!(log.len() < 8_000, "{} bytes:\n{log}", log.len());
}
