//! What stands before the subcommand.

use std::path::PathBuf;

use clap::{Args, Parser};

use crate::command::Command;

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

/// How the server is reached and how answers are shown.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection and output")]
pub(crate) struct Global {
    /// The server's address
    #[arg(long, global = true, env = "ALDIS_URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// The access key: a JSON file with orgId, appKey and appSecret
    #[arg(
        long,
        global = true,
        env = "ALDIS_KEY_FILE",
        value_name = "FILE",
        default_value = "./aldis-data/admin-key.json"
    )]
    pub(crate) key_file: PathBuf,
    /// The organization; without a key file of that organization calls go unsigned, to a server with --no-auth
    #[arg(long, global = true, env = "ALDIS_ORG", value_name = "ID")]
    pub(crate) org: Option<String>,
    /// Print the API's data instead of tables
    #[arg(long, global = true)]
    pub(crate) json: bool,
}
