//! Connections that do nothing: how much memory of the server each takes.

use std::path::Path;
use std::time::{Duration, Instant};

use aldis_simulator::FleetOptions;
use serde::Serialize;
use tokio::time::sleep;

use super::figures::{millis, rate, ratio};
use super::world::World;

/// Longer than devices settle after their connection.
const SETTLED_AFTER: Duration = Duration::from_secs(3);

/// What was measured.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Idle {
    connections: usize,
    connect_ms: f64,
    /// Resident memory of the server before the first and after the last connection, in KiB; absent where the operating
    /// system does not tell.
    before_kib: Option<u64>,
    after_kib: Option<u64>,
}

pub(super) async fn measure(dir: Option<&Path>, connections: usize) -> anyhow::Result<Idle> {
    let world = World::start(dir).await?;
    let identities = world.register(connections).await?;
    let before_kib = world.server.pid().and_then(resident_kib);
    let begun = Instant::now();
    let fleet = world.connect(identities, FleetOptions::default()).await?;
    let connect = begun.elapsed();
    sleep(SETTLED_AFTER).await;
    let after_kib = world.server.pid().and_then(resident_kib);
    fleet.stop().await;
    Ok(Idle {
        connections,
        connect_ms: millis(connect),
        before_kib,
        after_kib,
    })
}

/// Resident memory of a process, where there is a /proc.
fn resident_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches("kB").trim_end().parse().ok()
}

impl Idle {
    pub(super) fn lines(&self) -> Vec<(&'static str, Option<String>)> {
        let text = match (self.before_kib, self.after_kib) {
            (Some(before), Some(after)) => {
                let grown = usize::try_from(after.saturating_sub(before)).unwrap_or(0);
                let each = ratio(grown, self.connections);
                format!(
                    "{} connections: {each:.1} KiB each (server from {before} to {after} KiB)",
                    self.connections
                )
            }
            _ => format!(
                "{} connections: memory is not told by this operating system, only by Linux",
                self.connections
            ),
        };
        let connecting = rate(self.connections, Duration::from_secs_f64(self.connect_ms / 1000.0));
        vec![
            ("idle connections", Some(text)),
            ("  connecting", Some(format!("{connecting:.0} devices/s"))),
        ]
    }
}
