//! What a device says besides replies: subscriptions, and requests of its own with their answers.

use rmqtt_codec::types::QoS;
use rmqtt_codec::v3::{Packet, SubscribeReturnCode};
use serde_json::{Value, json};

use super::{Device, DeviceError, publication};
use crate::Received;

/// The code in a SUBACK for a filter that was not granted.
const NOT_GRANTED: u8 = 0x80;

impl Device {
    /// Subscribes to these filters in one packet, and gives the codes of the SUBACK: the granted quality of service, or
    /// 0x80.
    ///
    /// # Errors
    /// If no SUBACK comes, or the connection ends.
    pub async fn subscribe(&mut self, filters: &[&str]) -> Result<Vec<u8>, DeviceError> {
        let expected = self.packet_id();
        let topic_filters = filters
            .iter()
            .map(|filter| ((*filter).into(), QoS::AtLeastOnce))
            .collect();
        self.send(Packet::Subscribe {
            packet_id: expected,
            topic_filters,
        })
        .await?;
        let codes = |packet: &Packet| match packet {
            Packet::SubscribeAck { packet_id, status } if *packet_id == expected => {
                Some(status.iter().map(code_of).collect())
            }
            _ => None,
        };
        self.wait_for("SUBACK", codes).await
    }

    /// Unsubscribes these filters in one packet, and waits for the UNSUBACK.
    ///
    /// # Errors
    /// If it does not come, or the connection ends.
    pub async fn unsubscribe(&mut self, filters: &[&str]) -> Result<(), DeviceError> {
        let expected = self.packet_id();
        let topic_filters = filters.iter().map(|filter| (*filter).into()).collect();
        self.send(Packet::Unsubscribe {
            packet_id: expected,
            topic_filters,
        })
        .await?;
        let done = |packet: &Packet| match packet {
            Packet::UnsubscribeAck { packet_id } if *packet_id == expected => Some(()),
            _ => None,
        };
        self.wait_for("UNSUBACK", done).await
    }

    /// Sends a request in the documented envelope with QoS 1 on the device's own topic with this path, such as
    /// `thing/measurepoint/post`, and gives the JSON of the answer on `<topic>_reply`.
    ///
    /// # Errors
    /// If no answer comes, or the connection ends.
    pub async fn request(&mut self, path: &str, params: Value) -> Result<Value, DeviceError> {
        let topic = self.identity.topic(path);
        self.ask(&topic, path, params).await
    }

    /// The same on a topic about sessions, such as `combine/login`.
    ///
    /// # Errors
    /// If no answer comes, or the connection ends.
    pub async fn session_request(&mut self, path: &str, params: Value) -> Result<Value, DeviceError> {
        let topic = self.identity.session_topic(path);
        self.ask(&topic, path, params).await
    }

    async fn ask(&mut self, topic: &str, path: &str, params: Value) -> Result<Value, DeviceError> {
        let packet_id = self.packet_id();
        let envelope = json!({
            "id": packet_id.to_string(),
            "version": "1.0",
            "method": path.replace('/', "."),
            "params": params,
        });
        self.send(publication(topic, envelope.to_string().into(), Some(packet_id)))
            .await?;
        let (_, payload) = self.next_message_on(&format!("{topic}_reply")).await?;
        serde_json::from_slice(&payload).map_err(|error| DeviceError::Unexpected(format!("{error} in {payload:?}")))
    }

    /// The next publication that is no command: its topic and payload.
    ///
    /// # Errors
    /// If none comes, or the connection ends.
    pub async fn next_message(&mut self) -> Result<(String, Vec<u8>), DeviceError> {
        self.wait_for("a message", |packet| as_message(packet, |_| true)).await
    }

    async fn next_message_on(&mut self, topic: &str) -> Result<(String, Vec<u8>), DeviceError> {
        self.wait_for("an answer", |packet| as_message(packet, |found| found == topic))
            .await
    }
}

fn as_message(packet: &Packet, wanted: impl Fn(&str) -> bool) -> Option<(String, Vec<u8>)> {
    let Packet::Publish(publish) = packet else {
        return None;
    };
    let topic: &str = &publish.topic;
    let is_message = wanted(topic) && Received::read(publish.clone()).is_err();
    is_message.then(|| (topic.to_owned(), publish.payload.to_vec()))
}

fn code_of(code: &SubscribeReturnCode) -> u8 {
    match code {
        SubscribeReturnCode::Success(qos) => qos.value(),
        SubscribeReturnCode::Failure => NOT_GRANTED,
    }
}
