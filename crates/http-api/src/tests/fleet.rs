//! A world with the real engine behind the API and devices that tests play themselves.

use std::sync::Arc;

use aldis_core::ids::DeviceNo;
use aldis_core::task::Reply;
use aldis_core::time::Clock as _;
use aldis_store::{DeviceRef, Store};
use axum::body::Body;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::world::{Answered, Hands, World, unsigned};
use aldis_app::Settings;
use aldis_engine::clock::Reading;
use aldis_engine::link::{AnswerTo, DeviceEvent, DeviceLink, Kinds, Order, Outgoing, SessionNo};
use aldis_engine::writer::{Inbox, Writer};
use aldis_engine::{Engine, Ports, Wake};

pub(super) const PATH: &str = "/connect-service/v2.5/commands";

/// Keeps what was to be sent.
#[derive(Default)]
struct Link(Mutex<Vec<Outgoing>>);

impl DeviceLink for Link {
    fn carry_out(&self, orders: Vec<Order>) {
        let published = orders.into_iter().filter_map(|order| match order {
            Order::Publish(outgoing) => Some(outgoing),
            Order::Acknowledge { .. } | Order::Notify { .. } | Order::Reset { .. } | Order::Break { .. } => None,
        });
        self.0.lock().extend(published);
    }
}

pub(super) struct Fleet {
    pub(super) world: World,
    engine: Arc<Mutex<Engine>>,
    inbox: Arc<Inbox>,
    link: Arc<Link>,
    clock: Arc<Hands>,
}

impl Fleet {
    /// Model, product `productKey` and devices `deviceKey`, `d2`, `d3`; the server has been up for some minutes.
    pub(super) async fn new() -> Self {
        Self::with(Settings {
            no_auth: true,
            ..Settings::default()
        })
        .await
    }

    pub(super) async fn with(settings: Settings) -> Self {
        let woken = Arc::new(Notify::new());
        let wake = Arc::clone(&woken);
        let inbox = Inbox::new(move || wake.notify_one());
        let link = Arc::new(Link::default());
        let mut built = None;
        let world = World::built(settings, |mut store, clock, shared| {
            let engine = Engine::start(
                Ports {
                    epoch: store.begin_epoch().unwrap(),
                    store: Box::new(store),
                    link: Arc::<Link>::clone(&link),
                    inbox: Arc::clone(&inbox),
                    observers: Vec::new(),
                    shared: shared.clone(),
                },
                Reading::right(clock.now()),
            );
            built = Some((Arc::new(Mutex::new(engine.unwrap())), clock));
            Writer::new(Arc::clone(&inbox))
        });
        let (engine, clock) = built.unwrap();
        let (driven, now) = (Arc::clone(&engine), Arc::clone(&clock));
        tokio::spawn(async move {
            loop {
                woken.notified().await;
                drive(&driven, &now);
            }
        });
        let fleet = Self {
            world,
            engine,
            inbox,
            link,
            clock,
        };
        fleet.advance_ms(300_000);
        fleet.register().await;
        fleet
    }

    async fn register(&self) {
        self.model("model", json!({"input": {"dataType": "INT"}}), json!({}))
            .await;
        self.product("productKey", "model", "Json").await;
        for key in ["deviceKey", "d2", "d3"] {
            self.device("productKey", key).await;
        }
    }

    /// A model with one service `serviceId` that has these inputs, and the point `temperature`.
    pub(super) async fn model(&self, id: &str, inputs: Value, more: Value) {
        let inputs = inputs.as_object().unwrap().iter().map(|(identifier, spec)| {
            let mut input = spec.clone();
            input["identifier"] = json!(identifier);
            input["name"] = json!({"defaultValue": identifier});
            input
        });
        let service = json!({"identifier": "serviceId", "name": {"defaultValue": "S"},
            "inputData": inputs.collect::<Vec<_>>(), "outputData": []});
        let point = json!({"identifier": "temperature", "name": {"defaultValue": "T"}, "dataType": "DOUBLE"});
        let mut model = json!({"modelId": id, "name": {"defaultValue": id}, "services": {"serviceId": service},
            "measurepoints": {"temperature": point}});
        for (field, value) in more.as_object().unwrap() {
            model[field] = value.clone();
        }
        let target = "/model-service/v2.1/thing-models?action=create&orgId=o1";
        self.world.post(target, model).await.data();
    }

    pub(super) async fn product(&self, key: &str, model: &str, format: &str) {
        let product = json!({"productName": {"defaultValue": key}, "modelId": model, "productType": "Device",
            "dataFormat": format, "biDirectionalAuth": false, "productKey": key});
        let target = "/connect-service/v2.1/products?action=create&orgId=o1";
        self.world.post(target, product).await.data();
    }

    /// Registers a device; its asset id.
    pub(super) async fn device(&self, product: &str, key: &str) -> String {
        let device = json!({"productKey": product, "deviceKey": key, "assetId": format!("asset-{product}-{key}"),
            "timezone": "+08:00", "deviceName": {"defaultValue": key}});
        let target = "/connect-service/v2.1/devices?action=create&orgId=o1";
        let created = self.world.post(target, device).await;
        created.data()["assetId"].as_str().unwrap().to_owned()
    }

    /// Calls an action on commands.
    pub(super) async fn call(&self, query: &str, body: Value) -> Answered {
        self.world.post(&format!("{PATH}?orgId=o1&action={query}"), body).await
    }

    /// Calls an action with an idempotency key.
    pub(super) async fn call_once(&self, query: &str, key: &str, body: Value) -> Answered {
        let request = unsigned(&format!("{PATH}?orgId=o1&action={query}")).header("Idempotency-Key", key);
        self.world
            .send(request.body(Body::from(body.to_string())).unwrap())
            .await
    }

    /// Creates a job that has to be accepted; its id.
    pub(super) async fn create(&self, body: Value) -> String {
        let created = self.call("createJob", body).await;
        self.turn();
        created.data().as_str().unwrap().to_owned()
    }

    /// The elements of a search for the tasks of a job, in the order of their devices in the job.
    pub(super) async fn tasks(&self, job: &str) -> Vec<Value> {
        let body = json!({"expression": format!("jobId = '{job}'"), "pagination": {"pageNo": 1, "pageSize": 1000}});
        let found = self.call("searchTask", body).await;
        let mut tasks = found.data().as_array().unwrap().clone();
        tasks.reverse();
        tasks
    }

    /// The states of a job's tasks.
    pub(super) async fn states(&self, job: &str) -> Vec<String> {
        let tasks = self.tasks(job).await;
        tasks
            .iter()
            .map(|task| task["status"].as_str().unwrap().to_owned())
            .collect()
    }

    pub(super) async fn statistics(&self, job: &str) -> Value {
        self.call(&format!("queryStatistics&jobId={job}"), json!({}))
            .await
            .data()
            .clone()
    }

    /// How many commands callers wait for.
    pub(super) fn waited_for(&self) -> usize {
        self.world.app.shared().waiters.tasks().len()
    }

    /// Sets how many callers may wait.
    pub(super) fn bound_waiters(&self, most: usize) {
        self.world.app.shared().waiters.bound(most);
    }

    pub(super) fn turn(&self) {
        drive(&self.engine, &self.clock);
    }

    pub(super) fn advance_ms(&self, ms: i64) {
        self.world.advance_ms(ms);
        self.turn();
    }

    fn number(&self, key: &str) -> DeviceNo {
        let keys = DeviceRef::Keys("productKey".into(), key.into());
        self.world.store().devices(&[keys]).unwrap()[0].as_ref().unwrap().no
    }

    /// A device of `productKey` comes and is ready for commands.
    pub(super) fn connect(&self, key: &str) {
        let device = self.number(key);
        let session = SessionNo(device.0);
        self.world.set_online(device);
        self.report(DeviceEvent::Connected { session, device });
        self.report(DeviceEvent::Ready {
            session,
            device,
            kinds: Kinds::ALL,
        });
        self.turn();
    }

    /// The device's session ends.
    pub(super) fn disconnect(&self, key: &str) {
        let device = self.number(key);
        let session = SessionNo(device.0);
        self.report(DeviceEvent::Disconnected { session, device });
        self.turn();
    }

    /// The server is told to stop.
    pub(super) fn stop(&self) {
        self.engine.lock().stop();
        self.turn();
    }

    /// The next thing that is sent, once it is.
    pub(super) async fn sent_soon(&self) -> Outgoing {
        loop {
            if let Some(outgoing) = self.sent().pop() {
                assert!(outgoing.gate.take());
                outgoing.gate.handed_over(self.clock.now());
                return outgoing;
            }
            tokio::task::yield_now().await;
        }
    }

    /// What was sent since the last look.
    pub(super) fn sent(&self) -> Vec<Outgoing> {
        std::mem::take(&mut *self.link.0.lock())
    }

    /// The only thing sent since the last look.
    pub(super) fn sent_one(&self) -> Outgoing {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1);
        let outgoing = sent.pop().unwrap();
        assert!(outgoing.gate.take());
        outgoing.gate.handed_over(self.clock.now());
        outgoing
    }

    /// A device that answers has got the attempt.
    pub(super) fn ack(&self, outgoing: &Outgoing) {
        let _taken_before = outgoing.gate.take();
        self.report(DeviceEvent::Acked {
            device: outgoing.device,
            wire: outgoing.wire,
        });
        self.turn();
    }

    pub(super) fn reply(&self, outgoing: &Outgoing, code: i64, output: Option<&str>) {
        let _taken_before = outgoing.gate.take();
        let to = match outgoing.command.as_ref() {
            aldis_core::command::Command::InvokeService { service_id, .. } => AnswerTo::Service(service_id.clone()),
            aldis_core::command::Command::SetMeasurepoint { .. } => AnswerTo::Points,
        };
        self.report(DeviceEvent::Replied {
            session: outgoing.session,
            device: outgoing.device,
            wire: Some(outgoing.wire),
            mentioned: None,
            to,
            reply: Reply {
                code: Some(code),
                message: None,
                output: output.map(str::to_owned),
            },
            packet: Some(1),
        });
        self.turn();
    }

    fn report(&self, event: DeviceEvent) {
        assert!(self.inbox.report(event));
    }
}

fn drive(engine: &Mutex<Engine>, clock: &Hands) {
    let mut engine = engine.lock();
    while engine.run_once(Reading::right(clock.now())) == Wake::Now {}
}

/// The documented request.
pub(super) fn sample() -> Value {
    json!({
        "timeoutPolicy": {"inProgressTimeoutInSeconds": 30, "ttlTimeoutInSeconds": 20},
        "retryPolicy": {"enableRetry": true, "retryCount": 3, "retryIntervalInSeconds": 300},
        "name": {"defaultValue": "commandJobName", "i18nValue": {"en_US": "name", "zh_CN": "中文名"}},
        "schedulePolicy": {"disposableSchedulePolicy": {"triggerTs": 1_718_952_446_317_i64}, "scheduleType": "DISPOSABLE"},
        "commandInfo": {"commandType": "SERVICE_INVOKE", "serviceInvokeInfo": {"inputData": {"input": 22}, "serviceId": "serviceId"}},
        "targetScope": {"targetDevices": [{"deviceKey": "deviceKey", "productKey": "productKey"}], "targetType": "DEVICE_LIST"},
        "desc": "commandJobDescription"
    })
}

/// The shortest request: one device, at once, no retries.
pub(super) fn brief() -> Value {
    json!({
        "name": {"defaultValue": "n"}, "desc": "", "schedulePolicy": {"scheduleType": "DISPOSABLE"},
        "commandInfo": {"serviceInvokeInfo": {"serviceId": "serviceId"}},
        "targetScope": {"targetDevices": [{"deviceKey": "deviceKey", "productKey": "productKey"}], "targetType": "DEVICE_LIST"}
    })
}

/// The shortest request for these devices of `productKey`.
pub(super) fn brief_for(keys: &[&str]) -> Value {
    let targets: Vec<Value> = keys
        .iter()
        .map(|key| json!({"productKey": "productKey", "deviceKey": key}))
        .collect();
    with(brief(), "/targetScope/targetDevices", json!(targets))
}

/// `body` with one value set, by JSON pointer; the last name may be new.
pub(super) fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match (body.pointer_mut(parent).unwrap(), name.parse::<usize>()) {
        (Value::Array(elements), Ok(index)) => elements[index] = value,
        (parent, _) => parent[name] = value,
    }
    body
}

/// `body` without one value.
pub(super) fn without(mut body: Value, pointer: &str) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent)
        .unwrap()
        .as_object_mut()
        .unwrap()
        .remove(name)
        .unwrap();
    body
}
