//! The pure heart of Aldis: what a command, a job and a task are, and how a task moves.
//!
//! Nothing in this crate does I/O, reads a clock or draws a random number; time, ids and chance come in as arguments.
//! Everything that decides a task's fate is here, so that the live server, a restart and a simulation decide alike.

pub mod command;
pub mod expression;
pub mod failure_text;
pub mod i18n;
pub mod ids;
pub mod job;
mod mix;
pub mod model;
pub mod number;
pub mod outcome_class;
pub mod policy;
mod range;
pub mod reported;
pub mod retry;
pub mod rollout;
pub mod schedule;
pub mod secret;
mod stored_numbers;
pub mod tags;
pub mod task;
pub mod text_file;
pub mod time;
pub mod timezone;
pub mod violation;
