//! Callers of the API: several at a time, without pause, recording every answer.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aldis_client::{
    Answer, BatchEntry, Call, Client, CommandInfo, CommandSent, DeviceRef, Error, NewDevice, NewJob, NewProduct,
    RetryPolicy, Search, Target, TargetScope, ThingModel, TimeoutPolicy,
};
use aldis_simulator::{DeviceIdentity, Rng};
use anyhow::Context as _;
use serde_json::{Map, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::accounts::{Accounts, CommandTold, KnownOutcome, Targets};

pub(super) const PRODUCT: &str = "killed";
const GATEWAYS: &str = "killed-gateways";
const SERVICE: &str = "turn";
/// Callers at a time who look after jobs.
const CALLERS: u64 = 4;
/// Callers at a time who send single commands.
const COMMANDERS: u64 = 8;
/// How often an unanswered creation is repeated with its key: as long as a restart takes, and longer.
const REPEATS: u32 = 400;
const PAUSE: Duration = Duration::from_millis(50);
/// The most devices of one call.
const CHUNK: usize = 1000;

/// A product with devices.
pub(super) async fn prepare(client: &Client, devices: usize) -> anyhow::Result<Vec<DeviceIdentity>> {
    let by = json!({"identifier": "by", "name": {"defaultValue": "by"}, "dataType": "STRING"});
    let service =
        json!({"identifier": SERVICE, "name": {"defaultValue": SERVICE}, "inputData": [by], "outputData": []});
    let model = ThingModel {
        services: Some(Map::from_iter([(SERVICE.to_owned(), service)])),
        ..ThingModel::new("killed", "Killed")
    };
    client.create_model(&model).await?;
    let product = NewProduct {
        product_key: Some(PRODUCT.to_owned()),
        ..NewProduct::new("Killed", "killed")
    };
    client.create_product(&product).await?;
    let mut identities = Vec::with_capacity(devices);
    for chunk in vec![NewDevice::new(PRODUCT, "device"); devices].chunks(CHUNK) {
        for entry in client.create_devices(chunk).await?.data {
            let ids = entry
                .data
                .with_context(|| format!("a device is refused: {}", entry.msg))?;
            let secret = ids.device_secret.unwrap_or_default();
            identities.push(DeviceIdentity::new(ids.product_key, ids.device_key, secret));
        }
    }
    Ok(identities)
}

/// A gateway per this many devices, which are put under it.
pub(super) async fn prepare_gateways(
    client: &Client,
    devices: &[DeviceIdentity],
    each: usize,
) -> anyhow::Result<Vec<(DeviceIdentity, Vec<DeviceIdentity>)>> {
    let product = NewProduct {
        product_key: Some(GATEWAYS.to_owned()),
        product_type: Some("Gateway".to_owned()),
        ..NewProduct::new("Killed gateways", "killed")
    };
    client.create_product(&product).await?;
    let mut gateways = Vec::new();
    for crowd in devices.chunks(each) {
        let ids = client.create_device(&NewDevice::new(GATEWAYS, "gateway")).await?.data;
        let name = DeviceRef::Asset(ids.asset_id);
        let under = crowd
            .iter()
            .map(|device| DeviceRef::keys(&device.product_key, &device.device_key));
        client.add_sub_devices(&name, &under.collect::<Vec<_>>()).await?;
        let secret = ids.device_secret.unwrap_or_default();
        let gateway = DeviceIdentity::new(ids.product_key, ids.device_key, secret);
        gateways.push((gateway, crowd.to_vec()));
    }
    Ok(gateways)
}

pub(super) struct Operators {
    callers: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Operators {
    pub(super) fn start(client: Client, identities: Vec<DeviceIdentity>, seed: u64, accounts: Arc<Accounts>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let keys: Arc<Vec<String>> = Arc::new(identities.into_iter().map(|identity| identity.device_key).collect());
        let mut callers = JoinSet::new();
        for number in 0..CALLERS + COMMANDERS {
            let mut caller = Caller {
                client: client.clone(),
                keys: Arc::clone(&keys),
                accounts: Arc::clone(&accounts),
                rng: Rng::for_case(seed, ["crash", "operator"], number),
                jobs: Vec::new(),
                stopped: stopped.clone(),
            };
            callers.spawn(async move {
                if number < CALLERS {
                    caller.work().await;
                } else {
                    caller.command_all().await;
                }
            });
        }
        Self { callers, stop }
    }

    /// Lets every caller finish what it is at.
    pub(super) async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.callers.join_next().await.is_some() {}
    }
}

struct Caller {
    client: Client,
    keys: Arc<Vec<String>>,
    accounts: Arc<Accounts>,
    rng: Rng,
    /// Its own jobs, the newest last.
    jobs: Vec<String>,
    stopped: watch::Receiver<bool>,
}

impl Caller {
    async fn work(&mut self) {
        while !*self.stopped.borrow() {
            match self.below(10) {
                0..=3 => self.create().await,
                4 | 5 => self.cancel_some().await,
                6 => self.cancel_all().await,
                7 | 8 => self.retry().await,
                _ => self.delete().await,
            }
            sleep(PAUSE).await;
        }
    }

    async fn command_all(&mut self) {
        while !*self.stopped.borrow() {
            self.command().await;
            sleep(PAUSE).await;
        }
    }

    async fn create(&mut self) {
        let targets = self.targets();
        let job = self.job(&targets);
        let key = format!("{:016x}{:016x}", self.rng.draw(), self.rng.draw());
        for _ in 0..REPEATS {
            let call = Call::post("/connect-service/v2.5/commands", "createJob").json(&job);
            self.accounts.note_creating();
            let answered = self.client.send::<String>(call.idempotency_key(&key)).await;
            match self.counted(answered) {
                Ok(answer) => {
                    self.jobs.push(answer.data.clone());
                    self.accounts.told.lock().created.insert(answer.data, targets);
                    return;
                }
                Err(_lost_on_the_way) => sleep(PAUSE).await,
            }
        }
    }

    /// A command for one device: kept for it, or until the caller knows what the device says.
    async fn command(&mut self) {
        let (index, kept) = (self.pick(self.keys.len() as u64), self.below(2) == 0);
        let Some(device) = self.keys.get(index).cloned() else {
            return;
        };
        let by = format!("{:016x}", self.rng.draw());
        let ttl = if kept { "30" } else { "0" };
        for _ in 0..REPEATS {
            let call = Call::post("/connect-service/v2.1/commands", "invokeService")
                .query("productKey", PRODUCT)
                .query("deviceKey", device.as_str())
                .query("serviceId", SERVICE)
                .query("timeout", "5")
                .query("pendingTtl", ttl)
                .json(&json!({"inputData": {"by": by}}));
            let answered = self.client.send::<CommandSent>(call.idempotency_key(&by)).await;
            match self.counted(answered) {
                Ok(answer) => {
                    let id = answer.data.command_id;
                    let known = match kept {
                        false => KnownOutcome::CarriedOut,
                        true if self.below(3) == 0 && self.cancel_command(&device, &id).await => {
                            KnownOutcome::Cancelled
                        }
                        true => KnownOutcome::Kept,
                    };
                    let told = CommandTold { id, device, known };
                    self.accounts.told.lock().commands.insert(by, told);
                    return;
                }
                Err(error) if error.code().is_some() => return,
                Err(_lost_on_the_way) => sleep(PAUSE).await,
            }
        }
    }

    /// Whether the server has said that it is cancelled; if it has not, the outcome is unknown.
    async fn cancel_command(&mut self, device: &str, id: &str) -> bool {
        let call = Call::post("/connect-service/v2.1/commands", "cancel")
            .query("productKey", PRODUCT)
            .query("deviceKey", device)
            .query("commandId", id);
        let answered = self.client.send::<serde_json::Value>(call).await;
        self.counted(answered).is_ok()
    }

    fn targets(&mut self) -> Targets {
        if self.below(4) == 0 {
            return Targets::Product;
        }
        let count = 1 + self.below(60);
        let mut chosen = BTreeSet::new();
        for _ in 0..count {
            let index = self.below(self.keys.len() as u64);
            chosen.extend(
                usize::try_from(index)
                    .ok()
                    .and_then(|index| self.keys.get(index))
                    .cloned(),
            );
        }
        Targets::Devices(chosen)
    }

    fn job(&mut self, targets: &Targets) -> NewJob {
        let scope = match targets {
            Targets::Product => TargetScope::products([PRODUCT]),
            Targets::Devices(keys) => TargetScope::devices(keys.iter().map(|key| Target::keys(PRODUCT, key))),
        };
        let (ttl, timeout) = ([0, 5, 30][self.pick(3)], [2, 5][self.pick(2)]);
        NewJob {
            timeout_policy: Some(TimeoutPolicy {
                in_progress_timeout_in_seconds: Some(timeout),
                ttl_timeout_in_seconds: Some(ttl),
            }),
            retry_policy: (self.below(2) == 0).then_some(RetryPolicy {
                enable_retry: true,
                retry_interval_in_seconds: Some(1),
                retry_count: Some(2),
            }),
            ..NewJob::new("killed", scope, CommandInfo::service(SERVICE, json!({})))
        }
    }

    fn below(&mut self, end: u64) -> u64 {
        self.rng.within(&(0..=end.saturating_sub(1)))
    }

    fn pick(&mut self, below: u64) -> usize {
        usize::try_from(self.below(below)).unwrap_or(0)
    }

    /// One of its latest jobs.
    fn some_job(&mut self) -> Option<String> {
        let back = self.pick(6) + 1;
        self.jobs
            .len()
            .checked_sub(back)
            .and_then(|index| self.jobs.get(index))
            .cloned()
    }

    async fn some_tasks(&mut self, job: &str, states: &str) -> Option<Vec<String>> {
        let search = Search::page(Some(&format!("jobId = '{job}' and status in ({states})")), 1, 20);
        let found = self.client.search_tasks(&search).await;
        let tasks = self.counted(found).ok()?.data;
        let tasks: Vec<String> = tasks.into_iter().map(|task| task.task_id).collect();
        (!tasks.is_empty()).then_some(tasks)
    }

    async fn cancel_some(&mut self) {
        let Some(job) = self.some_job() else { return };
        let Some(tasks) = self.some_tasks(&job, "'INIT', 'QUEUED', 'PUBLISHED'").await else {
            return;
        };
        let answered = self.client.cancel_tasks(&job, Some(&tasks)).await;
        if let Ok(answer) = self.counted(answered) {
            self.accounts.told.lock().cancelled.extend(done(answer, &tasks));
        }
    }

    async fn cancel_all(&mut self) {
        let Some(job) = self.some_job() else { return };
        let answered = self.client.cancel_tasks(&job, None).await;
        if let Ok(answer) = self.counted(answered) {
            let listed = answer.data.into_iter().filter(|entry| entry.code == 0);
            let listed = listed.filter_map(|entry| entry.data);
            self.accounts.told.lock().cancelled.extend(listed);
        }
    }

    async fn retry(&mut self) {
        let Some(job) = self.some_job() else { return };
        let Some(tasks) = self.some_tasks(&job, "'FAILED', 'RSP_TIMEOUT', 'TTL_TIMEOUT'").await else {
            return;
        };
        let answered = self.client.retry_tasks(&job, Some(&tasks)).await;
        if let Ok(answer) = self.counted(answered) {
            self.accounts.told.lock().retried.extend(done(answer, &tasks));
        }
    }

    /// Mostly refused, because the job is running.
    async fn delete(&mut self) {
        let Some(job) = self.some_job() else { return };
        let answered = self.client.delete_job(&job).await;
        let mut told = self.accounts.told.lock();
        match self.counted(answered) {
            Ok(_) => told.deleted.insert(job),
            Err(error) => error.code().is_none() && told.perhaps_deleted.insert(job),
        };
    }

    fn counted<T>(&self, answered: Result<Answer<T>, Error>) -> Result<Answer<T>, Error> {
        self.accounts.calls.fetch_add(1, Ordering::Relaxed);
        let to = match &answered {
            Ok(_) => return answered,
            Err(error) if error.code().is_some() => &self.accounts.refused,
            Err(_) => &self.accounts.unanswered,
        };
        to.fetch_add(1, Ordering::Relaxed);
        answered
    }
}

/// The tasks whose entries say that it was done.
fn done(answer: Answer<Vec<BatchEntry<String>>>, asked: &[String]) -> Vec<String> {
    let entries = answer.data.into_iter().zip(asked);
    entries
        .filter(|(entry, _)| entry.code == 0)
        .map(|(_, task)| task.clone())
        .collect()
}
