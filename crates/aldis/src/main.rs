//! The program `aldis`: the server's command line and everything an operator does from a shell.
//!
//! This file parses and reports; each subcommand is one file in [`command`].

mod cli;
mod command;
mod context;
mod error_pages;
mod exit;
mod filter;
mod interrupt;
#[cfg(any(feature = "bench", feature = "demo"))]
mod local_server;
mod moment;
mod open_files;
mod pick;
mod registration;
mod screen;
mod sheet;
mod typed;
mod whole_file;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    exit::report(command::run(cli))
}
