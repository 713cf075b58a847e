//! The engine: everything that decides what happens to jobs, tasks and devices' slots, behind one bounded inbox.
//!
//! [`Engine::run_once`] is a plain function of what came in and of the time. [`writer`] is the way to it: a handle that
//! asks, and the inbox. [`link`] is the seam to devices, [`CommitObserver`] the one to what follows commits. [`trace`],
//! [`latest`], [`contention`] and [`proofs`] keep what belongs to devices and callers but not to a task. No thread, no
//! socket and no clock of its own.

pub mod clock;
mod engine;
pub mod generational_cache;
pub mod health;
pub mod latest;
pub mod link;
mod observer;
pub mod proofs;
pub mod session_contention;
mod shared;
pub mod trace;
pub mod waiters;
pub mod writer;

pub use engine::{AFTER_FAILURE_MS, AFTER_START_MS, Engine, OUT_MAX, Ports, Wake, logins};
pub use observer::CommitObserver;
pub use shared::Shared;
