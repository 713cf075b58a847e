//! A server with a thing model, a product and devices, and the questions that tests ask again and again.

use std::fmt::Debug;

use aldis_client::{Client, Credentials, NewDevice, NewProduct, Search, StatusCount, Task, TaskStatus, ThingModel};
use aldis_simulator::{Device, DeviceIdentity, Fleet, FleetHandle, FleetOptions};
use serde_json::{Map, Value, json};

use super::http::Api;
use super::job::Plan;
use super::server::{Server, Start};
use super::wait::eventually;

/// The product of every world.
pub(crate) const PRODUCT: &str = "pump";
pub(crate) const MODEL: &str = "pump-model";
/// Entries of one registration.
const BATCH: usize = 1000;

pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) client: Client,
    pub(crate) api: Api,
}

impl World {
    /// Signed calls with the first key.
    pub(crate) async fn new() -> Self {
        Self::with(Start::default()).await
    }

    pub(crate) async fn with(start: Start) -> Self {
        let server = Server::start_with(start).await;
        let key = server.admin_key();
        let api = Api::signed(server.http, key.clone()).await;
        Self::furnished(server, api, key.into()).await
    }

    /// Unsigned calls.
    pub(crate) async fn open() -> Self {
        Self::open_with(Start::default()).await
    }

    /// The same, by a server that is started like this.
    pub(crate) async fn open_with(mut start: Start) -> Self {
        start.flags.push("--no-auth".to_owned());
        let server = Server::start_with(start).await;
        let api = Api::unsigned(server.http, "o1");
        Self::furnished(server, api, Credentials::Unsigned { org_id: "o1".into() }).await
    }

    async fn furnished(server: Server, api: Api, credentials: Credentials) -> Self {
        let client = server.client(credentials);
        client.create_model(&model()).await.unwrap();
        client.create_product(&product(PRODUCT)).await.unwrap();
        Self { server, client, api }
    }

    /// Registers a device of the product.
    pub(crate) async fn device(&self, key: &str) -> DeviceIdentity {
        self.devices(&[key]).await.remove(0)
    }

    /// Registers devices of the product.
    pub(crate) async fn devices(&self, keys: &[&str]) -> Vec<DeviceIdentity> {
        let keys: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
        self.register(PRODUCT, &keys).await
    }

    /// Registers devices of the product, `d0` and so on.
    pub(crate) async fn many_devices(&self, count: usize) -> Vec<DeviceIdentity> {
        let keys: Vec<String> = (0..count).map(|n| format!("d{n}")).collect();
        self.register(PRODUCT, &keys).await
    }

    pub(crate) async fn register(&self, product: &str, keys: &[String]) -> Vec<DeviceIdentity> {
        for keys in keys.chunks(BATCH) {
            let devices: Vec<NewDevice> = keys
                .iter()
                .map(|key| NewDevice {
                    device_key: Some(key.clone()),
                    device_secret: Some(secret(key).into()),
                    asset_id: Some(format!("asset-{product}-{key}")),
                    ..NewDevice::new(product, key.as_str())
                })
                .collect();
            let answer = self.client.create_devices(&devices).await.unwrap();
            assert_eq!(answer.success_size, Some(keys.len() as u64), "{}", answer.raw());
        }
        keys.iter()
            .map(|key| DeviceIdentity::new(product, key, secret(key)))
            .collect()
    }

    /// A device in the hands of the test, registered and let in.
    pub(crate) async fn connected(&self, key: &str) -> Device {
        let identity = self.device(key).await;
        self.connect(&identity).await
    }

    pub(crate) async fn connect(&self, identity: &DeviceIdentity) -> Device {
        Device::connected(identity, self.server.mqtt).await.unwrap()
    }

    /// Devices that act by themselves, all connected.
    pub(crate) async fn fleet(&self, devices: Vec<DeviceIdentity>, options: FleetOptions) -> FleetHandle {
        let fleet = Fleet::start(self.server.mqtt, devices, options).unwrap();
        let connected = tokio::time::timeout(super::wait::PATIENCE, fleet.all_connected()).await;
        connected.expect("all devices connect in time").unwrap();
        fleet
    }

    /// Creates a job and gives its id.
    #[track_caller]
    pub(crate) fn create(&self, plan: &Plan) -> impl Future<Output = String> {
        let caller = std::panic::Location::caller();
        async move {
            match self.client.create_job(&plan.0).await {
                Ok(answer) => answer.data,
                Err(error) => panic!("{caller}: {error}"),
            }
        }
    }

    /// The job's only task.
    pub(crate) async fn task(&self, job: &str) -> Task {
        let mut tasks = self.tasks(job).await;
        assert_eq!(tasks.len(), 1, "{tasks:?}");
        tasks.remove(0)
    }

    /// The job's tasks, in the order in which they were made.
    pub(crate) async fn tasks(&self, job: &str) -> Vec<Task> {
        let mut pages = self.client.tasks_of(job);
        let mut tasks = Vec::new();
        while let Some(task) = pages.next().await.unwrap() {
            tasks.push(task);
        }
        tasks.sort_by(|a: &Task, b| a.task_id.cmp(&b.task_id));
        tasks
    }

    /// The job's only task, as soon as it is in this state.
    #[track_caller]
    pub(crate) fn task_in(&self, job: &str, status: TaskStatus) -> impl Future<Output = Task> {
        self.task_when(job, status, move |task| task.status == status)
    }

    /// The job's only task, as soon as it is as wanted.
    #[track_caller]
    pub(crate) fn task_when(
        &self,
        job: &str,
        what: impl Debug,
        wanted: impl Fn(&Task) -> bool,
    ) -> impl Future<Output = Task> {
        let what = format!("task of job {job} being {what:?}");
        async move {
            eventually(&what, || async {
                let task = self.task(job).await;
                wanted(&task).then_some(task)
            })
            .await
        }
    }

    /// The statistics, as soon as they are as wanted.
    #[track_caller]
    pub(crate) fn count_when(
        &self,
        job: &str,
        what: &str,
        wanted: impl Fn(&StatusCount) -> bool,
    ) -> impl Future<Output = StatusCount> {
        let what = format!("job {job}: {what}");
        async move {
            eventually(&what, || async {
                let count = self.client.statistics(job).await.unwrap().data;
                wanted(&count).then_some(count)
            })
            .await
        }
    }

    /// Counts the tasks of a job one state at a time, and demands that the statistics say the same.
    pub(crate) async fn recounted(&self, job: &str) -> StatusCount {
        eventually("statistics that stand still while tasks are counted", || async {
            let before = self.client.statistics(job).await.unwrap().data;
            let counted = self.count_by_search(job).await;
            let after = self.client.statistics(job).await.unwrap().data;
            if before != after {
                return None;
            }
            assert_eq!(counted, after, "counted by search, and said by the statistics");
            Some(after)
        })
        .await
    }

    async fn count_by_search(&self, job: &str) -> StatusCount {
        let count = async |status: &str| {
            let filter = if status.is_empty() {
                String::new()
            } else {
                format!(" and status = '{status}'")
            };
            let search = Search::page(Some(&format!("jobId = '{job}'{filter}")), 1, 0);
            self.client
                .search_tasks(&search)
                .await
                .unwrap()
                .pagination
                .unwrap()
                .total_size
        };
        StatusCount {
            total: count("").await,
            init: count("INIT").await + count("QUEUED").await,
            published: count("PUBLISHED").await,
            in_progress: count("IN_PROGRESS").await,
            succeed: count("SUCCEED").await,
            failed: count("FAILED").await,
            canceled: count("CANCELLED").await,
            ttl_timeout: count("TTL_TIMEOUT").await,
            rsp_timeout: count("RSP_TIMEOUT").await,
        }
    }

    /// What a device is said to be: `online`, `offline`, `inactive`, `disabled`.
    pub(crate) async fn presence(&self, device: &DeviceIdentity) -> String {
        let name = aldis_client::DeviceRef::keys(&device.product_key, &device.device_key);
        self.client.get_device(&name).await.unwrap().data.status.unwrap()
    }

    /// Waits until the server has noticed that a device has come or gone.
    #[track_caller]
    pub(crate) fn until_presence(&self, device: &DeviceIdentity, wanted: &str) -> impl Future<Output = ()> {
        let what = format!("{device:?} being {wanted}");
        async move {
            eventually(&what, || async {
                (self.presence(device).await == wanted).then_some(())
            })
            .await
        }
    }

    /// The same for whatever else it is said to be.
    #[track_caller]
    pub(crate) fn until_presence_is_not(&self, device: &DeviceIdentity, unwanted: &str) -> impl Future<Output = ()> {
        let what = format!("{device:?} being no longer {unwanted}");
        async move {
            eventually(&what, || async {
                (self.presence(device).await != unwanted).then_some(())
            })
            .await
        }
    }
}

/// The secret of a device of these worlds; recognisable in a log.
fn secret(key: &str) -> String {
    format!("hush-{key}-hush")
}

/// A product of the model.
pub(crate) fn product(key: &str) -> NewProduct {
    NewProduct {
        product_key: Some(key.to_owned()),
        ..NewProduct::new(key, MODEL)
    }
}

/// A pump: it multiplies, takes anything, and has points of which one cannot be set.
pub(crate) fn model() -> ThingModel {
    let named = |identifier: &str, rest: Value| {
        let mut definition = json!({"identifier": identifier, "name": {"defaultValue": identifier}});
        definition
            .as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        (identifier.to_owned(), definition)
    };
    let input = |identifier: &str, rest: Value| named(identifier, rest).1;
    let services = [
        named(
            "multiply",
            json!({"inputData": [
                input("left", json!({"dataType": "INT", "required": true})),
                input("right", json!({"dataType": "INT", "required": true})),
            ], "outputData": [input("product", json!({"dataType": "INT"}))]}),
        ),
        named("ping", json!({"inputData": [], "outputData": []})),
    ];
    let speeds = json!({"enumType": "INT", "enumDesc": {"1": {"defaultValue": "slow"}, "2": {"defaultValue": "fast"}}});
    let points = [
        named("temperature", json!({"dataType": "DOUBLE"})),
        named("speed", json!({"dataType": "ENUM", "dataDefinition": speeds})),
        named("serial", json!({"dataType": "STRING", "accessMode": "R"})),
    ];
    ThingModel {
        services: Some(services.into_iter().collect::<Map<_, _>>()),
        measurepoints: Some(points.into_iter().collect::<Map<_, _>>()),
        ..ThingModel::new(MODEL, "Pump")
    }
}
