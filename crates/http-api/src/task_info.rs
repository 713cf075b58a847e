//! Tasks and their attempts in answers (docs/api.md, "Command tasks").

use aldis_core::command::{Command, CommandKind};
use aldis_core::task::{AttemptOutcome, Outcome, code};
use aldis_store::status_names;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::command_info::CommandInfo;
use aldis_app::query_tasks::{Attempt, AttemptStatus};

/// A task.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "taskId": "1000000000000004096", "orgId": "o1", "assetId": "AbCd1234", "productKey": "pk1", "deviceKey": "dk1",
    "jobId": "8000000000000000001", "status": "SUCCEED",
    "commandInfo": {"commandType": "SERVICE_INVOKE",
        "serviceInvokeInfo": {"serviceId": "speedup", "inputData": {"delta": 3}}, "setMeasurepointInfo": null},
    "taskResult": {"code": 0, "desc": "OK", "outputData": {"delta": 3}},
    "createTimestamp": 1_718_952_446_317_i64, "updateTimestamp": 1_718_952_447_001_i64,
    "autoRetryCount": 0, "manualRetryCount": 0
}))]
pub(super) struct TaskInfo {
    task_id: String,
    org_id: String,
    asset_id: String,
    product_key: String,
    device_key: String,
    job_id: String,
    /// `INIT`, `QUEUED`, `PUBLISHED`, `IN_PROGRESS`, `SUCCEED`, `FAILED`, `CANCELLED`, `RSP_TIMEOUT` or `TTL_TIMEOUT`.
    status: &'static str,
    /// As it is sent.
    command_info: CommandInfo,
    /// What came of the last attempt that ended; null before the first.
    task_result: Option<TaskResult>,
    /// Epoch milliseconds.
    create_timestamp: i64,
    /// The last change of status, epoch milliseconds.
    update_timestamp: i64,
    /// Automatic retries used.
    auto_retry_count: u16,
    /// Retries asked for.
    manual_retry_count: u16,
}

/// What came of a task.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TaskResult {
    /// 0, the device's code, or one of the result codes.
    code: i64,
    /// What happened, in words.
    desc: String,
    /// What the device sent along, as it sent it.
    #[schema(value_type = Option<Object>)]
    output_data: Option<Box<RawValue>>,
}

impl From<aldis_store::TaskInfo> for TaskInfo {
    fn from(info: aldis_store::TaskInfo) -> Self {
        let aldis_store::TaskInfo {
            task,
            job,
            asset,
            product,
            device_key,
        } = info;
        Self {
            task_id: task.no.to_task_id(),
            org_id: job.org.0.clone(),
            asset_id: asset.0,
            product_key: product.0,
            device_key: device_key.0,
            job_id: job.no.to_job_id(),
            status: status_names::task_state(task.state),
            command_info: CommandInfo::from(job.command.as_ref()),
            task_result: task.result.map(|outcome| TaskResult::new(outcome, &job.command)),
            create_timestamp: job.tasks_created.0,
            update_timestamp: task.updated.0,
            auto_retry_count: task.retries.auto,
            manual_retry_count: task.retries.manual,
        }
    }
}

impl TaskResult {
    fn new(outcome: Outcome, command: &Command) -> Self {
        Self {
            code: outcome.code,
            desc: outcome.desc,
            output_data: output(outcome.output, command.kind()),
        }
    }
}

/// Setting a point has no output; devices that send an empty object all the same say nothing with it.
pub(super) fn output(text: Option<String>, kind: CommandKind) -> Option<Box<RawValue>> {
    let raw = RawValue::from_string(text?).ok()?;
    let nothing = raw.get() == "null" || kind == CommandKind::SetMeasurepoint && raw.get() == "{}";
    (!nothing).then_some(raw)
}

/// An attempt of a task, or a late reply to one.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "attempt": 1, "sentTimestamp": 1_718_952_446_320_i64, "handedOverTimestamp": 1_718_952_446_321_i64,
    "ackTimestamp": 1_718_952_446_330_i64, "replyTimestamp": 1_718_952_447_001_i64, "endTimestamp": 1_718_952_447_001_i64,
    "outcome": "FAILED", "code": 500, "desc": "valve stuck", "outputData": null, "late": false, "cause": "REPLY"
}))]
pub(super) struct TaskAttempt {
    /// Its number, from 1.
    attempt: u16,
    /// When it was decided and stored; null for a late reply. All moments are epoch milliseconds.
    sent_timestamp: Option<i64>,
    /// When the network had taken all of it.
    handed_over_timestamp: Option<i64>,
    /// When the device acknowledged it.
    ack_timestamp: Option<i64>,
    /// When the device replied.
    reply_timestamp: Option<i64>,
    /// When it ended; null while it is out, and for a late reply.
    end_timestamp: Option<i64>,
    /// `PUBLISHED` and `IN_PROGRESS` while it is out; then `SUCCEED`, `FAILED`, `RSP_TIMEOUT`, `CANCELLED` or
    /// `NOT_SENT`.
    outcome: &'static str,
    /// As in `taskResult`; null while it is out.
    code: Option<i64>,
    /// As in `taskResult`; null while it is out.
    desc: Option<String>,
    /// As in `taskResult`.
    #[schema(value_type = Option<Object>)]
    output_data: Option<Box<RawValue>>,
    /// A reply that came after the attempt had ended.
    late: bool,
    /// What ended it: `REPLY`, `REPLY_DEADLINE`, `OPERATOR` (cancelled), `LINK` (it never left), `SIZE` (it is larger
    /// than the client takes); null while it is out.
    cause: Option<&'static str>,
}

impl TaskAttempt {
    pub(super) fn new(attempt: Attempt, command: &Command) -> Self {
        let Attempt {
            number,
            times,
            standing,
        } = attempt;
        let at = |moment: Option<aldis_core::time::Timestamp>| moment.map(|at| at.0);
        let open = Self {
            attempt: number.0,
            sent_timestamp: at(times.intent),
            handed_over_timestamp: at(times.handed),
            ack_timestamp: at(times.acked),
            reply_timestamp: None,
            end_timestamp: None,
            outcome: "PUBLISHED",
            code: None,
            desc: None,
            output_data: None,
            late: false,
            cause: None,
        };
        match standing {
            AttemptStatus::Open { acked: false } => open,
            AttemptStatus::Open { acked: true } => Self {
                outcome: "IN_PROGRESS",
                ..open
            },
            AttemptStatus::Ended(how, outcome) => {
                let late = how == AttemptOutcome::Late;
                let replied = matches!(
                    how,
                    AttemptOutcome::Succeeded | AttemptOutcome::Failed | AttemptOutcome::Late
                );
                Self {
                    reply_timestamp: at(times.ended).filter(|_| replied),
                    end_timestamp: at(times.ended).filter(|_| !late),
                    outcome: outcome_word(how, &outcome),
                    code: Some(outcome.code),
                    cause: Some(cause_word(how, &outcome)),
                    desc: Some(outcome.desc),
                    output_data: output(outcome.output, command.kind()),
                    late,
                    ..open
                }
            }
        }
    }
}

fn outcome_word(how: AttemptOutcome, outcome: &Outcome) -> &'static str {
    match how {
        AttemptOutcome::Succeeded => "SUCCEED",
        AttemptOutcome::Failed => "FAILED",
        AttemptOutcome::TimedOut => "RSP_TIMEOUT",
        AttemptOutcome::NotSent => "NOT_SENT",
        AttemptOutcome::Cancelled => "CANCELLED",
        AttemptOutcome::Late if outcome.code == code::OK => "SUCCEED",
        AttemptOutcome::Late => "FAILED",
    }
}

fn cause_word(how: AttemptOutcome, outcome: &Outcome) -> &'static str {
    match how {
        AttemptOutcome::Succeeded | AttemptOutcome::Failed | AttemptOutcome::Late => "REPLY",
        AttemptOutcome::TimedOut => "REPLY_DEADLINE",
        AttemptOutcome::Cancelled => "OPERATOR",
        AttemptOutcome::NotSent if outcome.code == code::CANCELLED => "OPERATOR",
        AttemptOutcome::NotSent if outcome.code == code::TOO_LARGE => "SIZE",
        AttemptOutcome::NotSent => "LINK",
    }
}
