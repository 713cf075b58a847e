//! A deterministic simulation: the real API, application, engine and store, driven by one seed.
//!
//! One virtual clock, one thing at a time. A seed draws a list of [`Operation`]s; [`run`] carries them out, looks at
//! what must hold after each, and at the end lets every fault stop and demands that every task ends. What must hold is
//! written down independently of the engine, in [`oracle`], from what operators were answered and what devices
//! received.
//!
//! A list that fails is shrunk ([`shrink`]) and then kept as a test of its own.

mod claims;
mod device;
mod disk;
mod draw;
mod link;
mod operation;
mod operator;
mod oracle;
mod run;
mod shrink;
mod world;

pub use draw::draw;
pub use operation::{Call, Choice, Draft, Fault, Operation, ReplyKind, Trouble};
pub use oracle::Violation;
pub use run::{Figures, Medium, run};
pub use shrink::shrink;
