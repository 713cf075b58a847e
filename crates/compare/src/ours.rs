//! A round of Aldis: its own benchmark, which starts a server and creates the jobs over HTTP while the clock runs; a
//! task counts once its success is durable and acknowledged.

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use tokio::process::Command;

use crate::Args;
use crate::round::Round;

#[derive(Deserialize)]
struct Report {
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    rounds: Vec<Measured>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Measured {
    count: f64,
    seconds: f64,
    server_us: f64,
    fleet_us: f64,
    caller_us: f64,
}

pub(crate) async fn round(args: &Args) -> anyhow::Result<Round> {
    let mut command = Command::new(args.aldis()?);
    command.args(["bench", "jobs", "--json", "--rounds", "1", "--pause", &args.pause]);
    for (flag, value) in [
        ("--devices", args.devices.to_string()),
        ("--jobs", args.jobs.to_string()),
        ("--failing", args.failing.to_string()),
    ] {
        command.args([flag, &value]);
    }
    if let Some(dir) = &args.dir {
        command.arg("--dir").arg(dir);
    }
    let output = command.kill_on_drop(true).output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "aldis bench: {said}");
    let report: Report = serde_json::from_slice(&output.stdout)?;
    let measured = report.rows.first().and_then(|row| row.rounds.first());
    let measured = measured.context("aldis bench measured nothing")?;
    Ok(Round {
        tasks: measured.count,
        seconds: measured.seconds,
        server_us: measured.server_us,
        controller_us: measured.caller_us,
        fleet_us: measured.fleet_us,
    })
}
