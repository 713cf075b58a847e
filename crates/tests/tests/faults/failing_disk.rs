//! A disk that is full, fails or is slow while jobs run: nothing is acknowledged that is not stored, nothing leaves
//! that is not stored, and work goes on by itself when the disk is well again.

use std::time::{Duration, Instant};

use aldis_simulator::Device;
use serde_json::json;
use tokio::time::sleep;

use crate::disk::{Disk, Fault};
use crate::fleet::{Busy, DEVICES, create_as, jobs};
use crate::harness::{Answered, Plan, World, eventually, exchange, request};

/// Jobs over the whole fleet that are under way when the disk fails.
const UNDER_WAY: usize = 5;
/// Calls made while it fails.
const REFUSED: usize = 5;
/// How long a reply that must not be acknowledged is watched: longer than several of the server's attempts to store it.
const WATCHED: Duration = Duration::from_millis(700);

fn says_that_nothing_is_known(answer: &Answered) {
    answer.fails(500, 99500, "whether the change was made is not known");
}

/// Every kind of change is refused, every kind of question answered.
async fn changes_fail_and_questions_do_not(world: &World, job: &str, plan: &Plan) {
    for call in 0..REFUSED {
        says_that_nothing_is_known(&create_as(world, &format!("key {call}"), plan).await);
    }
    let (devices, keys) = ("/connect-service/v2.1/devices", "/aldis/v1/keys");
    let device =
        json!({"productKey": "pump", "deviceKey": "half", "timezone": "+00:00", "deviceName": {"defaultValue": "h"}});
    let all_tasks = json!({});
    for answer in [
        world.api.command(&format!("cancelTask&jobId={job}"), &all_tasks).await,
        world.api.post(devices, "create", &device).await,
        world.api.post(keys, "create", &json!({"role": "reader"})).await,
    ] {
        says_that_nothing_is_known(&answer);
    }
    world.api.command("searchJob", &json!({})).await.data();
    world.api.command("searchTask", &json!({})).await.data();
    for action in ["getJob", "queryStatistics"] {
        world.client.statistics(job).await.unwrap();
        world
            .api
            .get(crate::harness::COMMANDS, &format!("{action}&jobId={job}"))
            .await
            .data();
    }
}

/// A reply is read and not acknowledged while it cannot be stored, and acknowledged as soon as it is.
async fn waits_for_its_puback(world: &World, disk: &Disk, fault: Fault, device: &mut Device, job: &str, busy: &Busy) {
    let command = device.next_command().await.unwrap();
    busy.received(DEVICES).await;
    disk.breaks(fault, &world.server.data());
    changes_fail_and_questions_do_not(world, job, &busy.plan()).await;
    device.puback(&command).await.unwrap();
    let reply = device.reply(&command, 200, json!({}), "").await.unwrap();
    device.ping().await.unwrap();
    device.set_patience(WATCHED);
    device.acknowledged(reply).await.unwrap_err();
    device.no_command_within(Duration::ZERO).await.unwrap();
    // What was handed out before has arrived by now; from here on nothing does.
    let received = busy.journal.len();
    sleep(WATCHED).await;
    says_that_nothing_is_known(&create_as(world, "key 0", &busy.plan()).await);
    assert_eq!(busy.journal.len(), received, "a command left without its stored intent");
    disk.is_mended();
    device.set_patience(Duration::from_secs(20));
    device.acknowledged(reply).await.unwrap();
}

async fn the_server_goes_on_after(fault: Fault, cause: &str) {
    let disk = Disk::new();
    let mut world = World::with(disk.start()).await;
    let mut device = world.connected("by-hand").await;
    let mut busy = Busy::with_jobs(&world, UNDER_WAY).await;
    let of_device = Plan::device(device.identity()).reply_within(60).ttl(600);
    let (first, second) = (world.create(&of_device).await, world.create(&of_device).await);
    waits_for_its_puback(&world, &disk, fault, &mut device, &first, &busy).await;
    // The next command of the device follows by itself.
    let command = device.next_command().await.unwrap();
    device.answer(&command, 200, json!({})).await.unwrap();
    // Repeated under their keys, the calls that failed are carried out once.
    for call in 0..REFUSED {
        let key = format!("key {call}");
        let created = create_as(&world, &key, &busy.plan()).await;
        assert_eq!(create_as(&world, &key, &busy.plan()).await.data(), created.data());
        busy.jobs.push(created.data().as_str().unwrap().to_owned());
    }
    assert_eq!(jobs(&world).await, UNDER_WAY + REFUSED + 2, "nothing is half created");
    for job in [&first, &second] {
        assert_eq!(world.recounted(job).await.succeed, 1);
    }
    let journal = busy.journal.clone();
    busy.ends_well(&world).await;
    assert_eq!(journal.len(), (UNDER_WAY + REFUSED) * DEVICES, "one attempt was enough");
    let log = world.server.log();
    assert!(
        log.contains(cause) && log.len() < 64 << 10,
        "{} bytes: {log}",
        log.len()
    );
    // What was answered is what is stored.
    world.server.kill_and_start_again();
    assert_eq!(jobs(&world).await, UNDER_WAY + REFUSED + 2);
    assert_eq!(world.recounted(&second).await.succeed, 1);
}

#[tokio::test]
async fn a_full_disk_stops_what_changes_something_until_there_is_room() {
    the_server_goes_on_after(Fault::Full, "full").await;
}

#[tokio::test]
async fn writes_that_fail_stop_what_changes_something_until_they_succeed() {
    the_server_goes_on_after(Fault::Unwritable, "disk I/O error").await;
}

#[tokio::test]
async fn commits_that_cannot_be_made_durable_did_not_happen() {
    the_server_goes_on_after(Fault::Unsynced, "disk I/O error").await;
}

/// Also when it dies before the disk is well again.
async fn nothing_is_lost_by_dying_of(fault: Fault) {
    let disk = Disk::new();
    let mut world = World::with(disk.start()).await;
    let mut busy = Busy::with_jobs(&world, UNDER_WAY).await;
    busy.received(DEVICES).await;
    disk.breaks(fault, &world.server.data());
    for call in 0..REFUSED {
        says_that_nothing_is_known(&create_as(&world, &format!("key {call}"), &busy.plan()).await);
    }
    world.server.kill();
    disk.is_mended();
    world.server.start_again();
    for call in 0..REFUSED {
        let created = create_as(&world, &format!("key {call}"), &busy.plan()).await;
        busy.jobs.push(created.data().as_str().unwrap().to_owned());
    }
    assert_eq!(jobs(&world).await, UNDER_WAY + REFUSED);
    busy.ends_well(&world).await;
}

#[tokio::test]
async fn a_full_disk_and_a_kill_lose_nothing_and_double_nothing() {
    nothing_is_lost_by_dying_of(Fault::Full).await;
}

#[tokio::test]
async fn a_disk_that_stores_nothing_durably_and_a_kill_lose_nothing_and_double_nothing() {
    nothing_is_lost_by_dying_of(Fault::Unsynced).await;
}

#[tokio::test]
async fn a_stop_on_a_full_disk_is_orderly_and_loses_nothing() {
    let disk = Disk::new();
    let mut world = World::with(disk.start()).await;
    let busy = Busy::with_jobs(&world, UNDER_WAY).await;
    busy.received(DEVICES).await;
    disk.breaks(Fault::Full, &world.server.data());
    says_that_nothing_is_known(&create_as(&world, "key", &busy.plan()).await);
    let (status, took) = world.server.terminate();
    assert!(took < Duration::from_secs(10), "{status} after {took:?}");
    assert_eq!(status.code(), Some(0), "{}", world.server.log());
    disk.is_mended();
    world.server.start_again();
    busy.ends_well(&world).await;
}

#[tokio::test]
async fn reading_goes_on_while_every_commit_is_slow() {
    const SLOW: u32 = 10;
    let disk = Disk::new();
    let world = World::with(disk.start()).await;
    let mut busy = Busy::with_jobs(&world, 1).await;
    disk.breaks(Fault::Slow, &world.server.data());
    let begun = Instant::now();
    let changes = async {
        let mut made = Vec::new();
        for call in 0..SLOW {
            let created = create_as(&world, &format!("key {call}"), &busy.plan()).await;
            made.push(created.data().as_str().unwrap().to_owned());
        }
        made
    };
    let mut answered = 0_u32;
    let questions = async {
        loop {
            world.api.command("searchTask", &json!({})).await.data();
            answered += 1;
        }
    };
    let made = tokio::select! {
        made = changes => made,
        () = questions => unreachable!("it asks for ever"),
    };
    assert!(
        begun.elapsed() >= Duration::from_millis(200) * SLOW,
        "{:?}",
        begun.elapsed()
    );
    assert!(
        answered >= 3 * SLOW,
        "{answered} questions were answered beside {SLOW} changes"
    );
    disk.is_mended();
    busy.jobs.extend(made);
    busy.ends_well(&world).await;
}

async fn health(world: &World, path: &str) -> Answered {
    exchange(world.server.http, &request("GET", path, &[], b""))
        .await
        .unwrap()
}

/// Waits until `/health/ready` gives exactly this reason, or none.
async fn is_ready_but_for(world: &World, reason: Option<&str>) {
    let (status, body) = match reason {
        None => (200, json!({"status": "up"})),
        Some(reason) => (503, json!({"status": "down", "reasons": [reason]})),
    };
    for path in ["/health/ready", "/health"] {
        eventually(&format!("{path} answering {body}"), || async {
            let answered = health(world, path).await;
            (answered.status == status && answered.body == body).then_some(())
        })
        .await;
    }
    let live = health(world, "/health/live").await;
    assert_eq!((live.status, live.body), (200, json!({"status": "up"})));
}

#[tokio::test]
async fn ready_says_that_the_store_fails_without_any_other_call_and_recovers_with_the_disk() {
    let disk = Disk::new();
    let world = World::with(disk.start()).await;
    is_ready_but_for(&world, None).await;
    for fault in [Fault::Unwritable, Fault::Unsynced] {
        disk.breaks(fault, &world.server.data());
        is_ready_but_for(&world, Some("store failing")).await;
        disk.is_mended();
        is_ready_but_for(&world, None).await;
    }
}

#[tokio::test]
async fn ready_says_that_the_writer_does_not_answer_while_a_commit_hangs() {
    let disk = Disk::new();
    let world = World::with(disk.start()).await;
    disk.breaks(Fault::Hung, &world.server.data());
    is_ready_but_for(&world, Some("the writer does not answer")).await;
    disk.is_mended();
    is_ready_but_for(&world, None).await;
}

#[tokio::test]
async fn a_stop_while_a_commit_hangs_ends_in_time_and_is_told_from_an_orderly_one() {
    let disk = Disk::new();
    let mut world = World::with(disk.start()).await;
    disk.breaks(Fault::Hung, &world.server.data());
    is_ready_but_for(&world, Some("the writer does not answer")).await;
    let (status, took) = world.server.terminate();
    assert_eq!(status.code(), Some(70), "{}", world.server.log());
    assert!(took < Duration::from_secs(12), "{took:?}");
}
