use std::time::Duration;

use rmqtt_codec::types::QoS;
use rmqtt_codec::v3::{ConnectAckReason, Packet, SubscribeReturnCode};
use tokio::time::timeout;

use super::*;
use crate::peer::{Accepted, Peer};
use crate::wire::LinkError;
use crate::{FaultModel, LoseLink, Reply};

const MULTIPLY: &str = "/sys/pk/dk0/thing/service/multiply";
const SET: &str = "/sys/pk/dk0/thing/service/measurepoint/set";
const ID: u64 = 1_000_000_000_000_004_097;
const BRIEF: BackOff = BackOff {
    first: Duration::from_millis(2),
    longest: Duration::from_millis(10),
};

fn identities(count: usize) -> Vec<DeviceIdentity> {
    (0..count)
        .map(|n| DeviceIdentity::new("pk", format!("dk{n}"), "secret"))
        .collect()
}

fn options(behaviour: Behaviour) -> FleetOptions {
    FleetOptions {
        back_off: BRIEF,
        ..FleetOptions::with(move |_: &Recipient<'_>, _: &Received| behaviour.clone())
    }
}

/// One device with this behaviour, and the server's end of its first connection.
async fn one(options: FleetOptions) -> (FleetHandle, Peer, Accepted) {
    let peer = Peer::bind().await;
    let fleet = Fleet::start(peer.addr(), identities(1), options).unwrap();
    let accepted = peer.let_in().await;
    (fleet, peer, accepted)
}

async fn until(fleet: &FleetHandle, wanted: impl Fn(&Counts) -> bool + Send) -> Counts {
    match timeout(Duration::from_secs(20), fleet.wait_until(wanted)).await {
        Ok(counts) => counts,
        Err(_elapsed) => panic!("still {:?}", fleet.counts()),
    }
}

#[tokio::test]
async fn every_device_of_a_fleet_connects_and_answers() {
    let peer = Peer::bind().await;
    let journal = Journal::new();
    let options = FleetOptions {
        parallel_connects: 3,
        journal: Some(journal.clone()),
        ..FleetOptions::default()
    };
    let fleet = Fleet::start(peer.addr(), identities(20), options).unwrap();
    let mut links = Vec::new();
    for _ in 0..20 {
        links.push(peer.let_in().await);
    }
    assert_eq!(fleet.all_connected().await.unwrap().connected, 20);
    for (link, n) in links.iter_mut().zip(0_u64..) {
        let device = link.user_name().split('&').next().unwrap().to_owned();
        link.command(&format!("/sys/pk/{device}/thing/service/multiply"), ID + n, 3)
            .await;
        link.expect_puback(3).await;
        let (publish, payload) = link.expect_publish().await;
        assert_eq!(publish.topic, *format!("/sys/pk/{device}/thing/service/multiply_reply"));
        assert_eq!(
            payload,
            format!(r#"{{"id":"{}","code":200,"data":{{}},"message":""}}"#, ID + n)
        );
        link.puback(publish.packet_id.unwrap()).await;
    }
    let counts = until(&fleet, |counts| counts.replies_acknowledged == 20).await;
    assert_eq!((counts.commands, counts.pubacks, counts.replies), (20, 20, 20));
    assert_eq!((counts.foreign, counts.unreadable, counts.lost), (0, 0, 0));
    assert_eq!(journal.len(), 20);
    assert!(journal.delivered_twice().is_empty());
    fleet.stop().await;
    for mut link in links {
        assert_eq!(link.next().await, Packet::Disconnect);
    }
}

#[tokio::test]
async fn connects_are_paced() {
    let peer = Peer::bind().await;
    let options = FleetOptions {
        parallel_connects: 1,
        ..FleetOptions::default()
    };
    let fleet = Fleet::start(peer.addr(), identities(2), options).unwrap();
    let mut first = peer.accept().await;
    let early = timeout(Duration::from_millis(50), peer.accept()).await;
    assert!(early.is_err(), "the second device did not wait for its turn");
    first.connack(ConnectAckReason::ConnectionAccepted).await;
    let _second = peer.let_in().await;
    fleet.all_connected().await.unwrap();
}

#[tokio::test]
async fn a_refusal_is_reported_and_tried_again() {
    let peer = Peer::bind().await;
    let fleet = Fleet::start(peer.addr(), identities(1), options(Behaviour::silent())).unwrap();
    peer.accept().await.connack(ConnectAckReason::ServiceUnavailable).await;
    peer.accept().await.connack(ConnectAckReason::NotAuthorized).await;
    let refused = fleet.all_connected().await.unwrap_err();
    assert_eq!(refused, Refused { refused: 1, code: 5 });
    let _link = peer.let_in().await;
    let counts = until(&fleet, |counts| counts.connected == 1).await;
    assert_eq!((counts.put_off, counts.refused), (1, 1));
    fleet.all_connected().await.unwrap();
}

#[tokio::test]
async fn a_lost_server_is_looked_for_until_it_is_back() {
    let (fleet, peer, link) = one(options(Behaviour::silent())).await;
    until(&fleet, |counts| counts.connected == 1).await;
    let addr = peer.addr();
    drop((peer, link));
    until(&fleet, |counts| counts.connected == 0 && counts.unreachable >= 2).await;
    let peer = Peer {
        listener: tokio::net::TcpListener::bind(addr).await.unwrap(),
    };
    let _link = peer.let_in().await;
    let counts = until(&fleet, |counts| counts.connected == 1).await;
    assert_eq!((counts.accepted, counts.reconnected, counts.lost), (2, 1, 1));
}

#[tokio::test]
async fn a_command_may_come_together_with_the_connack() {
    let peer = Peer::bind().await;
    let _fleet = Fleet::start(peer.addr(), identities(1), options(Behaviour::code(200))).unwrap();
    let mut link = peer.accept().await;
    let payload = format!(r#"{{"id":"{ID}"}}"#);
    link.connack_and_publish(MULTIPLY, &payload, 1).await;
    link.expect_puback(1).await;
    link.expect_publish().await;
}

#[tokio::test]
async fn a_command_longer_than_one_read_arrives_whole() {
    let handler = |_: &Recipient<'_>, command: &Received| {
        let text = command.params()["text"].as_str().map_or(0, str::len).to_string();
        Behaviour::replying(Reply::Raw(text.into()))
    };
    let (_fleet, _peer, mut link) = one(FleetOptions::with(handler)).await;
    let payload = format!(r#"{{"id":"{ID}","params":{{"text":"{}"}}}}"#, "a".repeat(500_000));
    link.publish(MULTIPLY, &payload, 1).await;
    link.command(MULTIPLY, ID + 1, 2).await;
    for (packet_id, length) in [(1, "500000"), (2, "0")] {
        link.expect_puback(packet_id).await;
        assert_eq!(link.expect_publish().await.1, length);
    }
}

#[tokio::test]
async fn a_silent_device_only_acknowledges() {
    let (fleet, _peer, mut link) = one(options(Behaviour::silent())).await;
    link.command(MULTIPLY, ID, 1).await;
    link.expect_puback(1).await;
    link.command(MULTIPLY, ID + 1, 2).await;
    link.expect_puback(2).await;
    assert_eq!(until(&fleet, |counts| counts.commands == 2).await.replies, 0);
}

#[tokio::test]
async fn late_and_doubled_replies_come_at_their_time_and_without_puback() {
    let behaviour = Behaviour::code(2000)
        .after(Duration::from_millis(30))
        .again_after(Duration::from_millis(20))
        .without_puback();
    let (fleet, _peer, mut link) = one(options(behaviour)).await;
    let sent = std::time::Instant::now();
    link.command(MULTIPLY, ID, 1).await;
    let (first, payload) = link.expect_publish().await;
    assert!(sent.elapsed() >= Duration::from_millis(30));
    let (second, again) = link.expect_publish().await;
    assert!(sent.elapsed() >= Duration::from_millis(50));
    assert_eq!(payload, again);
    assert_ne!(first.packet_id, second.packet_id);
    let counts = until(&fleet, |counts| counts.replies == 2).await;
    assert_eq!((counts.commands, counts.pubacks), (1, 0));
}

#[tokio::test]
async fn a_link_lost_before_the_puback_leaves_only_the_reply_for_later() {
    let behaviour = Behaviour::code(200).losing_link(LoseLink::BeforePuback);
    let (_fleet, peer, mut link) = one(options(behaviour)).await;
    link.command(MULTIPLY, ID, 1).await;
    assert!(matches!(link.expect_end().await, LinkError::Io(_)));
    let mut link = peer.let_in().await;
    let (publish, _) = link.expect_publish().await;
    assert!(!publish.dup);
}

#[tokio::test]
async fn a_link_lost_after_the_puback_leaves_the_reply_for_later() {
    let behaviour = Behaviour::code(200).losing_link(LoseLink::AfterPuback);
    let (fleet, peer, mut link) = one(options(behaviour)).await;
    link.command(MULTIPLY, ID, 1).await;
    link.expect_puback(1).await;
    link.expect_end().await;
    let mut link = peer.let_in().await;
    link.expect_publish().await;
    assert_eq!(until(&fleet, |counts| counts.reconnected == 1).await.lost, 1);
}

#[tokio::test]
async fn an_unacknowledged_reply_is_repeated_on_the_next_connection() {
    let behaviour = Behaviour::code(200).losing_link(LoseLink::AfterReply);
    let (fleet, peer, mut link) = one(options(behaviour)).await;
    link.command(MULTIPLY, ID, 1).await;
    link.expect_puback(1).await;
    let (first, _) = link.expect_publish().await;
    link.expect_end().await;
    let mut link = peer.let_in().await;
    let (again, _) = link.expect_publish().await;
    assert!(again.dup);
    assert_eq!((again.packet_id, &again.payload), (first.packet_id, &first.payload));
    link.puback(again.packet_id.unwrap()).await;
    let counts = until(&fleet, |counts| counts.replies_acknowledged == 1).await;
    assert_eq!((counts.replies, counts.replies_repeated), (1, 1));
}

#[tokio::test]
async fn handlers_see_the_device_and_the_command() {
    let handler = |recipient: &Recipient<'_>, command: &Received| {
        let text = format!(
            "{} {} {}",
            recipient.identity.device_key,
            recipient.nth,
            command.params()
        );
        Behaviour::replying(Reply::Raw(text.into()))
    };
    let (_fleet, _peer, mut link) = one(FleetOptions::with(handler)).await;
    for nth in 0..2 {
        link.command(MULTIPLY, ID + nth, 1).await;
        link.expect_puback(1).await;
        assert_eq!(link.expect_publish().await.1, format!(r#"dk0 {nth} {{"left":6}}"#));
    }
}

#[tokio::test]
async fn the_fault_model_drives_a_fleet() {
    let model = FaultModel {
        failure: 1.0,
        failure_codes: vec![2042],
        ..FaultModel::default()
    };
    let (_fleet, _peer, mut link) = one(FleetOptions::with(model)).await;
    link.command(MULTIPLY, ID, 1).await;
    link.expect_puback(1).await;
    assert!(link.expect_publish().await.1.contains(r#""code":2042"#));
}

#[tokio::test]
async fn devices_ping_and_give_up_a_server_that_does_not_answer() {
    let options = FleetOptions {
        keep_alive_secs: 1,
        ..options(Behaviour::silent())
    };
    let (fleet, peer, mut link) = one(options).await;
    assert_eq!(link.connect.keep_alive, 1);
    assert_eq!(link.next().await, Packet::PingRequest);
    link.send(Packet::PingResponse).await;
    assert_eq!(link.next().await, Packet::PingRequest);
    let _second = peer.let_in().await;
    assert_eq!(until(&fleet, |counts| counts.reconnected == 1).await.pings, 2);
}

#[tokio::test]
async fn a_subscribing_device_loses_what_comes_before_the_suback() {
    let options = FleetOptions {
        subscribes: Subscribes::LikeC,
        ..options(Behaviour::code(200))
    };
    let (fleet, peer, mut link) = one(options).await;
    for (filter, number) in [(SET, 1), ("/sys/pk/dk0/thing/service/+", 2)] {
        let packet_id = match link.next().await {
            Packet::Subscribe {
                packet_id,
                topic_filters,
            } => {
                assert_eq!(topic_filters, [(filter.into(), QoS::AtMostOnce)]);
                packet_id
            }
            other => panic!("{other:?}"),
        };
        link.command(MULTIPLY, ID, number).await;
        link.expect_puback(number).await;
        let status = vec![SubscribeReturnCode::Success(QoS::AtMostOnce)];
        link.send(Packet::SubscribeAck { packet_id, status }).await;
    }
    link.command(MULTIPLY, ID + 1, 3).await;
    link.expect_puback(3).await;
    let (reply, _) = link.expect_publish().await;
    link.puback(reply.packet_id.unwrap()).await;
    let counts = until(&fleet, |counts| counts.replies_acknowledged == 1).await;
    assert_eq!((counts.dropped_unsubscribed, counts.commands), (2, 1));

    link.reset();
    let mut link = peer.let_in().await;
    link.command(SET, ID + 2, 4).await;
    link.expect_puback(4).await;
}

#[tokio::test]
async fn what_is_not_for_the_device_is_counted() {
    let (fleet, _peer, mut link) = one(options(Behaviour::silent())).await;
    link.publish("/sys/pk/dk0/thing/measurepoint/post_reply", "{}", 1).await;
    link.expect_puback(1).await;
    link.command("/sys/pk/dk/thing/service/multiply", ID, 2).await;
    link.expect_puback(2).await;
    let counts = until(&fleet, |counts| counts.commands == 1).await;
    assert_eq!((counts.unreadable, counts.foreign), (1, 1));
}

#[tokio::test]
async fn an_attempt_that_comes_twice_stands_in_the_journal() {
    let journal = Journal::new();
    let options = FleetOptions {
        journal: Some(journal.clone()),
        ..options(Behaviour::silent())
    };
    let (_fleet, _peer, mut link) = one(options).await;
    for (id, packet_id) in [(ID, 1), (ID + 1, 2), (ID, 3)] {
        link.command(MULTIPLY, id, packet_id).await;
        link.expect_puback(packet_id).await;
    }
    let twice: Vec<String> = journal.delivered_twice().iter().map(ToString::to_string).collect();
    assert_eq!(twice, [ID.to_string()]);
    assert_eq!(journal.records()[0].device.device_key, "dk0");
}

#[tokio::test]
async fn a_fleet_goes_offline_and_comes_back() {
    let (fleet, peer, mut link) = one(options(Behaviour::silent())).await;
    until(&fleet, |counts| counts.connected == 1).await;
    fleet.go_offline();
    assert_eq!(link.next().await, Packet::Disconnect);
    assert_eq!(until(&fleet, |counts| counts.connected == 0).await.lost, 0);
    fleet.go_online();
    let mut link = peer.let_in().await;
    until(&fleet, |counts| counts.connected == 1).await;
    fleet.cut_links();
    assert!(matches!(link.expect_end().await, LinkError::Io(_)));
    let _link = peer.let_in().await;
    assert_eq!(until(&fleet, |counts| counts.reconnected == 2).await.lost, 1);
}

#[tokio::test]
async fn a_dropped_handle_stops_the_fleet() {
    let (fleet, _peer, mut link) = one(options(Behaviour::silent())).await;
    until(&fleet, |counts| counts.connected == 1).await;
    drop(fleet);
    assert_eq!(link.next().await, Packet::Disconnect);
}
