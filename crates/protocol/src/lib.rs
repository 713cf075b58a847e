//! What travels between Aldis, devices and API callers, as typed meaning: topics, payloads, logins, signatures.
//!
//! Everything here is a plain function of its arguments: no socket, no clock, no memory of what went before. The
//! gateway decides what to do with a meaning; this crate only reads and writes it. Whatever comes from a device may be
//! malformed, so reading never panics. docs/device-protocol.md tells the same in prose.

pub mod activation;
pub mod answers;
pub mod api_signature;
mod digest;
pub mod envelope;
pub mod keys;
mod lenient;
pub mod login;
pub mod payload;
pub mod reply;
pub mod report;
mod scan;
pub mod sub_devices;
pub mod subscription;
mod text;
pub mod thing_model;
pub mod topic;
