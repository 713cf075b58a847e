//! Logs, on stderr: fields for machines, a sentence for people, never a payload or a secret (docs/operating.md,
//! "Logs").
//!
//! A line never makes its caller wait, and never fails: `queue` takes it, within bounds, and a thread of its own writes
//! it. What repeats is bounded by `limit`. Nothing here uses `eprintln!`, which panics when stderr fails.

mod limit;
mod queue;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::IsTerminal as _;
use std::panic::PanicHookInfo;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;

use limit::{Limit, Limited};
use queue::Queue;

/// What is logged unless `ALDIS_LOG` says otherwise.
const DEFAULT_FILTER: &str = "info";
/// Bytes of a reason or a path in a line.
pub const TEXT_MAX_BYTES: usize = 256;
/// How often what was left out is said.
const SAY_EVERY: Duration = Duration::from_secs(1);
/// How long the end of the process may wait for its last lines.
const LAST_LINES_WITHIN: Duration = Duration::from_secs(1);

static QUEUE: OnceLock<Arc<Queue>> = OnceLock::new();

/// Starts logging to stderr, panics included. A second call changes nothing. Where stderr is not open, nothing is
/// logged.
pub fn start() {
    let queue = Arc::new(Queue::default());
    let limit = Arc::new(Limit::default());
    let filter = EnvFilter::try_from_env("ALDIS_LOG").unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    // Colours are for people at a terminal; in a file they are noise that defeats searching.
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .log_internal_errors(false)
        .with_writer(Arc::clone(&queue));
    let subscriber = tracing_subscriber::registry()
        .with(filter)
        .with(Limited(Arc::clone(&limit)))
        .with(lines);
    if tracing::subscriber::set_global_default(subscriber).is_err() {
        tracing::debug!("logging was started before");
        return;
    }
    std::panic::set_hook(Box::new(log_panic));
    let written = Arc::clone(&queue);
    let thread = std::thread::Builder::new().name("log".to_owned());
    if thread.spawn(move || write(&written, &limit)).is_ok() {
        drop(QUEUE.set(queue));
    }
}

/// As much of a text that a stranger has chosen as a line of the log holds: at most `max_bytes` of it.
pub fn cut(text: &str, max_bytes: usize) -> &str {
    &text[..text.floor_char_boundary(max_bytes)]
}

/// Waits until all lines are written, not for long, and not if stderr fails.
pub fn finish() {
    if let Some(queue) = QUEUE.get() {
        queue.finish(Instant::now() + LAST_LINES_WITHIN);
    }
}

/// The thread that writes: lives as long as the process.
fn write(queue: &Queue, limit: &Limit) {
    let Some(mut stderr) = queue::Stderr::open() else {
        return;
    };
    let mut said = Instant::now();
    loop {
        let lost = queue.write_some(&mut stderr, SAY_EVERY);
        if lost > 0 {
            tracing::warn!(target: limit::OWN, lost, "lines of the log were lost: stderr did not take them in time");
        }
        if said.elapsed() >= SAY_EVERY {
            said = Instant::now();
            limit.say(said);
        }
    }
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(
        thread = thread.name(),
        at = panic.location().map(tracing::field::display),
        why = panic.payload_as_str(),
        backtrace,
        "a thread panicked"
    );
    // Its panic ends the process, and the thread that writes with it.
    if thread.name() == Some("main") {
        finish();
    }
}
