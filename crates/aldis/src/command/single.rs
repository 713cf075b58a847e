//! `aldis command`: one command for one device.

use aldis_client::{CommandLimits, CommandSent, DeviceRef, SingleCommand};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::device::{REF, device_ref};
use super::document::object;
use crate::context::Context;
use crate::exit::{Outcome, name_flag};
use crate::pick::Pick;
use crate::screen::{facts, moment, table};
use crate::typed::point_value;

/// What can be done with single commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Single {
    /// Invoke a service of one device, and wait for its reply unless --ttl is given
    Invoke {
        /// The device: product key and device key, or asset id
        #[arg(value_name = REF, value_parser = device_ref)]
        device: DeviceRef,
        /// The service
        #[arg(value_name = "SERVICE_ID")]
        service: String,
        /// The service's input
        #[arg(long, value_name = "JSON", value_parser = object)]
        input: Option<Value>,
        #[command(flatten)]
        limits: Limits,
    },
    /// Set a measurement point of one device, and wait for its reply unless --ttl is given
    Set {
        /// The device: product key and device key, or asset id
        #[arg(value_name = REF, value_parser = device_ref)]
        device: DeviceRef,
        /// The measurement point
        #[arg(value_name = "MEASUREPOINT_ID")]
        point: String,
        /// Its value, read as the thing model has it
        #[arg(value_name = "VALUE", allow_hyphen_values = true)]
        value: String,
        #[command(flatten)]
        limits: Limits,
    },
    /// The single commands of a device, newest first
    #[command(visible_alias = "search")]
    List {
        /// The device: product key and device key, or asset id
        #[arg(value_name = REF, value_parser = device_ref)]
        device: DeviceRef,
        #[command(flatten)]
        pick: Pick,
    },
    /// One single command
    #[command(visible_alias = "get")]
    Show {
        /// The command's id
        command_id: String,
    },
    /// Cancel the commands that wait for a device, or one of them
    Cancel {
        /// The device: product key and device key, or asset id
        #[arg(value_name = REF, value_parser = device_ref)]
        device: DeviceRef,
        /// Only this one
        command_id: Option<String>,
    },
}

/// How long a command may take.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Limits {
    /// Seconds to wait for the reply, 1 to 60 [default: 30]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u32>,
    /// Seconds that the command may wait for an absent device, up to 172800: the answer then comes at once
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<u32>,
}

impl From<Limits> for CommandLimits {
    fn from(limits: Limits) -> Self {
        Self {
            timeout: limits.timeout,
            pending_ttl: limits.ttl,
        }
    }
}

impl Single {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let client = context.client()?;
        let screen = context.screen;
        match self {
            Self::Invoke {
                device,
                service,
                input,
                limits,
            } => {
                let input = input.unwrap_or_else(|| json!({}));
                let sent = client.invoke_service(&device, &service, &input, limits.into()).await;
                screen.answer(&sent.map_err(|error| name_flag(error, &FLAGS))?, outcome)?;
            }
            Self::Set {
                device,
                point,
                value: text,
                limits,
            } => {
                let value = point_value(&client, &device, &point, &text).await?;
                let sent = client.set_measurepoint(&device, &point, &value, limits.into()).await;
                screen.answer(&sent.map_err(|error| name_flag(error, &FLAGS))?, outcome)?;
            }
            Self::List { device, pick } => {
                let commands = client.single_commands(&device, pick.expression.as_deref());
                pick.print(screen, commands, &HEAD, row).await?;
            }
            Self::Show { command_id } => screen.answer(&client.single_command(&command_id).await?, whole)?,
            Self::Cancel { device, command_id } => {
                let cancelled = client.cancel_single_commands(&device, command_id.as_deref()).await?;
                screen.answer(&cancelled, |all| table(&HEAD, all.iter().map(row)))?;
            }
        }
        Ok(Outcome::Done)
    }
}

/// Parameters of a command, and the flags that fill them.
const FLAGS: [(&str, &str); 3] = [
    ("timeout", "--timeout"),
    ("pendingTtl", "--ttl"),
    ("inputData", "--input"),
];

fn outcome(sent: &CommandSent) -> String {
    facts([
        ("command", Some(sent.command_id.clone())),
        ("output", sent.output_data.as_ref().map(Value::to_string)),
    ])
}

fn state(state: u8) -> &'static str {
    match state {
        1 => "created",
        2 => "cancelled",
        3 => "expired",
        4 => "sent",
        5 => "succeeded",
        6 => "failed",
        7 => "response timed out",
        _ => "?",
    }
}

const HEAD: [&str; 5] = ["COMMAND", "DEVICE", "WHAT", "STATE", "CREATED"];

fn row(command: &SingleCommand) -> Vec<String> {
    vec![
        command.command_id.clone(),
        device(command),
        command.tsl_identifier.clone(),
        state(command.state).to_owned(),
        moment(Some(command.create_time)).unwrap_or_default(),
    ]
}

fn device(command: &SingleCommand) -> String {
    format!("{}/{}", command.product_key, command.device_key)
}

fn whole(command: &SingleCommand) -> String {
    let kind = match command.command_type {
        1 => "set",
        _ => "invoke",
    };
    facts([
        ("command", Some(command.command_id.clone())),
        ("device", Some(device(command))),
        ("asset", Some(command.asset_id.clone())),
        ("what", Some(format!("{kind} {}", command.tsl_identifier))),
        ("input", Some(command.input_data.to_string())),
        ("state", Some(state(command.state).to_owned())),
        ("output", command.output_data.as_ref().map(Value::to_string)),
        ("created", moment(Some(command.create_time))),
        ("timeout, seconds", Some(command.timeout.to_string())),
        ("may wait, seconds", Some(command.pending_ttl.to_string())),
    ])
}
