//! The server: threads, sockets, the real clock and chance, attached to the engine, the application and both listeners.
//!
//! See ARCHITECTURE.md for the crates and for the walk of one command.

pub mod assembly;
pub mod config;
pub mod wiring;
