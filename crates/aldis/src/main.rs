//! The binary `aldis`: the server and the command line that goes with it.

mod command;

use clap::Parser;

/// Command jobs for device fleets: post one command, follow it on every device.
#[derive(Debug, Parser)]
#[command(name = "aldis", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Serve the HTTP API and devices
    Serve(command::serve::Args),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Serve(args) => command::serve::run(args).await,
    }
}
