//! Tests of the whole, from outside. What several of them need is here; the tests themselves are in `tests/`.

pub mod crash;
pub mod mutation;
pub mod simulation;
