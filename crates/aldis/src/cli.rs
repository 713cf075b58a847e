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

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _};

    use super::Cli;

    fn without_help(command: &Command, path: &str) -> Vec<String> {
        let path = format!("{path} {}", command.get_name());
        let silent = command.get_arguments().filter(|argument| argument.get_help().is_none());
        let own = silent.map(|argument| format!("{path}: {}", argument.get_id()));
        let below = command.get_subcommands().flat_map(|inner| without_help(inner, &path));
        own.chain(below).collect()
    }

    #[test]
    fn every_argument_has_a_help_text() {
        let mut command = Cli::command();
        command.build();
        assert_eq!(without_help(&command, ""), Vec::<String>::new());
    }
}
