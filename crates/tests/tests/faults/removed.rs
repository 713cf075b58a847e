//! Files of the data directory that are removed, replaced or cut while the server works with them.

use std::fs;

use crate::fleet::jobs;
use crate::harness::{Plan, World};
use crate::refusals::told;

/// The exit code that says that the server should be started again.
const BROKEN: i32 = 70;

#[tokio::test]
async fn a_second_server_is_refused_although_the_lock_was_removed() {
    let mut world = World::new().await;
    let data = world.server.data();
    fs::remove_file(data.join("lock")).unwrap();
    let told = told(&data, &[], &[]);
    assert!(told.contains("in use by another process"), "{told}");
    let device = world.device("d1").await;
    world.create(&Plan::device(&device).ttl(600)).await;
    world.server.kill_and_start_again();
    assert_eq!(jobs(&world).await, 1);
}

/// Removes these files; the server ends, and the next has everything that was acknowledged.
async fn nothing_acknowledged_is_lost_without(files: &[&str], call: bool) {
    let mut world = World::new().await;
    let device = world.device("d1").await;
    for _ in 0..3 {
        world.create(&Plan::device(&device).ttl(600)).await;
    }
    for file in files {
        fs::remove_file(world.server.data().join(file)).unwrap();
    }
    let acknowledged = call && world.client.create_job(&Plan::device(&device).ttl(600).0).await.is_ok();
    assert!(
        !acknowledged,
        "a job was acknowledged that is in no file of the directory"
    );
    let status = world.server.ended();
    let log = world.server.log();
    assert_eq!(status.code(), Some(BROKEN), "{log}");
    assert!(log.contains("was removed or replaced or cut"), "{log}");
    world.server.start_again();
    let found = jobs(&world).await.as_u64().unwrap();
    assert!(
        (3..=4).contains(&found),
        "{found} jobs: three were acknowledged, and one perhaps stored"
    );
}

#[tokio::test]
async fn a_log_of_the_database_that_was_removed_ends_the_server_before_it_acknowledges_anything() {
    nothing_acknowledged_is_lost_without(&["aldis.db-wal"], true).await;
}

#[tokio::test]
async fn a_log_of_the_database_that_was_removed_is_noticed_without_any_call() {
    nothing_acknowledged_is_lost_without(&["aldis.db-wal", "aldis.db-shm"], false).await;
}

#[tokio::test]
async fn a_log_of_the_database_that_was_replaced_is_not_taken_for_its_own() {
    let mut world = World::new().await;
    let device = world.device("d1").await;
    let log = world.server.data().join("aldis.db-wal");
    let earlier = fs::read(&log).unwrap();
    world.create(&Plan::device(&device).ttl(600)).await;
    fs::remove_file(&log).unwrap();
    fs::write(&log, earlier).unwrap();
    assert_eq!(world.server.ended().code(), Some(BROKEN), "{}", world.server.log());
    world.server.start_again();
    assert_eq!(jobs(&world).await, 1);
}

#[tokio::test]
async fn a_file_of_the_database_that_was_cut_ends_the_server_before_it_acknowledges_anything() {
    for file in ["aldis.db-wal", "aldis.db"] {
        for kept in [0, 4096] {
            let mut world = World::new().await;
            let device = world.device("d1").await;
            let path = world.server.data().join(file);
            let cut = fs::OpenOptions::new().write(true).open(&path).unwrap();
            cut.set_len(kept).unwrap();
            let acknowledged = world.client.create_job(&Plan::device(&device).ttl(600).0).await.is_ok();
            assert!(!acknowledged, "{file} of {kept} bytes");
            assert_eq!(world.server.ended().code(), Some(BROKEN), "{}", world.server.log());
        }
    }
}

#[tokio::test]
async fn a_log_that_another_program_has_moved_into_the_database_ends_nothing() {
    let mut world = World::new().await;
    let device = world.device("d1").await;
    let data = world.server.data();
    let other = rusqlite::Connection::open(data.join("aldis.db")).unwrap();
    let moved = other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    assert_eq!(moved, Ok(0));
    assert_eq!(fs::metadata(data.join("aldis.db-wal")).unwrap().len(), 0);
    world.create(&Plan::device(&device).ttl(600)).await;
    drop(other);
    world.server.kill_and_start_again();
    assert_eq!(jobs(&world).await, 1);
}

#[tokio::test]
async fn a_directory_that_a_file_has_replaced_ends_the_server() {
    let mut world = World::new().await;
    let data = world.server.data();
    fs::rename(&data, data.with_extension("aside")).unwrap();
    fs::write(&data, "").unwrap();
    assert_eq!(world.server.ended().code(), Some(BROKEN), "{}", world.server.log());
}

#[tokio::test]
async fn a_database_that_was_removed_ends_the_server() {
    let mut world = World::new().await;
    let database = world.server.data().join("aldis.db");
    let aside = database.with_extension("aside");
    fs::rename(&database, &aside).unwrap();
    assert_eq!(world.server.ended().code(), Some(BROKEN), "{}", world.server.log());
    fs::rename(&aside, &database).unwrap();
    world.server.start_again();
    assert_eq!(jobs(&world).await, 0);
}
