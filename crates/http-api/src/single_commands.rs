//! `/connect-service/v2.1/commands`: one command for one device (docs/api.md, "Single commands").

use aldis_core::command::Command as CoreCommand;
use aldis_core::expression::CommandField;
use aldis_core::policy::{REPLY_TIMEOUT_DEFAULT_S, TTL_MAX_S};
use aldis_core::task::OUTPUT_MAX_BYTES;
use aldis_core::timezone;
use aldis_core::violation::Violation;
use aldis_store::rows::Idempotency;
use aldis_store::status_names;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::action::{Action, Doc};
use super::call::Call;
use super::command_info;
use super::envelope::{Answer, SortedBy};
use super::names::StringI18n;
use super::numbers::whole;
use super::paging::SearchRequest;
use super::small_devices;
use super::task_info::output;
use aldis_app::single_commands::{CommandDraft, SingleCommand, TIMEOUT_MAX_S};
use aldis_app::{App, Error};

const PATH: &[&str] = &["/connect-service/v2.1/commands"];
/// Rows of a page unless said otherwise, as documented for this search.
const PAGE_SIZE_DEFAULT: u64 = 100;

/// What this search says of its order, as documented.
const NEWEST_FIRST: SortedBy = SortedBy {
    field: "createDate",
    order: "DESC",
};

const ASSET_ID: &str = "The device's asset id; or both keys";
const PRODUCT_KEY: &str = "The device's product, together with deviceKey";
const DEVICE_KEY: &str = "The device's key, together with productKey";
const PENDING_TTL: &str =
    "Seconds that the command may wait for its device, 0 to 172800; 0 if absent: the call waits for the reply";
const TIMEOUT: &str = "Seconds to wait for the reply, 1 to 60; 30 if absent";

pub(super) fn actions() -> Vec<Action> {
    vec![
        Action::change(
            PATH,
            &["invokeService"],
            |app, call| Box::pin(invoke(app, call)),
            sending("Invoke a service of one device")
                .needs("serviceId", "The service's identifier in the thing model")
                .body::<InvokeService>()
                .answer::<Invoked>(),
        ),
        Action::change(
            PATH,
            &["setMeasurepoint"],
            |app, call| Box::pin(set(app, call)),
            sending("Set a measurement point of one device")
                .needs("measurepointId", "The point's identifier in the thing model")
                .body::<SetMeasurepoint>()
                .answer::<PointSet>(),
        ),
        Action::read(
            PATH,
            &["get"],
            |app, call| Box::pin(get(app, call)),
            Doc::new("A single command")
                .needs("commandId", "The command's id")
                .answer::<Command>(),
        ),
        Action::read(
            PATH,
            &["search"],
            |app, call| Box::pin(search(app, call)),
            of_device(Doc::new("Search the single commands of a device, newest first"))
                .body::<SearchRequest>()
                .page::<Command>(),
        ),
        Action::change(
            PATH,
            &["cancel"],
            |app, call| Box::pin(cancel(app, call)),
            of_device(Doc::new(
                "Cancel a command that waits for its device; without commandId all that wait for it",
            ))
            .takes("commandId", "The command's id")
            .answer::<Vec<Command>>(),
        )
        .all_without("commandId"),
    ]
}

fn of_device(doc: Doc) -> Doc {
    doc.takes("assetId", ASSET_ID)
        .takes("productKey", PRODUCT_KEY)
        .takes("deviceKey", DEVICE_KEY)
}

fn sending(summary: &'static str) -> Doc {
    of_device(Doc::new(summary).idempotent())
        .takes("pendingTtl", PENDING_TTL)
        .takes("timeout", TIMEOUT)
}

/// The body of `invokeService`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = InvokeServiceRequest, example = json!({"inputData": {"delta": 3}}))]
struct InvokeService {
    /// Values by parameter; what is absent or null takes the thing model's default.
    #[schema(value_type = Option<Object>)]
    input_data: Option<Value>,
}

/// The body of `setMeasurepoint`.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = SetMeasurepointRequest, example = json!({"value": 21.5}))]
struct SetMeasurepoint {
    /// Of the point's data type.
    value: Value,
}

/// What came of an invoked service.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Invoked {
    /// The command's id.
    command_id: String,
    /// What the device sent along, as it sent it; null for a command that waits for its device.
    #[schema(value_type = Option<Object>)]
    output_data: Option<Box<RawValue>>,
}

/// A measurement point that was set, or a command that waits to do so.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PointSet {
    /// The command's id.
    command_id: String,
}

/// A single command.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SingleCommand, example = json!({
    "commandId": "1000000000000004096", "orgId": "o1", "productKey": "pk1", "deviceKey": "dk1", "assetId": "AbCd1234",
    "createTime": 1_718_952_446_317_i64, "createLocaltime": "2024-06-21 14:47:26", "commandType": 2,
    "commandName": {"defaultValue": "Speed up", "i18nValue": {}}, "timeout": 30, "pendingTtl": 0, "state": 5,
    "tslIdentifier": "speedup", "inputData": {"delta": 3}, "outputData": {"delta": 3}
}))]
struct Command {
    command_id: String,
    org_id: String,
    product_key: String,
    device_key: String,
    asset_id: String,
    /// Epoch milliseconds.
    create_time: i64,
    /// The same as the clock on the wall shows it in the device's time zone.
    create_localtime: String,
    /// 1: a measurement point; 2: a service.
    command_type: u8,
    /// The name of the point or service.
    command_name: StringI18n,
    /// Seconds to wait for the reply.
    timeout: i64,
    /// Seconds that the command may wait for its device.
    pending_ttl: i64,
    /// 1 created, 2 cancelled, 3 expired, 4 sent, 5 succeeded, 6 failed, 7 response timed out.
    state: u8,
    /// The identifier of the point or service.
    tsl_identifier: String,
    /// Values by parameter; the value of a measurement point.
    input_data: Value,
    /// What the device sent along, as it sent it.
    #[schema(value_type = Option<Object>)]
    output_data: Option<Box<RawValue>>,
}

impl From<SingleCommand> for Command {
    fn from(command: SingleCommand) -> Self {
        let SingleCommand { info, name, timezone } = command;
        let (task, job) = (info.task, info.job);
        let (command_type, tsl_identifier, input_data) = match job.command.as_ref() {
            CoreCommand::SetMeasurepoint { measurepoint_id, value } => (1, measurepoint_id.clone(), value.clone()),
            CoreCommand::InvokeService { service_id, input } => (2, service_id.clone(), Value::Object(input.clone())),
        };
        Self {
            command_id: task.no.to_task_id(),
            org_id: job.org.0.clone(),
            product_key: info.product.0,
            device_key: info.device_key.0,
            asset_id: info.asset.0,
            create_time: job.created.0,
            create_localtime: timezone::local(job.created, &timezone),
            command_type,
            command_name: name.into(),
            timeout: job.policy.reply_timeout_ms / 1000,
            pending_ttl: job.policy.ttl_ms / 1000,
            state: status_names::command_number(task.state),
            tsl_identifier,
            input_data,
            output_data: output(task.result.and_then(|outcome| outcome.output), job.command.kind()),
        }
    }
}

impl Call {
    /// What is to be sent, and what makes a repetition of this call recognisable.
    async fn draft(&self, app: &App, command: CoreCommand) -> Result<(CommandDraft, Option<Idempotency>), Error> {
        let device = self.device_name();
        let timeout_s = self
            .seconds("timeout", 1, TIMEOUT_MAX_S)?
            .unwrap_or(REPLY_TIMEOUT_DEFAULT_S);
        let pending_ttl_s = self.seconds("pendingTtl", 0, TTL_MAX_S)?.unwrap_or(0);
        let subject = format!("{device:?} {} {timeout_s} {pending_ttl_s}", command.identifier());
        let draft = CommandDraft {
            device,
            command,
            timeout_s,
            pending_ttl_s,
        };
        Ok((draft, self.idempotency(app, &subject).await?))
    }

    /// From the query or, because clients differ, from the body.
    fn seconds(&self, name: &str, least: i64, most: i64) -> Result<Option<i64>, Violation> {
        let in_query = self.query.get(name).map(Value::from);
        let in_body = || self.body.get(name).filter(|value| !value.is_null()).cloned();
        whole(in_query.or_else(in_body).as_ref(), name, least..=most)
    }
}

async fn invoke(app: App, call: Call) -> Result<Answer, Error> {
    let body: InvokeService = call.decode()?;
    let input: Map<String, Value> = command_info::input(body.input_data).map_err(|it| it.within("inputData"))?;
    let command = CoreCommand::InvokeService {
        service_id: call.required("serviceId")?.to_owned(),
        input,
    };
    let kind = command.kind();
    let (draft, mark) = call.draft(&app, command).await?;
    let warning = small_devices::warning(&draft.command);
    let accepted = app.send_command(&call.caller, draft, mark, call.left()).await?;
    let lost = accepted.output_lost.then(|| {
        let most = OUTPUT_MAX_BYTES / 1024;
        format!("the device did it; what it sent along is more than {most} KiB and was not kept")
    });
    let invoked = Invoked {
        command_id: accepted.no.to_task_id(),
        output_data: output(accepted.output, kind),
    };
    Ok(Answer::data(&invoked)?
        .warned(lost)
        .warned(warning)
        .warned(app.clock_doubt()))
}

async fn set(app: App, call: Call) -> Result<Answer, Error> {
    let command = CoreCommand::SetMeasurepoint {
        value: call.decode::<SetMeasurepoint>()?.value,
        measurepoint_id: call.required("measurepointId")?.to_owned(),
    };
    let (draft, mark) = call.draft(&app, command).await?;
    let warning = small_devices::warning(&draft.command);
    let accepted = app.send_command(&call.caller, draft, mark, call.left()).await?;
    let set = PointSet {
        command_id: accepted.no.to_task_id(),
    };
    Ok(Answer::data(&set)?.warned(warning).warned(app.clock_doubt()))
}

async fn get(app: App, call: Call) -> Result<Answer, Error> {
    let id = call.required("commandId")?;
    let command = app.command(&call.caller, id, &call.device_name()).await?;
    Answer::data(&Command::from(command))
}

async fn search(app: App, call: Call) -> Result<Answer, Error> {
    let mut search = call.search_paged::<CommandField>(PAGE_SIZE_DEFAULT)?;
    let found = app
        .search_commands(&call.caller, &call.device_name(), search.filter.take(), search.page())
        .await?;
    search.sorted = Some(NEWEST_FIRST);
    search.answer(found, |command| Ok(Command::from(command)))
}

async fn cancel(app: App, call: Call) -> Result<Answer, Error> {
    let device = call.device_name();
    let cancelled = match call.optional("commandId")? {
        Some(id) => app.cancel_command(&call.caller, id, &device).await?,
        None => app.cancel_commands(&call.caller, &device).await?,
    };
    Answer::data(&cancelled.into_iter().map(Command::from).collect::<Vec<_>>())
}
