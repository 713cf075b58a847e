//! Logs, on stderr: fields for machines, a sentence for people, never a payload or a secret (docs/operating.md, "Logs").

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// What is logged unless `ALDIS_LOG` says otherwise.
const DEFAULT_FILTER: &str = "info";

/// Starts logging to stderr. A second call changes nothing.
pub fn start() {
    let filter = EnvFilter::try_from_env("ALDIS_LOG").unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    // Colours are for people at a terminal; in a file they are noise that defeats searching.
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .finish();
    if tracing::subscriber::set_global_default(subscriber).is_err() {
        tracing::debug!("logging was started before");
    }
}
