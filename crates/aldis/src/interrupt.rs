//! The wish to end: Ctrl-C or SIGTERM. SIGHUP has a server read its certificates again; of a client it asks nothing, so
//! that a signal to all of Aldis ends no client.

use std::future::Future;
use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// From now on SIGHUP does not end the process.
///
/// # Errors
/// If the operating system does not let the program listen.
pub(crate) fn ignore_hangup() -> io::Result<()> {
    // The runtime never gives the signal's own effect back.
    signal(SignalKind::hangup()).map(drop)
}

/// Listens from now on; the future is done at the first such signal.
///
/// # Errors
/// If the operating system does not let the program listen.
pub(crate) fn interrupted() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
