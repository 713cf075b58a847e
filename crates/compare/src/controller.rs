//! A lean controller for a plain broker: it publishes every command and reads its reply, and keeps nothing but a count.

use std::net::SocketAddr;

use anyhow::Context as _;
use rumqttc::{AsyncClient, Event, EventLoop, Incoming, MqttOptions, QoS};

/// The product of the devices, in their topics.
pub(crate) const PRODUCT: &str = "compared";
/// The service that is invoked.
pub(crate) const SERVICE: &str = "ping";
/// Commands whose replies are awaited at the same time.
const WINDOW: usize = 1000;
/// Where the ids of commands begin, as long as those of Aldis.
const FIRST_ID: u64 = 1_000_000_000_000_000_000;

/// A connected controller.
pub(crate) struct Controller {
    client: AsyncClient,
    events: EventLoop,
}

impl Controller {
    /// Connects and subscribes to all replies.
    pub(crate) async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let mut options = MqttOptions::new("controller", address.ip().to_string(), address.port());
        options.set_inflight(u16::try_from(WINDOW)?);
        let (client, mut events) = AsyncClient::new(options, 2 * WINDOW);
        let replies = format!("/sys/{PRODUCT}/+/thing/service/{SERVICE}_reply");
        client.subscribe(replies, QoS::AtLeastOnce).await?;
        while !matches!(events.poll().await?, Event::Incoming(Incoming::SubAck(_))) {}
        Ok(Self { client, events })
    }

    /// Sends every device this many commands, job after job, at most [`WINDOW`] without their replies; one that failed
    /// is sent again.
    pub(crate) async fn command(&mut self, devices: &[String], jobs: usize) -> anyhow::Result<()> {
        let total = devices.len() * jobs;
        let (mut sent, mut done) = (0, 0);
        while done < total {
            while sent < total && sent - done < WINDOW {
                self.publish(&devices[sent % devices.len()], sent)?;
                sent += 1;
            }
            if let Event::Incoming(Incoming::Publish(reply)) = self.events.poll().await? {
                let said: serde_json::Value = serde_json::from_slice(&reply.payload)?;
                if said["code"] == 200 {
                    done += 1;
                } else {
                    let device = reply.topic.split('/').nth(3).context("a reply's topic")?;
                    self.publish(device, sent)?;
                }
            }
        }
        Ok(())
    }

    fn publish(&self, device: &str, number: usize) -> anyhow::Result<()> {
        let id = FIRST_ID + u64::try_from(number)?;
        let topic = format!("/sys/{PRODUCT}/{device}/thing/service/{SERVICE}");
        let payload = format!(r#"{{"id":"{id}","version":"1.0","method":"thing.service.{SERVICE}","params":{{}}}}"#);
        Ok(self.client.try_publish(topic, QoS::AtLeastOnce, false, payload)?)
    }
}
