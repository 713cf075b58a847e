//! What MQTT 5 asks of a server, packet by packet.

use aldis_core::ids::{AttemptNo, TaskNo, WireId};
use aldis_protocol::login::{CHANNEL_DEVICE_KEY, SecureMode};

use super::bench::{Bench, Socket, connect_with, connect5, packet, publish, text};
use aldis_engine::link::{DeviceEvent, SessionNo};

const ROOM: usize = 1000;
const TOPIC: &str = "/sys/pk/d1/thing/event/e/post";
const USER_AND_PASSWORD: u8 = 0xc2;
const WILL: u8 = 0x04;

fn wire(task: u64) -> WireId {
    WireId::new(TaskNo(task), AttemptNo(1))
}

/// The answer to a CONNECT: its reason.
async fn connack(socket: &mut Socket) -> u8 {
    let (kind, body) = socket.packet().await.unwrap();
    assert_eq!((kind, body[0]), (0x20, 0));
    body[1]
}

async fn device(bench: &mut Bench, properties: &[u8]) -> (Socket, SessionNo) {
    let mut socket = bench.socket().await;
    socket.send(&connect5(USER_AND_PASSWORD, properties, &[])).await;
    assert_eq!(connack(&mut socket).await, 0);
    let session = bench.wait(|event| match event {
        DeviceEvent::Connected { session, .. } => Some(*session),
        _ => None,
    });
    (socket, session.await)
}

fn packet_max(bytes: u32) -> Vec<u8> {
    [&[0x27], &bytes.to_be_bytes()[..]].concat()
}

/// A PUBLISH of MQTT 5.
fn publish5(first: u8, topic: &str, properties: &[u8]) -> Vec<u8> {
    let packet_id: &[u8] = if first & 6 == 0 { &[] } else { &[0, 1] };
    let length = [u8::try_from(properties.len()).unwrap()];
    packet(
        first,
        &[&text(topic)[..], packet_id, &length, properties, b"{}"].concat(),
    )
}

fn subscribe(properties: &[u8], filters: &[&str]) -> Vec<u8> {
    let length = [u8::try_from(properties.len()).unwrap()];
    let filters = filters.iter().flat_map(|filter| [&text(filter)[..], &[1]].concat());
    packet(
        0x82,
        &[&[0, 1][..], &length, properties, &filters.collect::<Vec<u8>>()].concat(),
    )
}

#[tokio::test]
async fn what_a_connect_asks_for_in_vain_is_refused_with_its_reason() {
    let bench = Bench::open(ROOM).await;
    let method = [&[0x15][..], &text("SCRAM-SHA-1")].concat();
    let will = [&[0][..], &text("topic"), &text("message")].concat();
    for (what, connect, reason) in [
        ("authentication", connect5(USER_AND_PASSWORD, &method, &[]), 0x8c),
        (
            "a will with QoS 2",
            connect5(USER_AND_PASSWORD | WILL | 0x10, &[], &will),
            0x9b,
        ),
        (
            "a will that is kept",
            connect5(USER_AND_PASSWORD | WILL | 0x20, &[], &will),
            0x9a,
        ),
        (
            "smaller packets than there are",
            connect5(USER_AND_PASSWORD, &packet_max(10), &[]),
            0x95,
        ),
        (
            "a kept session without a client",
            packet(0x10, b"\0\x04MQTT\x05\0\0\x3c\0\0\0"),
            0x85,
        ),
        (
            "a later version",
            packet(0x10, b"\0\x04MQTT\x06\x02\0\x3c\0\0\x01a"),
            0x84,
        ),
    ] {
        let mut socket = bench.socket().await;
        socket.send(&connect).await;
        assert_eq!(socket.packet().await, Some((0x20, vec![0, reason, 0])), "{what}");
        assert_eq!(socket.packet().await, None, "{what}");
    }
    let mut socket = bench.socket().await;
    socket.send(&connect5(USER_AND_PASSWORD, &packet_max(4), &[])).await;
    assert_eq!(socket.packet().await, None, "it takes no CONNACK at all");
    let mut socket = bench.socket().await;
    socket.send(&connect5(USER_AND_PASSWORD | WILL | 8, &[], &will)).await;
    assert_eq!(connack(&mut socket).await, 0, "any other will is passed over");
}

#[tokio::test]
async fn what_a_device_may_not_do_ends_its_connection_with_the_reason() {
    let mut bench = Bench::open(ROOM).await;
    let long = packet(0x30, &[&text(TOPIC)[..], &vec![0; 600_000]].concat());
    for (what, bytes, reason) in [
        ("QoS 2", publish5(0x34, TOPIC, &[]), 0x9b),
        ("a retained message", publish5(0x31, TOPIC, &[]), 0x9a),
        ("an alias", publish5(0x30, TOPIC, &[0x23, 0, 1]), 0x94),
        ("no topic", publish5(0x30, "", &[0x23, 0, 1]), 0x82),
        ("a wildcard", publish5(0x30, "/sys/#", &[]), 0x90),
        ("a property of others", publish5(0x30, TOPIC, &[0x0b, 1]), 0x82),
        ("no property", publish5(0x30, TOPIC, &[0x7f, 1]), 0x81),
        ("half a property", publish5(0x30, TOPIC, &[2, 0, 0]), 0x81),
        ("too much", long[..100].to_vec(), 0x95),
        ("a shared subscription", subscribe(&[], &["a", "$share/g/a"]), 0x9e),
        ("a subscription identifier", subscribe(&[0x0b, 1], &["a"]), 0xa1),
        ("a reason that there is not", packet(0x40, &[0, 1, 2, 0]), 0x81),
        ("AUTH", packet(0xf0, &[]), 0x82),
        ("a second CONNECT", connect5(USER_AND_PASSWORD, &[], &[]), 0x82),
    ] {
        let (mut socket, _) = device(&mut bench, &[]).await;
        socket.send(&bytes).await;
        let (kind, body) = socket.packet().await.unwrap();
        assert_eq!((kind, body[0]), (0xe0, reason), "{what}");
        assert_eq!(socket.packet().await, None, "{what}");
    }
    // The same without what makes it wrong.
    let (mut socket, _) = device(&mut bench, &[]).await;
    let user = [&[0x26][..], &text("k"), &text("v"), &[1, 1, 2, 0, 0, 0, 9]].concat();
    for bytes in [publish5(0x32, TOPIC, &user), packet(0x40, &[0, 1, 0x97, 0])] {
        socket.send(&bytes).await;
    }
    assert_eq!(socket.packet().await, Some((0x40, vec![0, 1])));
}

#[tokio::test]
async fn filters_that_are_none_are_not_granted() {
    let mut bench = Bench::open(ROOM).await;
    let (mut socket, _) = device(&mut bench, &[]).await;
    let filters = ["a/#/b", "", "a#", "+a", "#", "a/+/b", "/", "a/#"];
    socket.send(&subscribe(&[], &filters)).await;
    let granted = [&[0, 1, 0][..], &[0x8f; 4], &[1; 4]].concat();
    assert_eq!(socket.packet().await, Some((0x90, granted)));
    let (mut older, _) = bench.device("d2").await;
    let filter = [&[0, 1][..], &text("a/#/b"), &[1]].concat();
    older.send(&packet(0x82, &filter)).await;
    assert_eq!(
        older.packet().await,
        Some((0x90, vec![0, 1, 1])),
        "as always in MQTT 3.1.1"
    );
    older.send(&[&[0x31], &publish(TOPIC, "{}")[1..]].concat()).await;
    older.send(&[0xc0, 0]).await;
    assert_eq!(older.packet().await, Some((0xd0, Vec::new())));
}

#[tokio::test]
async fn a_client_owes_no_more_acknowledgements_than_it_takes_or_are_remembered() {
    let mut bench = Bench::open(ROOM).await;
    for (asked, most) in [(Some(3), 3), (Some(70), 64), (None, 64)] {
        let properties = asked.map_or_else(Vec::new, |asked: u8| vec![0x21, 0, asked]);
        let (mut socket, session) = device(&mut bench, &properties).await;
        for task in 1..=most + 2 {
            bench.order(session, wire(task));
            let (kind, _) = socket.packet().await.unwrap();
            assert_eq!(kind, if task <= most { 0x32 } else { 0x30 }, "{asked:?}, {task}");
        }
    }
}

#[tokio::test]
async fn a_command_that_fits_exactly_is_sent_and_a_larger_one_is_said_to_be_too_large() {
    let mut bench = Bench::open(ROOM).await;
    let (mut socket, session) = device(&mut bench, &[]).await;
    bench.order(session, wire(1));
    let (_, body) = socket.packet().await.unwrap();
    let exact = u32::try_from(2 + body.len() + usize::from(body.len() > 127)).unwrap();
    let (mut socket, session) = device(&mut bench, &packet_max(exact)).await;
    bench.order(session, wire(2));
    assert_eq!(socket.packet().await.unwrap().1.len(), body.len());
    let (mut socket, session) = device(&mut bench, &packet_max(exact - 1)).await;
    bench.order(session, wire(3));
    let too_large = bench.wait(|event| match event {
        DeviceEvent::TooLarge { wire, .. } => Some(*wire),
        _ => None,
    });
    assert_eq!(too_large.await, wire(3));
    socket.send(&[0xc0, 0]).await;
    assert_eq!(socket.packet().await, Some((0xd0, Vec::new())), "and stays in");
}

#[tokio::test]
async fn a_reason_is_told_in_as_many_words_as_the_client_takes() {
    let mut bench = Bench::open(ROOM).await;
    let (mut socket, _) = device(&mut bench, &packet_max(30)).await;
    socket.send(&publish5(0x34, TOPIC, &[])).await;
    assert_eq!(socket.packet().await, Some((0xe0, vec![0x9b, 0])));
    let (mut socket, _) = device(&mut bench, &packet_max(30)).await;
    socket.send(&subscribe(&[], &["a"; 40])).await;
    assert_eq!(
        socket.packet().await,
        Some((0xe0, vec![0x95, 0])),
        "its SUBACK would be larger"
    );
}

/// A CONNECT of an integration channel.
fn channel(level: u8) -> Vec<u8> {
    let version: &[u8] = if level == 5 { &[0] } else { &[] };
    let claims = (CHANNEL_DEVICE_KEY, SecureMode::IntegrationChannel, "ps");
    connect_with(claims, level, USER_AND_PASSWORD, version, &[])
}

#[tokio::test]
async fn a_channel_is_told_why_it_ends() {
    let bench = Bench::open(ROOM).await;
    let mut socket = bench.socket().await;
    socket.send(&channel(5)).await;
    assert_eq!(connack(&mut socket).await, 0);
    socket.send(&publish5(0x34, TOPIC, &[])).await;
    let (kind, body) = socket.packet().await.unwrap();
    assert_eq!((kind, body[0]), (0xe0, 0x9b));
    assert_eq!(socket.packet().await, None);
}

#[tokio::test]
async fn a_leaked_product_secret_does_not_take_every_place() {
    let mut bench = Bench::open(ROOM).await;
    let mut channels = Vec::new();
    for _ in 0..64 {
        let mut socket = bench.socket().await;
        socket.send(&channel(4)).await;
        assert_eq!(socket.connack().await, 0);
        channels.push(socket);
    }
    for (level, code) in [(4, 3), (5, 0x88)] {
        let mut beyond = bench.socket().await;
        beyond.send(&channel(level)).await;
        assert_eq!(connack(&mut beyond).await, code);
        assert_eq!(beyond.packet().await, None);
    }
    drop(bench.device("d1").await);
    let mut last = channels.pop().unwrap();
    last.send(&[0xe0, 0]).await;
    assert_eq!(last.packet().await, None);
    let mut next = bench.socket().await;
    next.send(&channel(4)).await;
    assert_eq!(next.connack().await, 0);
}
