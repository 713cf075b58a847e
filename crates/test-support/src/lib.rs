//! What tests of several crates share: a store that fails when a test says so.

mod failing_store;

pub use failing_store::{FailingStore, Faults};
