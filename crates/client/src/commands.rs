//! Single commands: one command for one device (docs/api.md, "Single commands").

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::call::Call;
use crate::client::Client;
use crate::devices::DeviceRef;
use crate::error::Error;
use crate::name::Name;
use crate::paging::Pages;

const COMMANDS: &str = "/connect-service/v2.1/commands";
/// Longest that the server keeps the caller of an instant command: twice the longest timeout, and what its turns may
/// take.
const INSTANT_WITHIN: Duration = Duration::from_secs(140);

/// How long a single command may take. What is absent takes the server's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CommandLimits {
    /// Seconds to wait for the device's reply, 1 to 60.
    pub timeout: Option<u32>,
    /// Seconds that the command may wait for its device, up to 172800; 0 or absent: it is sent at once or not at all,
    /// and the call waits for its end.
    pub pending_ttl: Option<u32>,
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandSent {
    /// Its id.
    pub command_id: String,
    /// What the device sent along; `None` of a command that waits for its device.
    #[serde(default)]
    pub output_data: Option<Value>,
}

/// A single command as the server knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SingleCommand {
    /// Its id.
    pub command_id: String,
    /// Whose it is.
    pub org_id: String,
    /// The device's product.
    pub product_key: String,
    /// The device within its product.
    pub device_key: String,
    /// The device's asset.
    pub asset_id: String,
    /// Unix epoch milliseconds.
    pub create_time: i64,
    /// The same as a clock shows it where the device is.
    pub create_localtime: String,
    /// 1: a measurement point is set; 2: a service is invoked.
    pub command_type: u8,
    /// The name of the point or service.
    pub command_name: Name,
    /// Seconds to wait for the reply.
    pub timeout: i64,
    /// Seconds that it may wait for its device.
    pub pending_ttl: i64,
    /// 1 created, 2 cancelled, 3 expired, 4 sent, 5 succeeded, 6 failed, 7 response timed out.
    pub state: u8,
    /// The identifier of the point or service.
    pub tsl_identifier: String,
    /// The service's input by parameter, or the point's value.
    pub input_data: Value,
    /// What the device sent along.
    #[serde(default)]
    pub output_data: Option<Value>,
}

impl CommandLimits {
    fn call(self, action: &str, device: &DeviceRef) -> Call {
        let mut call = Call::post(COMMANDS, action).query_all(device.query()).idempotent();
        for (name, seconds) in [("timeout", self.timeout), ("pendingTtl", self.pending_ttl)] {
            if let Some(seconds) = seconds {
                call = call.query(name, seconds.to_string());
            }
        }
        call.answered_within(INSTANT_WITHIN)
    }
}

impl Client {
    /// Invokes a service of a device.
    ///
    /// # Errors
    /// All of [`Error`]; an instant command that does not succeed is refused with the device's code or the server's.
    pub async fn invoke_service(
        &self,
        device: &DeviceRef,
        service_id: &str,
        input: &Value,
        limits: CommandLimits,
    ) -> Result<Answer<CommandSent>, Error> {
        let call = limits.call("invokeService", device).query("serviceId", service_id);
        self.send(call.json(&json!({"inputData": input}))).await
    }

    /// Sets a measurement point of a device.
    ///
    /// # Errors
    /// As [`Client::invoke_service`].
    pub async fn set_measurepoint(
        &self,
        device: &DeviceRef,
        measurepoint_id: &str,
        value: &Value,
        limits: CommandLimits,
    ) -> Result<Answer<CommandSent>, Error> {
        let call = limits.call("setMeasurepoint", device);
        let call = call.query("measurepointId", measurepoint_id);
        self.send(call.json(&json!({"value": value}))).await
    }

    /// A single command.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn single_command(&self, command_id: &str) -> Result<Answer<SingleCommand>, Error> {
        self.send(Call::get(COMMANDS, "get").query("commandId", command_id))
            .await
    }

    /// All single commands of a device that match, newest first, page by page.
    #[must_use]
    pub fn single_commands(&self, device: &DeviceRef, expression: Option<&str>) -> Pages<SingleCommand> {
        let named = device.query().into_iter();
        let named = named.map(|(name, value)| (name.to_owned(), Value::from(value)));
        Pages::new(self, COMMANDS, "search", expression).with(Map::from_iter(named))
    }

    /// Cancels the commands that wait for a device, or one of them; those that were.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn cancel_single_commands(
        &self,
        device: &DeviceRef,
        command_id: Option<&str>,
    ) -> Result<Answer<Vec<SingleCommand>>, Error> {
        let mut call = Call::post(COMMANDS, "cancel").query_all(device.query());
        if let Some(command_id) = command_id {
            call = call.query("commandId", command_id);
        }
        self.send(call.json(&json!({}))).await
    }
}
