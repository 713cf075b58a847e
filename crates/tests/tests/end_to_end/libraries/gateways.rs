//! The libraries as gateways: how each proves its sub-devices, and how these get their commands.

use std::time::Duration;

use aldis_client::{NewProduct, TaskStatus};
use aldis_simulator::DeviceIdentity;
use serde_json::{Value, json};

use super::library::{ALL, C_FILTERS, Library, sha256};
use super::wire::{Got, Wire};
use super::{command, id, started};
use crate::harness::{Plan, World, product};

/// The product of gateways.
const BOXES: &str = "box";

impl Library {
    /// The client id that it makes up for a sub-device.
    fn sub_client_id(self, sub: &DeviceIdentity) -> String {
        let (product, device) = (&sub.product_key, &sub.device_key);
        match self {
            Self::Node => device.clone(),
            Self::Java | Self::JavaPacked => format!("{product}.{device}.1795388113773"),
            Self::C | Self::CWithSets => format!("{product}{device}"),
        }
    }

    /// The moment that it signs: as a number, as a text, or since the device was switched on.
    fn sub_timestamp(self) -> Value {
        match self {
            Self::Node => json!(1_795_388_113_773_i64),
            Self::Java | Self::JavaPacked => json!("1795388113773"),
            Self::C | Self::CWithSets => json!("123456"),
        }
    }

    fn sign(self, client_id: &str, timestamp: &Value, sub: &DeviceIdentity) -> String {
        let DeviceIdentity {
            product_key,
            device_key,
            device_secret,
        } = sub;
        let at = timestamp.as_str().map_or_else(|| timestamp.to_string(), str::to_owned);
        let signed =
            format!("clientId{client_id}deviceKey{device_key}productKey{product_key}timestamp{at}{device_secret}");
        let lower = sha256(signed.as_bytes());
        match self {
            Self::Java | Self::JavaPacked => lower,
            Self::Node | Self::C | Self::CWithSets => lower.to_uppercase(),
        }
    }

    fn sign_method(self) -> &'static str {
        if self.subscribes() { "Sha256" } else { "sha256" }
    }

    /// `params` of a login.
    fn login(self, sub: &DeviceIdentity) -> Value {
        let (client_id, timestamp) = (self.sub_client_id(sub), self.sub_timestamp());
        let sign = self.sign(&client_id, &timestamp, sub);
        let mut params = json!({"productKey": sub.product_key, "deviceKey": sub.device_key, "clientId": client_id,
            "timestamp": timestamp, "signMethod": self.sign_method(), "cleanSession": "true", "sign": sign});
        if let Self::Java | Self::JavaPacked = self {
            params["secureMode"] = json!("2");
        }
        params
    }

    /// `params` of a login of several at once.
    fn login_batch(self, gateway: &DeviceIdentity, subs: &[DeviceIdentity]) -> Value {
        let client_id = match self {
            Self::Java | Self::JavaPacked => "login.batch".to_owned(),
            Self::Node | Self::C | Self::CWithSets => gateway.product_key.clone(),
        };
        let timestamp = json!("1795388113773");
        let one = |sub: &DeviceIdentity| {
            let sign = self.sign(&client_id, &timestamp, sub);
            let mut one = json!({"productKey": sub.product_key, "deviceKey": sub.device_key, "sign": sign});
            match self {
                Self::Java | Self::JavaPacked => one["secureMode"] = json!("2"),
                Self::Node => one["secureMode"] = json!(2),
                Self::C | Self::CWithSets => {}
            }
            one
        };
        json!({"clientId": client_id, "timestamp": timestamp, "signMethod": self.sign_method(),
            "subDevices": subs.iter().map(one).collect::<Vec<_>>()})
    }

    /// An entry of a request to the topology; Node's is what it logs in with.
    fn topology_entry(self, sub: &DeviceIdentity) -> Value {
        let (product, device) = (&sub.product_key, &sub.device_key);
        let timestamp = json!("1795388113773");
        let (client_id, method_key, method) = match self {
            Self::Node => return self.login(sub),
            Self::Java | Self::JavaPacked => (format!("{product}.{device}.1795388113773"), "signMethod", "sha256"),
            Self::C | Self::CWithSets => (format!("{product}.{device}"), "signmethod", "hmacSha256"),
        };
        let sign = self.sign(&client_id, &timestamp, sub);
        json!({"productKey": product, "deviceKey": device, "clientId": client_id, "timestamp": timestamp,
            method_key: method, "sign": sign})
    }

    /// C asks without wanting to know that the question has arrived.
    fn acknowledged(self, packet: u16) -> Option<u16> {
        (!self.subscribes()).then_some(packet)
    }
}

/// A gateway in the hands of a library.
struct Gateway<'w> {
    world: &'w World,
    library: Library,
    identity: DeviceIdentity,
    wire: Wire,
    requests: u16,
}

impl<'w> Gateway<'w> {
    async fn new(world: &'w World, library: Library) -> Self {
        let key = format!("{library:?}").to_lowercase();
        let identity = world.register(BOXES, &[key]).await.remove(0);
        let wire = started(world, library, &identity).await;
        Self {
            world,
            library,
            identity,
            wire,
            requests: 0,
        }
    }

    async fn sub_devices(&self, count: usize) -> Vec<DeviceIdentity> {
        let keys: Vec<String> = (0..count).map(|n| format!("{:?}-{n}", self.library)).collect();
        self.world.register("pump", &keys).await
    }

    /// Asks, and gives `data` of the answer, which must be a success.
    async fn ask(&mut self, area: &str, path: &str, params: &Value) -> Value {
        self.requests += 1;
        let DeviceIdentity {
            product_key,
            device_key,
            ..
        } = &self.identity;
        let topic = format!("{area}/{product_key}/{device_key}/{path}");
        let packet = self.library.acknowledged(1000 + self.requests);
        if packet.is_some() {
            let filter = format!("{topic}_reply");
            self.wire.subscribe(self.requests, &filter, 1).await;
            let granted = Got::SubAck {
                packet: self.requests,
                granted: 1,
            };
            assert_eq!(self.wire.next().await, granted);
        }
        let number = self.requests.to_string();
        let method = path.replace('/', ".");
        let request = json!({"id": number, "version": self.library.version(), "method": method, "params": params});
        self.wire.publish(&topic, request.to_string().as_bytes(), packet).await;
        let mut told = None;
        let mut acknowledged = packet.is_none();
        loop {
            if let Some(told) = told.take_if(|_| acknowledged) {
                return told;
            }
            match self.wire.next().await {
                Got::PubAck { packet: of } => acknowledged |= Some(of) == packet,
                Got::Publish { topic: to, payload, .. } => {
                    let mut answer: Value = serde_json::from_slice(&payload).unwrap();
                    assert_eq!((to, &answer["id"]), (format!("{topic}_reply"), &json!(number)));
                    assert_eq!(answer["code"], 200, "{:?} {path}: {answer}", self.library);
                    told = Some(answer["data"].take());
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Puts the sub-devices under the gateway.
    async fn take_in(&mut self, subs: &[DeviceIdentity]) {
        let entries: Vec<Value> = subs.iter().map(|sub| self.library.topology_entry(sub)).collect();
        self.ask("/sys", "thing/topo/add", &json!(entries)).await;
    }

    /// C subscribes to the sub-device's topics, one packet each.
    async fn subscribe_for(&mut self, sub: &DeviceIdentity) {
        if !self.library.subscribes() {
            return;
        }
        for (packet, filter) in (500..).zip(C_FILTERS) {
            let filter = format!("/sys/{}/{}/{filter}", sub.product_key, sub.device_key);
            self.wire.subscribe(packet, &filter, 0).await;
            assert_eq!(self.wire.next().await, Got::SubAck { packet, granted: 0 });
        }
    }

    /// As above, and no further than the first filter for commands.
    async fn subscribe_to_services(&mut self, sub: &DeviceIdentity) {
        let filter = format!("/sys/{}/{}/thing/service/+", sub.product_key, sub.device_key);
        self.wire.subscribe(600, &filter, 0).await;
        let granted = Got::SubAck {
            packet: 600,
            granted: 0,
        };
        assert_eq!(self.wire.next().await, granted);
    }

    async fn hears_nothing_for(&mut self, span: Duration) {
        if let Ok(heard) = tokio::time::timeout(span, self.wire.next()).await {
            panic!("{heard:?}");
        }
    }

    /// A command reaches the sub-device over this connection, and its reply counts.
    async fn carries_out(&mut self, sub: &DeviceIdentity) {
        let job = self.world.create(&Plan::device(sub).ttl(600)).await;
        let (topic, content) = command(&mut self.wire).await;
        assert_eq!(topic, format!("/sys/pump/{}/thing/service/multiply", sub.device_key));
        let reply = self.library.service_reply(id(&content), &json!({"product": 42}));
        let to = format!("{topic}_reply");
        self.wire.publish(&to, reply.as_bytes(), None).await;
        self.world.task_in(&job, TaskStatus::Succeed).await;
    }
}

async fn world() -> World {
    let world = World::open().await;
    let boxes = NewProduct {
        product_type: Some("Gateway".to_owned()),
        ..product(BOXES)
    };
    world.client.create_product(&boxes).await.unwrap();
    world
}

fn keys(sub: &DeviceIdentity) -> Value {
    json!({"productKey": sub.product_key, "deviceKey": sub.device_key})
}

#[tokio::test]
async fn every_library_logs_a_sub_device_in_and_out_and_carries_its_commands() {
    let world = world().await;
    for library in ALL {
        let mut gateway = Gateway::new(&world, library).await;
        let sub = gateway.sub_devices(1).await.remove(0);
        gateway.take_in(std::slice::from_ref(&sub)).await;
        let known = gateway.ask("/ext/session", "combine/login", &library.login(&sub)).await;
        assert_eq!(
            (&known["productKey"], &known["deviceKey"]),
            (&json!("pump"), &json!(sub.device_key))
        );
        gateway.subscribe_for(&sub).await;
        gateway.carries_out(&sub).await;
        let out = gateway.ask("/ext/session", "combine/logout", &keys(&sub)).await;
        assert_eq!(out, keys(&sub));
        assert_eq!(world.presence(&sub).await, "offline");
    }
}

#[tokio::test]
async fn every_library_logs_several_in_at_once_and_lists_its_topology() {
    let world = world().await;
    for library in ALL {
        let mut gateway = Gateway::new(&world, library).await;
        let subs = gateway.sub_devices(2).await;
        gateway.take_in(&subs).await;
        let topology = gateway.ask("/sys", "thing/topo/get", &json!({})).await;
        assert_eq!(topology, json!([keys(&subs[0]), keys(&subs[1])]));
        let batch = library.login_batch(&gateway.identity, &subs);
        let told = gateway.ask("/ext/session", "combine/login/batch", &batch).await;
        assert_eq!(told["loginedSubDevices"].as_array().map(Vec::len), Some(2), "{told}");
        assert_eq!(told["failedSubDevices"], json!([]));
        for sub in &subs {
            gateway.carries_out(sub).await;
        }
    }
}

/// C subscribes for its sub-devices after the login, one by one and packet by packet, and drops what comes before.
#[tokio::test]
async fn sub_devices_of_a_library_that_subscribes_wait_for_their_subscriptions_however_long_the_batch() {
    let world = world().await;
    let mut gateway = Gateway::new(&world, Library::C).await;
    let subs = gateway.sub_devices(3).await;
    gateway.take_in(&subs).await;
    let job = world.create(&Plan::devices(&subs).ttl(600)).await;
    let batch = Library::C.login_batch(&gateway.identity, &subs);
    gateway.ask("/ext/session", "combine/login/batch", &batch).await;
    for sub in &subs {
        // A second or more for each of them, and nothing for those that are not subscribed for.
        gateway.hears_nothing_for(Duration::from_millis(1_100)).await;
        gateway.subscribe_to_services(sub).await;
        let (topic, content) = command(&mut gateway.wire).await;
        assert_eq!(topic, format!("/sys/pump/{}/thing/service/multiply", sub.device_key));
        let reply = Library::C.service_reply(id(&content), &json!({"product": 42}));
        let to = format!("{topic}_reply");
        gateway.wire.publish(&to, reply.as_bytes(), None).await;
    }
    world
        .count_when(&job, "all succeeded", |count| count.succeed == 3)
        .await;
}
