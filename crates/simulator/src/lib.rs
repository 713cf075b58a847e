//! Simulated devices: what the vendor's device libraries do, over real MQTT 3.1.1 sockets.
//!
//! - [`Fleet`] runs thousands of devices on one thread. A [`Handler`] decides what they do with each command; the
//!   [`FaultModel`] is a handler that is wrong as often as it is told to be.
//! - [`FleetProcess`] is a fleet in a process of its own, for those who measure.
//! - [`Device`] is a single device in the hands of a test, which says every packet.
//! - [`Journal`] notes every command that arrived anywhere.
//!
//! Like the vendor's libraries, simulated devices do not subscribe to commands unless told to behave like the one that
//! does, acknowledge commands with QoS 1, reply on `<topic>_reply`, and come back after a lost link with growing
//! pauses. docs/device-protocol.md describes the protocol. This crate knows nothing of the server's inside.

mod behaviour;
mod counters;
mod device;
mod fault;
mod fleet;
mod identity;
mod journal;
#[cfg(test)]
mod peer;
mod process;
mod received;
mod rng;
mod wire;

pub use behaviour::{Behaviour, Handler, LoseLink, Recipient, Reply, ReplyContent, SUCCESS};
pub use counters::Counts;
pub use device::{Device, DeviceError, ReplyId};
pub use fault::{BadFaultModel, DEFAULT_FAILURE_CODE, FaultModel};
pub use fleet::{BackOff, Fleet, FleetHandle, FleetOptions, Refused, Subscribes};
pub use identity::{DeviceIdentity, Login};
pub use journal::{Journal, Record};
pub use process::{FleetPlan, FleetProcess, FleetRequest, Usage, serve_fleet};
pub use received::Received;
pub use rng::Rng;
pub use wire::LinkError;
