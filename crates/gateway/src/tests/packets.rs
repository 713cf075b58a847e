//! The packets that are read and written by hand, judged by a library that does all of them.

use std::num::NonZeroU16;

use bytes::BytesMut;
use proptest::prelude::*;
use rmqtt_codec::types::{Publish, QoS};
use rmqtt_codec::v3::{Codec, Packet};
use rmqtt_codec::v5::{Codec as Codec5, Packet as Packet5, PublishProperties};
use tokio_util::codec::{Decoder as _, Encoder as _};

use crate::client_capabilities::Version;
use crate::packets::{self, Incoming, put_puback, put_publish_head};

const MAX: u16 = 1000;

/// The first packet in `bytes`, by the library: none yet, one with its length, or never one.
fn judged(bytes: &[u8]) -> Result<Option<(Packet, usize)>, ()> {
    let mut rest = BytesMut::from(bytes);
    let packet = Codec::new(MAX.into()).decode(&mut rest).map_err(drop)?;
    Ok(packet.map(|(packet, _)| (packet, bytes.len() - rest.len())))
}

/// The same by hand, in the library's words.
fn read(bytes: &[u8]) -> Result<Option<(Packet, usize)>, ()> {
    let packet = packets::read(bytes, MAX.into(), Version::V3).map_err(drop)?;
    Ok(packet.map(|(packet, length)| {
        let packet = match packet {
            Incoming::Publish(message) => Packet::Publish(Box::new(Publish {
                dup: bytes[0] & 8 != 0,
                retain: bytes[0] & 1 != 0,
                qos: message.qos,
                topic: message.topic.into(),
                packet_id: message.packet_id,
                payload: message.payload.to_vec().into(),
                properties: None,
            })),
            Incoming::PublishAck(packet_id) => Packet::PublishAck { packet_id },
            Incoming::Other(packet) => packet,
        };
        (packet, length)
    }))
}

fn encoded(packet: Packet) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    Codec::default().encode(packet, &mut bytes).unwrap();
    bytes.to_vec()
}

fn publish(topic: &str, packet_id: Option<NonZeroU16>, payload: &[u8]) -> Packet {
    Packet::Publish(Box::new(Publish {
        dup: false,
        retain: false,
        qos: if packet_id.is_some() {
            QoS::AtLeastOnce
        } else {
            QoS::AtMostOnce
        },
        topic: topic.into(),
        packet_id,
        payload: payload.to_vec().into(),
        properties: None,
    }))
}

/// Bytes of which many begin like a packet.
fn packet_like() -> impl Strategy<Value = Vec<u8>> {
    let text =
        "[a-z/泵]{0,6}".prop_map(|text| [&u16::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat());
    let body = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..12),
        prop::collection::vec(prop_oneof![text, prop::collection::vec(0..3_u8, 0..3)], 0..4)
            .prop_map(|parts| parts.concat()),
    ];
    let first = prop_oneof![0x30..0x40_u8, Just(0x40), any::<u8>()];
    (first, body, any::<bool>(), any::<u8>()).prop_map(|(first, body, right, length)| {
        let length = if right {
            u8::try_from(body.len()).unwrap()
        } else {
            length
        };
        [&[first, length][..], &body].concat()
    })
}

proptest! {
    #[test]
    fn packets_are_read_as_the_library_reads_them(bytes in packet_like(), more in prop::collection::vec(any::<u8>(), 0..4)) {
        let bytes = [bytes, more].concat();
        prop_assert_eq!(read(&bytes), judged(&bytes));
    }

    #[test]
    fn lengths_are_read_as_the_library_reads_them(first in any::<u8>(), length in prop::collection::vec(any::<u8>(), 0..6)) {
        let bytes = [vec![first], length].concat();
        prop_assert_eq!(read(&bytes), judged(&bytes));
    }

    #[test]
    fn packets_are_written_as_the_library_writes_them(
        start in "[a-z/泵]{1,20}",
        end in "[a-z/泵]{0,20}",
        packet_id in prop::option::of(any::<NonZeroU16>()),
        payload_len in prop_oneof![0..300_usize, 16_300..16_500_usize, Just(2_100_000)],
    ) {
        let payload = vec![7; payload_len];
        let mut written = Vec::new();
        put_publish_head(&mut written, Version::V3, [&start, &end], packet_id, payload.len()).unwrap();
        written.extend_from_slice(&payload);
        prop_assert!(written == encoded(publish(&(start + &end), packet_id, &payload)));
        if let Some(packet_id) = packet_id {
            let mut written = Vec::new();
            put_puback(&mut written, packet_id);
            prop_assert_eq!(written, encoded(Packet::PublishAck { packet_id }));
        }
    }
}

/// A PUBLISH of MQTT 5 as the library writes it.
fn publish5(topic: &str, packet_id: Option<NonZeroU16>, payload: &[u8], properties: PublishProperties) -> Vec<u8> {
    let Packet::Publish(mut packet) = publish(topic, packet_id, payload) else {
        unreachable!()
    };
    packet.properties = Some(properties);
    let mut bytes = BytesMut::new();
    Codec5::default().encode(Packet5::Publish(packet), &mut bytes).unwrap();
    bytes.to_vec()
}

fn properties() -> impl Strategy<Value = PublishProperties> {
    let texts = prop::collection::vec(("[a-z]{0,60}", "[a-z泵]{0,60}"), 0..4);
    (texts, any::<bool>(), prop::option::of(any::<std::num::NonZeroU32>())).prop_map(|(texts, is_text, expiry)| {
        PublishProperties {
            user_properties: texts
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            is_utf8_payload: is_text,
            message_expiry_interval: expiry,
            ..PublishProperties::default()
        }
    })
}

proptest! {
    #[test]
    fn messages_of_mqtt_5_are_read_without_their_properties(
        topic in "[a-z/泵]{1,20}",
        packet_id in prop::option::of(any::<NonZeroU16>()),
        payload in prop::collection::vec(any::<u8>(), 0..300),
        properties in properties(),
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes = publish5(&topic, packet_id, &payload, properties);
        let read = packets::read(&bytes, MAX.into(), Version::V5).unwrap();
        let Some((Incoming::Publish(message), length)) = read else {
            return Err(TestCaseError::fail("a message"));
        };
        prop_assert_eq!((message.topic, message.packet_id, message.payload), (topic.as_str(), packet_id, &payload[..]));
        prop_assert_eq!(length, bytes.len());
        let part = &bytes[..cut.index(bytes.len())];
        prop_assert!(packets::read(part, MAX.into(), Version::V5).unwrap().is_none());
    }

    #[test]
    fn messages_of_mqtt_5_are_written_as_the_library_writes_them(
        topic in "[a-z/泵]{1,20}",
        packet_id in prop::option::of(any::<NonZeroU16>()),
        payload_len in prop_oneof![0..300_usize, 16_300..16_500_usize],
    ) {
        let payload = vec![7; payload_len];
        let mut written = Vec::new();
        put_publish_head(&mut written, Version::V5, [&topic, ""], packet_id, payload.len()).unwrap();
        written.extend_from_slice(&payload);
        prop_assert!(written == publish5(&topic, packet_id, &payload, PublishProperties::default()));
    }

    #[test]
    fn no_bytes_of_mqtt_5_make_the_reader_panic(bytes in packet_like()) {
        let _whatever = packets::read(&bytes, MAX.into(), Version::V5);
        let _whatever = packets::read_connect(&bytes, MAX.into());
    }
}

#[test]
fn the_length_of_a_packet_is_known_before_it_is_written() {
    for payload_len in [0, 122, 123, 16_378, 16_379, 2_097_146, 2_097_147] {
        let mut written = Vec::new();
        put_publish_head(&mut written, Version::V3, ["abc", ""], None, payload_len).unwrap();
        let length = packets::publish_length(Version::V3, ["abc", ""], false, payload_len);
        assert_eq!(
            written.len() + payload_len,
            packets::packet_length(length),
            "{payload_len}"
        );
    }
}

#[test]
fn what_no_packet_can_carry_is_not_written() {
    let mut written = Vec::new();
    let long = "a".repeat(65_535);
    assert!(put_publish_head(&mut written, Version::V3, [&long, ""], None, 0).is_ok());
    assert!(put_publish_head(&mut written, Version::V3, [&long, "a"], None, 0).is_err());
    assert!(put_publish_head(&mut written, Version::V3, ["a", ""], None, 0x0fff_ffff - 3).is_ok());
    assert!(put_publish_head(&mut written, Version::V3, ["a", ""], None, 0x0fff_ffff - 2).is_err());
}
