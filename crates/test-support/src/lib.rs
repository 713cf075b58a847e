//! What tests of several crates share: stores that fail when a test says so.

mod failing_store;
mod faulty_store;

pub use failing_store::{FailingStore, Faults};
pub use faulty_store::{FaultyStore, ReadFaults, StoreFaults, unavailable};
