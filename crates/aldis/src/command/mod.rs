//! The subcommands, one file each. `bench` and `demo` are features: packages leave them out.

mod access_key;
mod audit;
#[cfg(feature = "bench")]
mod bench;
mod cert;
#[cfg(feature = "demo")]
mod demo;
mod device;
mod device_export;
mod device_import;
mod document;
pub(crate) mod explain;
mod gateway;
mod job;
mod model;
mod organization;
mod product;
mod serve;
mod simulate;
mod single;
mod task;

use std::future::Future;
use std::time::Duration;

use clap::Subcommand;
use tokio::runtime::Builder;

use crate::cli::Cli;
use crate::context::Context;
use crate::exit::Outcome;
use crate::interrupt::ignore_hangup;

/// What the program can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the HTTP API and devices
    Serve(serve::Args),
    #[cfg(feature = "demo")]
    /// Show the main job from end to end, with nothing prepared
    Demo(demo::Demo),
    /// Simulate devices that answer commands, well or badly
    Simulate(Box<simulate::Simulate>),
    #[cfg(feature = "bench")]
    /// Measure this machine: dispatch, a large job, statistics, memory
    Bench(bench::Bench),
    /// Certificates of a small authority of one's own, for TLS
    #[command(subcommand)]
    Cert(cert::Cert),
    /// Thing models: what devices of a type can do
    #[command(subcommand)]
    Model(model::Model),
    /// Products: device types
    #[command(subcommand)]
    Product(product::Product),
    /// Devices
    #[command(subcommand)]
    Device(device::Device),
    /// Gateways: which devices are reached through which
    #[command(subcommand)]
    Gateway(gateway::Gateway),
    /// Single commands: one command for one device, and its reply
    #[command(subcommand, name = "command")]
    Single(single::Single),
    /// Command jobs: one command for many devices
    #[command(subcommand)]
    Job(job::Job),
    /// Tasks: one device's share of a job
    #[command(subcommand)]
    Task(task::Task),
    /// What a code of the API means, and what to do
    Explain(explain::Explain),
    /// What was done, and who did it
    Audit(audit::Audit),
    /// Access keys of all organizations (for keys with the role admin)
    #[command(subcommand)]
    Key(access_key::Key),
    /// All organizations (for keys with the role admin)
    #[command(subcommand)]
    Org(organization::Organization),
}

/// Does what the command line says.
pub(crate) fn run(cli: Cli) -> anyhow::Result<Outcome> {
    let context = Context::new(cli.global);
    match cli.command {
        Command::Serve(args) => serve(args),
        #[cfg(feature = "demo")]
        Command::Demo(demo) => wait_for(demo.run(&context)),
        Command::Simulate(simulate) => wait_for(simulate.run(&context)),
        #[cfg(feature = "bench")]
        Command::Bench(bench) => wait_for(bench.run(&context)),
        Command::Cert(cert) => cert.run(&context),
        Command::Model(model) => wait_for(model.run(&context)),
        Command::Product(product) => wait_for(product.run(&context)),
        Command::Device(device) => wait_for(device.run(&context)),
        Command::Gateway(gateway) => wait_for(gateway.run(&context)),
        Command::Single(single) => wait_for(single.run(&context)),
        Command::Job(job) => wait_for(job.run(&context)),
        Command::Task(task) => wait_for(task.run(&context)),
        Command::Explain(explain) => explain.run(&context),
        Command::Audit(audit) => wait_for(audit.run(&context)),
        Command::Key(key) => wait_for(key.run(&context)),
        Command::Org(organization) => wait_for(organization.run(&context)),
    }
}

/// How long questions that are still being answered may hold up the end of the process.
const LEFT_OVER_WITHIN: Duration = Duration::from_millis(500);

/// The server uses every core.
fn serve(args: serve::Args) -> anyhow::Result<Outcome> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(serve::run(args));
    runtime.shutdown_timeout(LEFT_OVER_WITHIN);
    aldis_telemetry::finish();
    served.map(|()| Outcome::Done)
}

/// A client does one thing after another: one thread is enough.
fn wait_for(work: impl Future<Output = anyhow::Result<Outcome>>) -> anyhow::Result<Outcome> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        ignore_hangup()?;
        work.await
    })
}
