//! A round of Mosquitto with a controller.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use aldis_simulator::{FleetPlan, FleetProcess, FleetRequest, Usage};
use anyhow::{Context as _, ensure};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::Args;
use crate::controller::{Controller, PRODUCT, SERVICE};
use crate::round::Round;

/// More than a round needs on a slow machine.
const PATIENCE: Duration = Duration::from_secs(300);
/// As long as devices of Aldis settle: meanwhile all subscriptions are granted.
const SETTLING: Duration = Duration::from_millis(1_500);

pub(crate) async fn round(args: &Args) -> anyhow::Result<Round> {
    let home = tempfile::tempdir()?;
    let (broker, address) = start(&args.mosquitto, home.path()).await?;
    let broker = broker.id().map(|pid| (pid, broker)).context("the broker has ended")?;
    let names: Vec<String> = (0..args.devices).map(|number| format!("device{number:06}")).collect();
    let mut fleet = connect(args, address, &names).await?;
    let mut controller = Controller::connect(address).await?;
    let used = || {
        let all = [Usage::of(broker.0)?, Usage::of(std::process::id())?];
        std::io::Result::Ok(all.map(|usage| usage.cpu))
    };
    let ([broker_before, controller_before], fleet_before) = (used()?, fleet.usage()?.cpu);
    let begun = Instant::now();
    let done = timeout(PATIENCE, controller.command(&names, args.jobs)).await;
    let seconds = begun.elapsed().as_secs_f64();
    done.context("replies are missing")??;
    let ([broker_after, controller_after], fleet_after) = (used()?, fleet.usage()?.cpu);
    let counts = fleet.ask(FleetRequest::Now).await?;
    ensure!(
        counts.unreadable + counts.dropped_unsubscribed == 0,
        "devices could not read their commands: {counts:?}"
    );
    let tasks = f64::from(u32::try_from(args.devices * args.jobs)?);
    let us = |before: Duration, after: Duration| after.saturating_sub(before).as_secs_f64() * 1e6 / tasks;
    Ok(Round {
        tasks,
        seconds,
        server_us: us(broker_before, broker_after),
        controller_us: us(controller_before, controller_after),
        fleet_us: us(fleet_before, fleet_after),
    })
}

/// The devices, subscribed to their commands.
async fn connect(args: &Args, mqtt: SocketAddr, names: &[String]) -> anyhow::Result<FleetProcess> {
    let device = |name: &String| (PRODUCT.to_owned(), name.clone(), "secret".to_owned());
    let plan = FleetPlan {
        subscribes: Some(SERVICE.to_owned()),
        pause_ms: args.pause_ms()?,
        failing: args.failing,
        devices: names.iter().map(device).collect(),
        ..FleetPlan::new(mqtt)
    };
    let mut command = Command::new(args.aldis()?);
    command.args(["bench", "fleet"]);
    let mut fleet = FleetProcess::start(command, &plan).await?;
    let all = fleet.ask(FleetRequest::Connected(u64::try_from(names.len())?));
    timeout(PATIENCE, all).await.context("the devices do not come in")??;
    sleep(SETTLING).await;
    ensure!(
        fleet.ask(FleetRequest::Now).await?.lost == 0,
        "devices have lost their links"
    );
    Ok(fleet)
}

async fn start(program: &Path, home: &Path) -> anyhow::Result<(Child, SocketAddr)> {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = free.local_addr()?;
    drop(free);
    let settings = format!(
        "listener {} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_inflight_messages 0\n\
         max_queued_messages 0\nset_tcp_nodelay true\nlog_type error\n",
        address.port()
    );
    let file = home.join("mosquitto.conf");
    std::fs::write(&file, settings)?;
    let mut command = Command::new(program);
    command.arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.kill_on_drop(true).spawn().with_context(|| {
        format!(
            "cannot start {}: Debian has it in the package mosquitto",
            program.display()
        )
    })?;
    let begun = Instant::now();
    while TcpStream::connect(address).await.is_err() {
        ensure!(begun.elapsed() < Duration::from_secs(10), "the broker does not listen");
        sleep(Duration::from_millis(20)).await;
    }
    Ok((child, address))
}
