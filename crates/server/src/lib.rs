//! The server: HTTP in front, devices behind, one writer in between.
//!
//! `api` decodes and encodes; `app` decides what a caller's intent means; `writer` is the one place that changes stored
//! state, turn by turn; `engine` holds the rules of each turn (trigger, dispatch, deadlines); `gateway` speaks MQTT with the
//! devices and is reached through [`link::DeviceLink`] alone. Threads, sockets, the real clock and chance are attached in
//! [`wiring`]. See ARCHITECTURE.md for the walk of one command.

pub mod api;
pub mod app;
pub mod clock;
pub mod config;
pub mod engine;
pub mod gateway;
pub mod health;
mod idle;
pub mod latest;
pub mod link;
pub mod pem;
pub mod proofs;
mod remembered;
pub mod shutdown;
mod socket_options;
pub mod takeovers;
pub mod telemetry;
pub mod trace;
pub mod wiring;
pub mod writer;
