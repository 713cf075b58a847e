//! A backup that is put back: it knows nothing of the ids that were given out after it was made, but devices and
//! callers do.

use std::fs;
use std::path::Path;

use aldis_client::TaskStatus;
use serde_json::json;

use crate::harness::{Plan, World};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[tokio::test]
async fn a_late_reply_to_a_job_that_a_restored_backup_does_not_know_settles_no_other() {
    let mut world = World::new().await;
    let identity = world.device("d1").await;
    let data = world.server.data();
    let backup = data.with_file_name("backup");
    assert!(world.server.terminate().0.success());
    copy(&data, &backup);
    world.server.start_again();

    let mut device = world.connect(&identity).await;
    let plan = || Plan::device(&identity).ttl(600).reply_within(600);
    let lost = world.create(&plan()).await;
    let command = device.next_command().await.unwrap();
    drop(device);
    world.server.kill();
    fs::remove_dir_all(&data).unwrap();
    copy(&backup, &data);
    world.server.start_again();

    let mut device = world.connect(&identity).await;
    let job = world.create(&plan()).await;
    let sent = device.next_command().await.unwrap();
    assert_ne!((job.as_str(), sent.id()), (lost.as_str(), command.id()));
    let late = device.reply(&command, 200, json!({"late": true}), "").await.unwrap();
    device.acknowledged(late).await.unwrap();
    let task = world.task(&job).await;
    assert_ne!(task.status, TaskStatus::Succeed, "{task:?}");
    device.answer(&sent, 200, json!({})).await.unwrap();
    world.task_in(&job, TaskStatus::Succeed).await;
}
