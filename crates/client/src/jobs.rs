//! Command jobs (docs/api.md, "Command jobs").

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::{Answer, BatchEntry};
use crate::call::Call;
use crate::client::Client;
use crate::error::Error;
use crate::name::Name;
use crate::paging::{Pages, Search};

/// Where command jobs, their tasks and attempts live.
pub(crate) const COMMANDS: &str = "/connect-service/v2.5/commands";

/// A job to be created.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewJob {
    /// What people call it.
    pub name: Name,
    /// At most 100 characters.
    pub desc: String,
    /// Which devices.
    pub target_scope: TargetScope,
    /// When.
    pub schedule_policy: SchedulePolicy,
    /// How long to wait; absent: 30 s for a reply, no waiting for absent devices.
    #[serde(default)]
    pub timeout_policy: Option<TimeoutPolicy>,
    /// Whether to try again; absent: no.
    #[serde(default)]
    pub retry_policy: Option<RetryPolicy>,
    /// What to do.
    pub command_info: CommandInfo,
}

impl NewJob {
    /// A job that starts at once, with the server's time limits and without retries. The name is its description too.
    pub fn new(name: impl Into<Name>, target_scope: TargetScope, command_info: CommandInfo) -> Self {
        let name = name.into();
        Self {
            desc: name.default_value.chars().take(DESC_CHARS_MAX).collect(),
            name,
            target_scope,
            schedule_policy: SchedulePolicy::at(None),
            timeout_policy: None,
            retry_policy: None,
            command_info,
        }
    }
}

/// Longest description of a job, in characters.
pub const DESC_CHARS_MAX: usize = 100;

/// How a job names its targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TargetType {
    /// Up to 1000 devices by name.
    DeviceList,
    /// All devices of the named products that are not disabled when the job triggers.
    ProductKey,
}

/// A job's targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetScope {
    /// How they are named.
    pub target_type: TargetType,
    /// The devices, or entries whose `productKey` names a product.
    #[serde(default)]
    pub target_devices: Option<Vec<Target>>,
}

impl TargetScope {
    /// These devices.
    pub fn devices(targets: impl IntoIterator<Item = Target>) -> Self {
        Self {
            target_type: TargetType::DeviceList,
            target_devices: Some(targets.into_iter().collect()),
        }
    }

    /// All devices of these products.
    pub fn products<S: Into<String>>(product_keys: impl IntoIterator<Item = S>) -> Self {
        let entry = |key: S| Target {
            product_key: Some(key.into()),
            ..Target::default()
        };
        Self {
            target_type: TargetType::ProductKey,
            target_devices: Some(product_keys.into_iter().map(entry).collect()),
        }
    }
}

/// One target of a job: a device by its keys or its asset, or a product.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Target {
    /// The device's asset.
    pub asset_id: Option<String>,
    /// The product.
    pub product_key: Option<String>,
    /// The device within the product.
    pub device_key: Option<String>,
}

impl Target {
    /// A device by its keys.
    pub fn keys(product_key: impl Into<String>, device_key: impl Into<String>) -> Self {
        Self {
            product_key: Some(product_key.into()),
            device_key: Some(device_key.into()),
            asset_id: None,
        }
    }

    /// A device by its asset.
    pub fn asset(asset_id: impl Into<String>) -> Self {
        Self {
            asset_id: Some(asset_id.into()),
            ..Self::default()
        }
    }
}

/// When a job triggers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SchedulePolicy {
    /// Only `DISPOSABLE` exists: once.
    pub schedule_type: String,
    /// The moment.
    #[serde(default)]
    pub disposable_schedule_policy: Option<DisposableSchedule>,
}

impl SchedulePolicy {
    /// Once, at a moment in epoch milliseconds; `None`: now.
    #[must_use]
    pub fn at(trigger_ts: Option<i64>) -> Self {
        Self {
            schedule_type: "DISPOSABLE".to_owned(),
            disposable_schedule_policy: Some(DisposableSchedule { trigger_ts }),
        }
    }
}

/// The moment of a job that triggers once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DisposableSchedule {
    /// Epoch milliseconds; past or absent: now.
    #[serde(default)]
    pub trigger_ts: Option<i64>,
}

/// How long a job's tasks wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TimeoutPolicy {
    /// Seconds for a reply, 1 to 900. It must exceed the longest execution.
    pub in_progress_timeout_in_seconds: Option<u32>,
    /// Seconds that a command may wait for its device, 0 to 172800.
    pub ttl_timeout_in_seconds: Option<u32>,
}

/// Whether failed tasks are tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RetryPolicy {
    /// Without it nothing is retried.
    pub enable_retry: bool,
    /// Seconds between attempts, 0 to 86400.
    pub retry_interval_in_seconds: Option<u32>,
    /// Further attempts, 1 to 10.
    pub retry_count: Option<u32>,
}

/// What a command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CommandType {
    /// Invokes a service.
    ServiceInvoke,
    /// Sets a measurement point.
    MeasurepointSet,
}

/// A command: its type and the one part that belongs to the type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandInfo {
    /// Which part counts.
    pub command_type: CommandType,
    /// For [`CommandType::ServiceInvoke`].
    #[serde(default)]
    pub service_invoke_info: Option<ServiceInvoke>,
    /// For [`CommandType::MeasurepointSet`].
    #[serde(default)]
    pub set_measurepoint_info: Option<MeasurepointSet>,
}

impl CommandInfo {
    /// Invokes a service. `input_data` is an object: parameter → value.
    pub fn service(service_id: impl Into<String>, input_data: Value) -> Self {
        Self {
            command_type: CommandType::ServiceInvoke,
            service_invoke_info: Some(ServiceInvoke {
                service_id: service_id.into(),
                input_data: Some(input_data),
            }),
            set_measurepoint_info: None,
        }
    }

    /// Sets a measurement point.
    pub fn measurepoint(measurepoint_id: impl Into<String>, value: Value) -> Self {
        Self {
            command_type: CommandType::MeasurepointSet,
            service_invoke_info: None,
            set_measurepoint_info: Some(MeasurepointSet {
                measurepoint_id: measurepoint_id.into(),
                value,
            }),
        }
    }
}

/// Which service, with which input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceInvoke {
    /// As the thing model calls it.
    pub service_id: String,
    /// Parameter → value.
    #[serde(default)]
    pub input_data: Option<Value>,
}

/// Which point, to which value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MeasurepointSet {
    /// As the thing model calls it.
    pub measurepoint_id: String,
    /// Of the point's data type.
    #[serde(default)]
    pub value: Value,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobStatus {
    /// Not triggered yet.
    Init,
    /// Triggered, and not all tasks have ended.
    InProgress,
    /// All tasks have ended. A retry by hand makes it [`JobStatus::InProgress`] again.
    Finished,
    /// A status that this client does not know.
    #[serde(other)]
    Unknown,
}

/// A job as the server knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Whose it is.
    pub org_id: String,
    /// Its id.
    pub job_id: String,
    /// What people call it.
    pub name: Name,
    /// Its targets, as given.
    pub target_scope: TargetScope,
    /// When it triggers.
    pub schedule_policy: SchedulePolicy,
    /// The limits that hold, defaults filled in.
    #[serde(default)]
    pub timeout_policy: Option<TimeoutPolicy>,
    /// The retries that hold, defaults filled in.
    #[serde(default)]
    pub retry_policy: Option<RetryPolicy>,
    /// Where it stands.
    pub status: JobStatus,
    /// Its description.
    #[serde(default)]
    pub desc: Option<String>,
    /// What it does.
    pub command_info: CommandInfo,
    /// Epoch milliseconds.
    pub create_timestamp: i64,
}

/// A job's tasks, counted by state. Tasks that wait for their device, their turn or a retry count as `init`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatusCount {
    /// All tasks.
    pub total: u64,
    /// Not sent, or waiting to be sent again.
    pub init: u64,
    /// Sent, not acknowledged.
    pub published: u64,
    /// Acknowledged by the device, not answered.
    pub in_progress: u64,
    /// Ended well.
    pub succeed: u64,
    /// Ended with the device's or the server's error.
    pub failed: u64,
    /// Withdrawn.
    pub canceled: u64,
    /// Never sent in time.
    pub ttl_timeout: u64,
    /// Sent, not answered in time.
    pub rsp_timeout: u64,
}

impl StatusCount {
    /// Tasks that have ended, for good or ill.
    #[must_use]
    pub const fn ended(&self) -> u64 {
        self.succeed + self.failed + self.canceled + self.ttl_timeout + self.rsp_timeout
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TaskIds<'a> {
    task_ids: Option<&'a [String]>,
}

impl Client {
    /// Creates a job from a [`NewJob`] or a JSON document of that shape and returns its id. Carries a new idempotency
    /// key, so that a broken connection creates no second job.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn create_job<T: Serialize + ?Sized>(&self, job: &T) -> Result<Answer<String>, Error> {
        self.send(Call::post(COMMANDS, "createJob").json(job).idempotent())
            .await
    }

    /// One page of jobs, the newest first.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn search_jobs(&self, search: &Search) -> Result<Answer<Vec<Job>>, Error> {
        self.search(COMMANDS, "searchJob", search).await
    }

    /// All jobs that match, page by page.
    #[must_use]
    pub fn jobs(&self, expression: Option<&str>) -> Pages<Job> {
        Pages::new(self, COMMANDS, "searchJob", expression)
    }

    /// One job.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn get_job(&self, job_id: &str) -> Result<Answer<Job>, Error> {
        self.send(Call::get(COMMANDS, "getJob").query("jobId", job_id)).await
    }

    /// Deletes a job that has not triggered or has finished, with its tasks.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn delete_job(&self, job_id: &str) -> Result<Answer<()>, Error> {
        self.send(Call::post(COMMANDS, "deleteJob").query("jobId", job_id))
            .await
    }

    /// How many of a job's tasks are in which state.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn statistics(&self, job_id: &str) -> Result<Answer<StatusCount>, Error> {
        let call = Call::post(COMMANDS, "queryStatistics").query("jobId", job_id);
        self.send(call.repeatable()).await
    }

    /// Retries failed tasks of a job; without `task_ids` all that can be. Carries a new idempotency key.
    ///
    /// # Errors
    /// All of [`Error`]; refusals of single tasks stand in their entries.
    pub async fn retry_tasks(
        &self,
        job_id: &str,
        task_ids: Option<&[String]>,
    ) -> Result<Answer<Vec<BatchEntry<String>>>, Error> {
        let call = Call::post(COMMANDS, "retryTask").query("jobId", job_id);
        self.send(call.json(&TaskIds { task_ids }).idempotent()).await
    }

    /// Cancels tasks of a job; without `task_ids` all that can be.
    ///
    /// # Errors
    /// All of [`Error`]; refusals of single tasks stand in their entries.
    pub async fn cancel_tasks(
        &self,
        job_id: &str,
        task_ids: Option<&[String]>,
    ) -> Result<Answer<Vec<BatchEntry<String>>>, Error> {
        let call = Call::post(COMMANDS, "cancelTask").query("jobId", job_id);
        self.send(call.json(&TaskIds { task_ids })).await
    }
}
