//! Jobs and their statistics in answers (docs/api.md, "Command jobs").

use aldis_core::policy::Policy;
use aldis_core::task::State;
use aldis_store::rows::{Job, JobDetail, JobText, TargetEntry, TargetScope};
use aldis_store::status_names;
use serde::Serialize;
use utoipa::ToSchema;

use super::command_info::CommandInfo;
use super::create_job::{DEVICE_LIST, DISPOSABLE, PRODUCT_KEY};
use super::names::StringI18n;

/// A job.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "orgId": "o1", "jobId": "8000000000000000001",
    "name": {"defaultValue": "commandJobName", "i18nValue": {"en_US": "name", "zh_CN": "中文名"}},
    "targetScope": {"targetType": "DEVICE_LIST",
        "targetDevices": [{"assetId": null, "productKey": "productKey", "deviceKey": "deviceKey"}]},
    "schedulePolicy": {"scheduleType": "DISPOSABLE", "disposableSchedulePolicy": {"triggerTs": 1_718_952_446_317_i64}},
    "timeoutPolicy": {"inProgressTimeoutInSeconds": 30, "ttlTimeoutInSeconds": 20},
    "retryPolicy": {"enableRetry": true, "retryIntervalInSeconds": 300, "retryCount": 3},
    "status": "IN_PROGRESS", "desc": "commandJobDescription",
    "commandInfo": {"commandType": "SERVICE_INVOKE",
        "serviceInvokeInfo": {"serviceId": "serviceId", "inputData": {"input": 22}}, "setMeasurepointInfo": null},
    "createTimestamp": 1_718_952_446_317_i64
}))]
pub(super) struct JobInfo {
    org_id: String,
    job_id: String,
    name: StringI18n,
    target_scope: TargetScopeInfo,
    schedule_policy: SchedulePolicy,
    timeout_policy: TimeoutPolicy,
    retry_policy: RetryPolicy,
    /// `INIT`, `IN_PROGRESS` or `FINISHED`.
    status: &'static str,
    desc: String,
    /// As it is sent: defaults of the thing model filled in.
    command_info: CommandInfo,
    /// Epoch milliseconds.
    create_timestamp: i64,
}

/// What a job names.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TargetScope)]
struct TargetScopeInfo {
    /// `DEVICE_LIST` or `PRODUCT_KEY`.
    target_type: &'static str,
    /// As given at creation.
    target_devices: Vec<TargetDevice>,
}

/// A target as it was given.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TargetDevice {
    asset_id: Option<String>,
    product_key: Option<String>,
    device_key: Option<String>,
}

/// When a job triggers.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SchedulePolicy {
    /// `DISPOSABLE`.
    schedule_type: &'static str,
    disposable_schedule_policy: DisposableSchedulePolicy,
}

/// The moment of a job's one trigger.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DisposableSchedulePolicy {
    /// As given at creation, epoch milliseconds.
    trigger_ts: Option<i64>,
}

/// How long commands may take.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TimeoutPolicy {
    in_progress_timeout_in_seconds: i64,
    ttl_timeout_in_seconds: i64,
}

/// Whether failed and silent attempts are followed by others.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RetryPolicy {
    enable_retry: bool,
    retry_interval_in_seconds: i64,
    retry_count: u8,
}

impl From<JobDetail> for JobInfo {
    fn from(JobDetail { job, text }: JobDetail) -> Self {
        let text = JobText::clone(&text);
        Self {
            org_id: job.org.0,
            job_id: job.no.to_job_id(),
            schedule_policy: SchedulePolicy {
                schedule_type: DISPOSABLE,
                disposable_schedule_policy: DisposableSchedulePolicy {
                    trigger_ts: text.trigger.map(|at| at.0),
                },
            },
            timeout_policy: job.policy.into(),
            retry_policy: RetryPolicy {
                enable_retry: text.retry_enabled,
                retry_interval_in_seconds: text.retry_interval_s,
                retry_count: text.retry_count,
            },
            name: text.name.into(),
            desc: text.desc,
            target_scope: text.targets.into(),
            status: status_names::job_state(job.state),
            command_info: CommandInfo::from(job.command.as_ref()),
            create_timestamp: job.created.0,
        }
    }
}

impl From<Policy> for TimeoutPolicy {
    fn from(policy: Policy) -> Self {
        Self {
            in_progress_timeout_in_seconds: policy.reply_timeout_ms / 1000,
            ttl_timeout_in_seconds: policy.ttl_ms / 1000,
        }
    }
}

impl From<TargetScope> for TargetScopeInfo {
    fn from(targets: TargetScope) -> Self {
        let (target_type, entries) = match targets {
            TargetScope::Devices(entries) => (DEVICE_LIST, entries),
            TargetScope::Single(entry) => (DEVICE_LIST, vec![entry]),
            TargetScope::Products { entries, .. } => (PRODUCT_KEY, entries),
        };
        Self {
            target_type,
            target_devices: entries.into_iter().map(TargetDevice::from).collect(),
        }
    }
}

impl From<TargetEntry> for TargetDevice {
    fn from(entry: TargetEntry) -> Self {
        Self {
            asset_id: entry.asset,
            product_key: entry.product,
            device_key: entry.device,
        }
    }
}

/// How many tasks of a job stand where. The counts add up to `total`.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"total": 1, "init": 1, "published": 0, "inProgress": 0, "succeed": 0, "failed": 0, "canceled": 0,
    "ttlTimeout": 0, "rspTimeout": 0}))]
pub(super) struct StatusCount {
    /// All tasks; of a whole product none before the trigger.
    total: u64,
    /// INIT and QUEUED, and those of a whole product that are still to be written.
    init: u64,
    published: u64,
    in_progress: u64,
    succeed: u64,
    failed: u64,
    canceled: u64,
    ttl_timeout: u64,
    rsp_timeout: u64,
}

impl From<&Job> for StatusCount {
    fn from(job: &Job) -> Self {
        let of = |state| job.counters.of(state);
        let waiting = of(State::Init) + of(State::Queued) + of(State::RetryWait);
        let total = job.total.unwrap_or_else(|| job.counters.written());
        let unwritten = total.saturating_sub(job.counters.written());
        Self {
            total,
            init: waiting + unwritten,
            published: of(State::Published),
            in_progress: of(State::InProgress),
            succeed: of(State::Succeeded),
            failed: of(State::Failed),
            canceled: of(State::Cancelled),
            ttl_timeout: of(State::TtlTimedOut),
            rsp_timeout: of(State::ResponseTimedOut),
        }
    }
}
