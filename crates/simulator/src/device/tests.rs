use rmqtt_codec::v3::{ConnectAckReason, SubscribeReturnCode};
use serde_json::json;

use super::*;
use crate::peer::{Accepted, Peer};

const MULTIPLY: &str = "/sys/pk/dk/thing/service/multiply";
const MULTIPLY_REPLY: &str = "/sys/pk/dk/thing/service/multiply_reply";
const ID: u64 = 1_000_000_000_000_004_097;

fn identity() -> DeviceIdentity {
    DeviceIdentity::new("pk", "dk", "secret")
}

async fn pair() -> (Device, Accepted) {
    let peer = Peer::bind().await;
    let identity = identity();
    let (device, accepted) = tokio::join!(Device::connected(&identity, peer.addr()), peer.let_in());
    (device.unwrap(), accepted)
}

#[tokio::test]
async fn connecting_says_the_login_and_gives_the_code() {
    let peer = Peer::bind().await;
    let mut device = Device::new(&identity());
    device.login_mut().password = "wrong".into();
    let refuse = async {
        let mut accepted = peer.accept().await;
        accepted.connack(ConnectAckReason::NotAuthorized).await;
        accepted.connect
    };
    let (code, connect) = tokio::join!(device.try_connect(peer.addr()), refuse);
    assert_eq!(code.unwrap(), 5);
    assert_eq!(
        connect.client_id,
        "dk|securemode=2,signmethod=sha256,timestamp=1700000000000|"
    );
    assert_eq!(connect.username.unwrap(), "dk&pk");
    assert_eq!(connect.password.unwrap(), "wrong");
    assert_eq!((connect.clean_session, connect.keep_alive), (true, 60));
}

#[tokio::test]
async fn a_command_is_answered_packet_by_packet() {
    let (mut device, mut server) = pair().await;
    let journal = Journal::new();
    device.keep_journal(&journal);
    server.command(MULTIPLY, ID, 7).await;
    let command = device.next_command().await.unwrap();
    assert_eq!((command.id(), command.service()), ("1000000000000004097", "multiply"));
    assert_eq!(journal.records()[0].id, command.wire_id().unwrap());

    device.puback(&command).await.unwrap();
    server.expect_puback(7).await;
    let reply = device
        .reply(&command, 200, json!({"product": 42}), "done")
        .await
        .unwrap();
    let (publish, payload) = server.expect_publish().await;
    assert_eq!(publish.topic, MULTIPLY_REPLY);
    assert_eq!(
        payload,
        r#"{"id":"1000000000000004097","code":200,"data":{"product":42},"message":"done"}"#
    );
    server.puback(publish.packet_id.unwrap()).await;
    device.acknowledged(reply).await.unwrap();

    device.reply_raw(&command, "rubbish").await.unwrap();
    assert_eq!(server.expect_publish().await.1, "rubbish");
    device.disconnect().await.unwrap();
    assert_eq!(server.next().await, Packet::Disconnect);
    assert!(matches!(server.expect_end().await, LinkError::Closed));
}

#[tokio::test]
async fn what_comes_in_between_is_kept() {
    let (mut device, mut server) = pair().await;
    server
        .publish("/sys/pk/dk/thing/measurepoint/post_reply", "{}", 1)
        .await;
    server.command(MULTIPLY, ID, 2).await;
    let (pong, ()) = tokio::join!(device.ping(), async {
        assert_eq!(server.next().await, Packet::PingRequest);
        server.send(Packet::PingResponse).await;
    });
    pong.unwrap();
    assert_eq!(device.next_command().await.unwrap().packet_id(), Some(2));
    assert_eq!(
        device.next_message().await.unwrap().0,
        "/sys/pk/dk/thing/measurepoint/post_reply"
    );
}

#[tokio::test]
async fn requests_find_their_answer() {
    let (mut device, mut server) = pair().await;
    let (answer, request) = tokio::join!(device.request("thing/measurepoint/post", json!({"temp": 1})), async {
        let (publish, payload) = server.expect_publish().await;
        server.puback(publish.packet_id.unwrap()).await;
        server.publish("/sys/pk/dk/thing/tag/query_reply", "{}", 1).await;
        server
            .publish(&format!("{}_reply", publish.topic), r#"{"code":200}"#, 2)
            .await;
        payload
    });
    assert_eq!(answer.unwrap(), json!({"code": 200}));
    let request: Value = serde_json::from_str(&request).unwrap();
    assert_eq!(request["method"], "thing.measurepoint.post");
    assert_eq!(request["params"], json!({"temp": 1}));
}

#[tokio::test]
async fn subscriptions_give_their_codes() {
    let (mut device, mut server) = pair().await;
    let (codes, ()) = tokio::join!(device.subscribe(&["a/+", "#"]), async {
        match server.next().await {
            Packet::Subscribe {
                packet_id,
                topic_filters,
            } => {
                assert_eq!(topic_filters[0].0, "a/+");
                let status = vec![
                    SubscribeReturnCode::Success(QoS::AtLeastOnce),
                    SubscribeReturnCode::Failure,
                ];
                server.send(Packet::SubscribeAck { packet_id, status }).await;
            }
            other => panic!("{other:?}"),
        }
    });
    assert_eq!(codes.unwrap(), [1, 0x80]);
    let (done, ()) = tokio::join!(device.unsubscribe(&["#"]), async {
        match server.next().await {
            Packet::Unsubscribe { packet_id, .. } => server.send(Packet::UnsubscribeAck { packet_id }).await,
            other => panic!("{other:?}"),
        }
    });
    done.unwrap();
}

#[tokio::test]
async fn a_dropped_link_ends_quietly_and_a_reset_one_with_an_error() {
    let (mut device, mut server) = pair().await;
    device.drop_link();
    assert!(matches!(server.expect_end().await, LinkError::Closed));
    let (mut device, mut server) = pair().await;
    device.reset_link();
    assert!(matches!(server.expect_end().await, LinkError::Io(_)));
    assert!(matches!(device.ping().await, Err(DeviceError::NotConnected)));
}

#[tokio::test]
async fn the_end_of_a_connection_can_be_demanded() {
    let (mut device, server) = pair().await;
    drop(server);
    device.expect_closed().await.unwrap();
    let (mut device, server) = pair().await;
    server.reset();
    assert!(device.next_command().await.unwrap_err().is_closed());
    let (mut device, _server) = pair().await;
    device.set_patience(Duration::from_millis(20));
    let error = device.expect_closed().await.unwrap_err();
    assert!(matches!(error, DeviceError::TimedOut { .. }), "{error}");
}

#[tokio::test]
async fn no_command_can_be_demanded() {
    let (mut device, mut server) = pair().await;
    device.no_command_within(Duration::from_millis(20)).await.unwrap();
    server.command(MULTIPLY, ID, 1).await;
    let error = device.no_command_within(Duration::from_secs(20)).await.unwrap_err();
    assert!(error.to_string().contains("1000000000000004097"), "{error}");
}

#[tokio::test]
async fn bytes_that_are_no_mqtt_can_be_sent() {
    let peer = Peer::bind().await;
    let mut device = Device::new(&identity());
    device.open_socket(peer.addr()).await.unwrap();
    device
        .send_raw(&[
            0x10, 0x11, 0, 4, b'M', b'Q', b'T', b'T', 4, 0xc2, 0, 60, 0, 0, 0, 1, b'u', 0,
        ])
        .await
        .unwrap();
    device.send_raw(&[0]).await.unwrap();
    let accepted = peer.accept().await;
    assert_eq!((accepted.user_name(), accepted.connect.keep_alive), ("u", 60));
}
