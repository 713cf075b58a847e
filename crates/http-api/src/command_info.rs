//! `commandInfo`: one shape in requests and answers, read more tolerantly than it is written.

use aldis_core::command::Command;
use aldis_core::violation::Violation;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::body;

const SERVICE_INVOKE: &str = "SERVICE_INVOKE";
const MEASUREPOINT_SET: &str = "MEASUREPOINT_SET";

/// What devices are to do. In answers exactly one of the two structs is there, the other null.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CommandInfo {
    /// `SERVICE_INVOKE` or `MEASUREPOINT_SET`. If absent in a request, the struct that is there decides.
    command_type: Option<String>,
    service_invoke_info: Option<ServiceInvokeInfo>,
    set_measurepoint_info: Option<SetMeasurepointInfo>,
    /// Another spelling of `setMeasurepointInfo` that is understood in requests.
    #[serde(skip_serializing)]
    #[schema(ignore)]
    measurepoint_set_info: Option<SetMeasurepointInfo>,
}

/// A service to be invoked.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ServiceInvokeInfo {
    /// The service's identifier in the thing model.
    service_id: String,
    /// Values by parameter; in requests also as a text that contains such an object, or absent.
    #[schema(value_type = Option<Object>)]
    input_data: Option<Value>,
}

/// A measurement point to be set.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SetMeasurepointInfo {
    /// The point's identifier in the thing model.
    measurepoint_id: String,
    /// Of the point's data type.
    value: Value,
}

enum CommandKind {
    Service,
    Point,
}

/// The command as a request says it; paths start below `commandInfo`.
pub(super) fn read(info: CommandInfo) -> Result<Command, Violation> {
    let kind = info.kind()?;
    let absent = |field: &str| Violation::of(&Value::Null, "object").within(field);
    match kind {
        CommandKind::Service => {
            let service = info.service_invoke_info.ok_or_else(|| absent("serviceInvokeInfo"))?;
            let input = input(service.input_data).map_err(|it| it.within("serviceInvokeInfo.inputData"))?;
            Ok(Command::InvokeService {
                service_id: service.service_id,
                input,
            })
        }
        CommandKind::Point => {
            let point = info.set_measurepoint_info.or(info.measurepoint_set_info);
            let point = point.ok_or_else(|| absent("setMeasurepointInfo"))?;
            Ok(Command::SetMeasurepoint {
                measurepoint_id: point.measurepoint_id,
                value: point.value,
            })
        }
    }
}

/// The documented table types it as text, and describes an object.
pub(super) fn input(given: Option<Value>) -> Result<Map<String, Value>, Violation> {
    const EXPECTED: &str = "object of values by parameter";
    match given {
        None => Ok(Map::new()),
        Some(Value::Object(input)) => Ok(input),
        Some(Value::String(text)) => match body::parse(text.as_bytes()) {
            Ok(Value::Object(input)) => Ok(input),
            Ok(_) | Err(_) => Err(Violation::of_text(&text, EXPECTED)),
        },
        Some(other) => Err(Violation::of(&other, EXPECTED)),
    }
}

impl CommandInfo {
    /// The struct of the other type, which is not looked at.
    pub(super) fn without_effect(&self) -> Option<String> {
        let point = self.set_measurepoint_info.is_some() || self.measurepoint_set_info.is_some();
        match self.kind() {
            Ok(CommandKind::Service) if point => Some(format!(
                "setMeasurepointInfo has no effect with commandType {SERVICE_INVOKE}"
            )),
            Ok(CommandKind::Point) if self.service_invoke_info.is_some() => Some(format!(
                "serviceInvokeInfo has no effect with commandType {MEASUREPOINT_SET}"
            )),
            _ => None,
        }
    }

    fn kind(&self) -> Result<CommandKind, Violation> {
        let point = self.set_measurepoint_info.is_some() || self.measurepoint_set_info.is_some();
        let expected = || format!("{SERVICE_INVOKE} or {MEASUREPOINT_SET}");
        match self.command_type.as_deref() {
            Some(word) if word.eq_ignore_ascii_case(SERVICE_INVOKE) => Ok(CommandKind::Service),
            Some(word) if word.eq_ignore_ascii_case(MEASUREPOINT_SET) => Ok(CommandKind::Point),
            Some(other) => Err(Violation::of_text(other, expected()).within("commandType")),
            None if self.service_invoke_info.is_some() != point => Ok(if point {
                CommandKind::Point
            } else {
                CommandKind::Service
            }),
            None => Err(Violation::of(&Value::Null, expected()).within("commandType")),
        }
    }

    fn new(command_type: &str) -> Self {
        Self {
            command_type: Some(command_type.to_owned()),
            service_invoke_info: None,
            set_measurepoint_info: None,
            measurepoint_set_info: None,
        }
    }
}

impl From<&Command> for CommandInfo {
    fn from(command: &Command) -> Self {
        match command {
            Command::InvokeService { service_id, input } => Self {
                service_invoke_info: Some(ServiceInvokeInfo {
                    service_id: service_id.clone(),
                    input_data: Some(Value::Object(input.clone())),
                }),
                ..Self::new(SERVICE_INVOKE)
            },
            Command::SetMeasurepoint { measurepoint_id, value } => Self {
                set_measurepoint_info: Some(SetMeasurepointInfo {
                    measurepoint_id: measurepoint_id.clone(),
                    value: value.clone(),
                }),
                ..Self::new(MEASUREPOINT_SET)
            },
        }
    }
}
