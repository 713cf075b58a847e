//! The whole, from outside: the real `aldis serve` as a process, real HTTP and MQTT sockets, a real file on disk, kill
//! -9.
//!
//! The program is found and, if need be, built as `harness/binary.rs` says. Time passes in these tests only where a
//! timeout is what is tested; everything else is waited for by looking.

#![expect(clippy::unwrap_used, reason = "a test that meets what it did not expect has to end")]
#![expect(clippy::print_stderr, reason = "a failing test shows the log of its server")]

mod harness;

mod access;
mod actions;
mod activation;
mod bad_input;
mod benchmarks;
mod cancelling;
mod clocks;
mod compression;
mod crashes;
mod gateways;
mod large;
mod latest_values;
mod libraries;
mod one_address;
mod openapi;
mod order;
mod process;
mod registry;
mod repeats;
mod replies;
mod retries;
mod rotation;
mod searching;
mod sessions;
mod settings;
mod single_commands;
mod states;
mod stopping;
mod tls;
mod tls_chains;
mod tls_server;
mod traces;
