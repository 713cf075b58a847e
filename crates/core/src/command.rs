//! What a job asks of each device: invoke a service, or set a measurement point.

use serde_json::{Map, Value};

/// A command with its input as the operator gave it. It is validated once, at creation, and sent as accepted.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Invoke a service of the thing model.
    InvokeService {
        /// The service's identifier.
        service_id: String,
        /// Input parameter → value.
        input: Map<String, Value>,
    },
    /// Set one measurement point.
    SetMeasurepoint {
        /// The point's identifier.
        measurepoint_id: String,
        /// The value, of the point's data type.
        value: Value,
    },
}

/// The two kinds of command. Devices that subscribe get each kind only once its subscription is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommandKind {
    /// A service invocation.
    InvokeService,
    /// A measurement point set.
    SetMeasurepoint,
}

/// How surely MQTT hands a command over (docs/device-protocol.md, "Commands"). There is no third: a command that may be
/// repeated would open a valve twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Qos {
    /// 0: its arrival is not acknowledged.
    AtMostOnce,
    /// 1: the device acknowledges it; without that it is not sent again all the same.
    #[default]
    AtLeastOnce,
}

impl Qos {
    /// Its number.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::AtMostOnce => 0,
            Self::AtLeastOnce => 1,
        }
    }
}

impl TryFrom<i64> for Qos {
    type Error = NoQos;

    fn try_from(number: i64) -> Result<Self, NoQos> {
        match number {
            0 => Ok(Self::AtMostOnce),
            1 => Ok(Self::AtLeastOnce),
            _ => Err(NoQos),
        }
    }
}

/// The number is neither 0 nor 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoQos;

impl Command {
    /// Which kind of command this is.
    #[must_use]
    pub fn kind(&self) -> CommandKind {
        match self {
            Self::InvokeService { .. } => CommandKind::InvokeService,
            Self::SetMeasurepoint { .. } => CommandKind::SetMeasurepoint,
        }
    }

    /// The identifier of the service or measurement point in the thing model.
    #[must_use]
    pub fn identifier(&self) -> &str {
        match self {
            Self::InvokeService { service_id, .. } => service_id,
            Self::SetMeasurepoint { measurepoint_id, .. } => measurepoint_id,
        }
    }
}
