//! Who comes in, who is told why not, and what strangers may cost.

use std::time::Duration;

use aldis_core::ids::DeviceNo;
use aldis_protocol::login::Login;

use super::bench::{Bench, connect, connect_head, login, packet, publish, strings, text};
use crate::admission::Admitted;
use aldis_app::rotate_secrets::Rotation;
use aldis_engine::trace::Event;

const ROOM: usize = 100;

#[tokio::test]
async fn another_version_of_mqtt_is_told_so() {
    let bench = Bench::open(ROOM).await;
    for level in [2, 0] {
        let mut socket = bench.socket().await;
        let strings = [text("c"), text("d1&pk"), text("p")].concat();
        socket
            .send(&packet(0x10, &[connect_head(level, 60), strings].concat()))
            .await;
        assert_eq!(socket.connack().await, 1, "level {level}");
        assert_eq!(socket.packet().await, None);
    }
}

#[tokio::test]
async fn client_that_speaks_mqtt_3_1_is_let_in() {
    let bench = Bench::open(ROOM).await;
    let long = Login {
        client_id: "a client id that has more than 23 characters".to_owned(),
        ..login("d1")
    };
    for (name, login) in [("MQIsdp", &login("d1")), ("MQIsdp", &long), ("MQTT", &long)] {
        let head = [&text(name)[..], &[3, 0xc2, 0, 60]].concat();
        let mut socket = bench.socket().await;
        socket.send(&packet(0x10, &[head, strings(login)].concat())).await;
        assert_eq!(socket.connack().await, 0, "{name}");
        socket.send(&[0xc0, 0]).await;
        assert_eq!(socket.packet().await, Some((0xd0, Vec::new())), "{name}");
    }
}

#[tokio::test]
async fn a_persistent_session_without_a_client_id_is_told_so() {
    let bench = Bench::open(ROOM).await;
    let mut head = connect_head(4, 60);
    head[7] = 0xc0;
    let mut socket = bench.socket().await;
    socket
        .send(&packet(
            0x10,
            &[&head[..], &text(""), &text("d1&pk"), &text("p")].concat(),
        ))
        .await;
    assert_eq!(socket.connack().await, 2);
    assert_eq!(socket.packet().await, None);
}

#[tokio::test]
async fn a_stranger_cannot_fill_the_memory_before_its_login() {
    let bench = Bench::open(ROOM).await;
    let long = packet(0x10, &[&connect_head(4, 60)[..], &text(&"c".repeat(10_000))].concat());
    let mut socket = bench.socket().await;
    socket.send(&long[..8]).await;
    assert_eq!(socket.packet().await, None, "refused by its announced length");
}

#[tokio::test]
async fn what_comes_right_behind_a_login_may_be_as_large_as_any_packet() {
    let bench = Bench::open(ROOM).await;
    let large = format!(r#"{{"id":"1","params":"{}"}}"#, "x".repeat(100_000));
    let mut socket = bench.socket().await;
    socket
        .send(&[connect("d1", 60), publish("/sys/pk/d1/thing/event/e/post", &large)].concat())
        .await;
    assert_eq!(socket.connack().await, 0);
    assert_eq!(socket.packet().await.unwrap().0, 0x30);
}

#[tokio::test]
async fn without_room_some_are_told_and_the_rest_are_closed() {
    let mut bench = Bench::open(1).await;
    let (_inside, _) = bench.device("d1").await;
    let mut told = bench.socket().await;
    told.send(&connect("d2", 60)).await;
    assert_eq!(told.connack().await, 3);
    assert_eq!(told.packet().await, None);
    let mut waiting = Vec::new();
    for _ in 0..=crate::turned_away_max(1) {
        waiting.push(bench.socket().await);
    }
    let mut beyond = waiting.pop().unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(5), beyond.packet()).await;
    assert_eq!(ended.unwrap(), None, "long before it would have had to say CONNECT");
}

#[tokio::test]
async fn strangers_who_say_nothing_keep_no_device_out() {
    let mut bench = Bench::open(8).await;
    let (mut inside, _) = bench.device("d1").await;
    let mut strangers = Vec::new();
    for n in 0..200 {
        let mut stranger = bench.socket().await;
        if n % 2 == 0 {
            // Half a CONNECT.
            stranger.send(&connect("d2", 60)[..20]).await;
        }
        strangers.push(stranger);
    }
    let (mut second, _) = bench.device("d2").await;
    for device in [&mut inside, &mut second] {
        device.send(&[0xc0, 0]).await;
        assert_eq!(device.packet().await, Some((0xd0, Vec::new())), "who is in stays in");
    }
    assert_eq!(strangers[0].packet().await, None, "the first to come has made room");
}

async fn still_admits(bench: &Bench, device: &Admitted) -> bool {
    bench
        .gateway
        .still_admits(
            device.entrant.device,
            &device.entrant.keys,
            device.signed_with.clone(),
            device.logins_changed,
        )
        .await
}

#[tokio::test]
async fn a_login_is_checked_again_when_the_secret_was_rotated_meanwhile() {
    let bench = Bench::open(ROOM).await;
    let device = bench.admit("d1").await;
    let rotate = async |grace_s| {
        let rotation = Rotation {
            secret: None,
            grace_s: Some(grace_s),
        };
        let (operator, name) = (bench.operator(), bench.name("d1"));
        bench
            .app
            .rotate_device_secret(&operator, &name, rotation)
            .await
            .unwrap();
    };
    rotate(60).await;
    assert!(
        still_admits(&bench, &device).await,
        "the old secret is good in the grace"
    );
    rotate(0).await;
    assert!(!still_admits(&bench, &device).await);
}

#[tokio::test]
async fn a_login_is_checked_again_when_a_key_was_replaced_meanwhile() {
    let bench = Bench::open(ROOM).await;
    let [first, second] = [bench.admit("d1").await, bench.admit("d2").await];
    assert!(still_admits(&bench, &first).await);
    bench
        .app
        .replace_device(&bench.operator(), &bench.name("d1"), "new")
        .await
        .unwrap();
    assert!(!still_admits(&bench, &first).await);
    assert!(still_admits(&bench, &second).await, "it was another device's key");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_answers_that_are_held_back() {
    let bench = Bench::open(ROOM).await;
    let mut wrong = connect("d1", 60);
    let last = wrong.len() - 1;
    wrong[last] ^= 1;
    let mut sockets = Vec::new();
    for _ in 0..40 {
        let mut socket = bench.socket().await;
        socket.send(&wrong).await;
        sockets.push(socket);
    }
    assert_eq!(sockets[0].connack().await, 5);
    bench.stop.stop();
    tokio::time::timeout(Duration::from_secs(2), bench.ends)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn whatever_is_wrong_with_a_login_is_noted_of_the_device_it_names() {
    let bench = Bench::open(ROOM).await;
    let right = "d1|securemode=2,signmethod=sha256,timestamp=1|";
    let cases = [
        ("d1", "d1&pk", "p", "the client id has no parameters between two |"),
        (
            "d1|securemode=1,timestamp=1|",
            "d1&pk",
            "p",
            "the secure mode is unknown",
        ),
        (
            "d1|signmethod=sha512,timestamp=1|",
            "d1&pk",
            "p",
            "the sign method is unknown",
        ),
        ("d1|securemode=2|", "d1&pk", "p", "the client id has no timestamp"),
        (
            "d1{compress=LZ4}|timestamp=1|",
            "d1&pk",
            "p",
            "the compression that it announces is not served",
        ),
        (
            right,
            "d1&pk",
            "p",
            "the signature is wrong: another secret, or other texts than those that were signed",
        ),
        (right, "d1", "p", "the user name is not <device key>&<product key>"),
        (right, "no&pk", "p", "there is no such device"),
    ];
    for (client_id, user_name, password, _) in cases {
        let strings = [text(client_id), text(user_name), text(password)].concat();
        let mut socket = bench.socket().await;
        socket
            .send(&packet(0x10, &[connect_head(4, 60), strings].concat()))
            .await;
        assert_eq!(socket.connack().await, 5, "{client_id} {user_name}");
    }
    let mut head = connect_head(4, 60);
    head[7] = 0x82;
    let mut socket = bench.socket().await;
    socket
        .send(&packet(0x10, &[&head[..], &text(right), &text("d1&pk")].concat()))
        .await;
    assert_eq!(socket.connack().await, 5, "no password");
    let mut expected: Vec<Event> = cases[..6]
        .iter()
        .map(|case| Event::Refused(case.3.to_owned()))
        .collect();
    expected.push(Event::Refused("there is no password".to_owned()));
    let noted = bench.app.shared().traces.of(DeviceNo(1)).into_iter();
    assert_eq!(noted.map(|entry| entry.event).collect::<Vec<_>>(), expected);
}
