//! What stands before the subcommand.

use clap::Parser;

use crate::command::Command;
use crate::context::Global;

const AFTER_HELP: &str = "\
Exit codes:
  0  done
  1  refused by the server, or not everything succeeded
  2  the command line, a file or the configuration is wrong
  3  the server cannot be reached";

/// Device command jobs from one binary: server, command line and simulator.
#[derive(Debug, Parser)]
#[command(name = "aldis", version, after_help = AFTER_HELP, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}
