//! The command line from outside: the real program, called as an operator and as a script call it, against a server
//! that is the same program.
#![expect(clippy::unwrap_used, reason = "tests")]

mod access;
mod demo;
mod devices;
mod export;
mod harness;
mod import;
mod jobs;
mod mistakes;
mod objects;
mod signals;
