//! Crashes for real: the program itself with a fleet of devices and busy operators is killed again and again, always
//! while commands are moving, and started on the same data. At the end three accounts are compared: what operators were
//! told, what devices received, and what the database says.
//!
//! `server` is the process, `fleet` the devices and their journal, `newcomers` those that come for the first time,
//! `operators` the API's callers, `moves` who moves devices between gateways, `kills` when it is killed, `checks`
//! the comparison. A failure names the seed, but a second run takes another course: threads are real here.

mod accounts;
mod checks;
mod fleet;
mod kills;
mod moves;
mod newcomers;
mod operators;
mod server;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;

use accounts::Accounts;
use fleet::Devices;
use kills::Killer;
use newcomers::Newcomers;
use operators::Operators;
use server::Server;

pub use accounts::{Acts, Arrivals, CommandTold, KnownOutcome, Targets, Told};
pub use checks::{Contradiction, Evidence, Shown, SingleShown, Stored, check};
pub use kills::Figures;

/// What a run is made of.
#[derive(Debug, Clone)]
pub struct Options {
    /// The program `aldis`.
    pub program: PathBuf,
    /// How often it is killed.
    pub kills: u32,
    /// How many devices there are.
    pub devices: usize,
    /// Where chance begins.
    pub seed: u64,
}

/// For a run to come to its end, after the last fault.
const END_WITHIN: Duration = Duration::from_secs(240);

/// Kills and compares.
///
/// # Errors
/// The server does not start, something does not come to its end, or the accounts contradict each other.
pub async fn run(options: &Options) -> anyhow::Result<Figures> {
    let mut server = Server::start(&options.program).await?;
    let accounts = Arc::new(Accounts::default());
    let client = server.client()?;
    let identities = operators::prepare(&client, options.devices).await?;
    let devices = Devices::start(&server, &client, &identities, options.seed, Arc::clone(&accounts)).await?;
    let newcomers = Newcomers::start(&server, &client, Arc::clone(&accounts)).await?;
    let operators = Operators::start(client.clone(), identities, options.seed, Arc::clone(&accounts));
    let mut figures = Killer::new(options, Arc::clone(&accounts))
        .kill(&mut server, &client, &devices)
        .await?;
    operators.stop().await;
    newcomers.stop().await;
    accounts.end_faults();
    kills::all_final(&client, END_WITHIN).await?;
    devices.stop().await;
    let evidence = Evidence::gather(&client, &accounts, &server.data()).await?;
    figures.count(&evidence);
    figures.count_calls(&accounts);
    let contradictions = check(&evidence);
    ensure!(
        contradictions.is_empty(),
        "seed {}: {} contradictions:\n{}",
        options.seed,
        contradictions.len(),
        contradictions
            .iter()
            .take(20)
            .map(|one| format!("  {one}\n"))
            .collect::<String>()
    );
    Ok(figures)
}
