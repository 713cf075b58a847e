//! The program as scripts know it: what it prints, how it stops, how it starts again (docs: the command line).

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use aldis_client::TaskStatus;
use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Api, Plan, Server, Start, World, program};

#[tokio::test]
async fn standard_output_is_exactly_three_lines() {
    let mut world = World::open().await;
    let mut device = world.connected("d1").await;
    let job = world.create(&Plan::device(device.identity())).await;
    let command = device.next_command().await.unwrap();
    device.answer(&command, 200, json!({})).await.unwrap();
    assert_eq!(world.recounted(&job).await.succeed, 1);
    let server = &mut world.server;
    let (status, _) = server.terminate();
    assert_eq!(status.code(), Some(0));
    let expected = format!(
        "http listening on {}\nmqtt listening on {}\nready\n",
        server.http, server.mqtt
    );
    assert_eq!(server.stdout(), expected);
}

#[tokio::test]
async fn the_first_start_makes_a_key_that_only_its_owner_can_read() {
    let mut server = Server::start().await;
    let file = server.data().join("admin-key.json");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(
        server
            .data()
            .join("secret.key")
            .metadata()
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    let key = server.admin_key();
    assert_eq!(key.org_id, "default");
    server.kill_and_start_again();
    assert_eq!(server.admin_key(), key);
    Api::signed(server.http, key)
        .await
        .command("searchJob", &json!({}))
        .await
        .data();
}

#[tokio::test]
async fn signals_stop_it_in_order_within_ten_seconds() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut world = World::open().await;
        let mut device = world.connected("d1").await;
        let idle = world.connected("d2").await;
        let out = world.create(&Plan::device(device.identity()).reply_within(900)).await;
        let waiting = world.create(&Plan::device(device.identity()).ttl(900)).await;
        let command = device.next_command().await.unwrap();
        let (status, took) = world.server.signal(signal);
        assert_eq!(status.code(), Some(0), "{}", world.server.log());
        assert!(took < Duration::from_secs(10), "{took:?}");
        device.expect_closed().await.unwrap();
        // All is as it was after the next start, and the command that was out is not sent again.
        world.server.start_again();
        assert_eq!(world.presence(idle.identity()).await, "offline");
        device.connect(world.server.mqtt).await.unwrap();
        device.no_command_within(Duration::from_millis(1300)).await.unwrap();
        device.answer(&command, 200, json!({})).await.unwrap();
        assert_eq!(world.task(&out).await.status, TaskStatus::Succeed);
        let command = device.next_command().await.unwrap();
        device.answer(&command, 200, json!({})).await.unwrap();
        assert_eq!(world.task(&waiting).await.status, TaskStatus::Succeed);
    }
}

#[tokio::test]
async fn it_starts_right_after_it_was_killed_on_the_same_ports() {
    let mut world = World::open().await;
    for round in 0..3 {
        let mut device = world.connected(&format!("d{round}")).await;
        device.ping().await.unwrap();
        let (http, mqtt) = (world.server.http, world.server.mqtt);
        world.server.kill_and_start_again();
        assert_eq!((world.server.http, world.server.mqtt), (http, mqtt));
        assert_eq!(world.api.command("searchJob", &json!({})).await.code(), 0);
    }
}

#[tokio::test]
async fn a_directory_with_foreign_files_is_used_and_they_stay() {
    let mut server = Server::start().await;
    server.terminate();
    for name in ["notes.txt", "aldis.db.old", ".hidden"] {
        std::fs::write(server.data().join(name), "mine").unwrap();
    }
    std::fs::create_dir(server.data().join("photos")).unwrap();
    server.start_again();
    for name in ["notes.txt", "aldis.db.old", ".hidden"] {
        assert_eq!(std::fs::read_to_string(server.data().join(name)).unwrap(), "mine");
    }
}

#[tokio::test]
async fn a_data_directory_has_one_server() {
    let mut server = Server::start().await;
    let second = || {
        let mut serve = Command::new(program());
        serve
            .args(["serve", "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--data-dir"])
            .arg(server.data());
        serve.stdin(Stdio::null()).output().unwrap()
    };
    let refused = second();
    assert!(!refused.status.success());
    assert!(refused.stdout.is_empty());
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(told.contains(&server.data().display().to_string()), "{told}");
    assert!(told.contains("use"), "{told}");
    server.kill_and_start_again();
}

#[tokio::test]
async fn a_port_that_is_taken_is_told() {
    let server = Server::start().await;
    let other = tempfile::tempdir().unwrap();
    let mut serve = Command::new(program());
    serve
        .args([
            "serve",
            "--mqtt",
            "127.0.0.1:0",
            "--http",
            &server.http.to_string(),
            "--data-dir",
        ])
        .arg(other.path());
    let refused = serve.stdin(Stdio::null()).output().unwrap();
    assert!(!refused.status.success() && refused.stdout.is_empty());
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(told.contains(&server.http.to_string()), "{told}");
}

#[tokio::test]
async fn no_secret_is_ever_logged() {
    let start = Start {
        variables: vec![("ALDIS_LOG".into(), "trace".into())],
        ..Start::default()
    };
    let mut world = World::with(start).await;
    let mut device = world.connected("d1").await;
    let wrong = aldis_simulator::DeviceIdentity::new("pump", "d1", "hush-wrong-hush");
    assert_eq!(
        aldis_simulator::Device::new(&wrong)
            .try_connect(world.server.mqtt)
            .await
            .unwrap(),
        5
    );
    let job = world
        .create(&Plan::device(device.identity()).sets("temperature", json!(1)))
        .await;
    let command = device.next_command().await.unwrap();
    device.answer(&command, 200, json!({})).await.unwrap();
    assert_eq!(world.recounted(&job).await.succeed, 1);
    let made = world
        .client
        .create_key(&aldis_client::NewKey::new("reader"))
        .await
        .unwrap()
        .data
        .app_secret
        .unwrap();
    let first = world.server.admin_key().app_secret;
    let password = device.identity().login().password;
    world.server.kill_and_start_again();
    world.server.terminate();
    let log = world.server.log();
    assert!(log.len() > 100, "{log}");
    for secret in ["hush", &made, &first, &password] {
        assert!(!log.contains(secret), "a secret in the log");
    }
}
