//! A round of Mosquitto with a controller: every command is published and its reply read, and nothing is kept anywhere.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use aldis_simulator::{DeviceIdentity, Subscribes};
use anyhow::{Context as _, bail, ensure};
use rumqttc::{AsyncClient, Event, EventLoop, Incoming, MqttOptions, QoS};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::Args;
use crate::cpu;
use crate::fleet::{self, PATIENCE, PRODUCT, SERVICE};
use crate::round::Round;

/// Commands whose replies the controller awaits at the same time.
const WINDOW: usize = 1000;
/// The controller's threads.
const CONTROLLER: &str = "controller";
/// Where the ids of commands begin, as long as those of Aldis.
const FIRST_ID: u64 = 1_000_000_000_000_000_000;

pub(crate) async fn round(args: &Args) -> anyhow::Result<Round> {
    let home = tempfile::tempdir()?;
    let (broker, address) = start(&args.mosquitto, home.path()).await?;
    let pid = broker.id().context("the broker has ended")?;
    let names: Vec<String> = (0..args.devices).map(|number| format!("device{number:06}")).collect();
    let devices = names
        .iter()
        .map(|name| DeviceIdentity::new(PRODUCT, name, "secret"))
        .collect();
    let fleet = fleet::connect(args, address, devices, Subscribes::Service(SERVICE.to_owned())).await?;
    let (busy, devices_busy) = (cpu::of_process(pid)?, cpu::of_threads(fleet::THREAD)?);
    let begun = Instant::now();
    let jobs = args.jobs;
    let controller = std::thread::Builder::new().name(CONTROLLER.to_owned());
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    let thread = controller.spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let done = runtime.block_on(async { timeout(PATIENCE, control(address, &names, jobs)).await });
        let used = cpu::of_threads(CONTROLLER)?;
        drop(ended);
        done.context("replies are missing")??;
        anyhow::Ok(used)
    })?;
    drop(end.await);
    let seconds = begun.elapsed().as_secs_f64();
    let Ok(controller) = thread.join() else {
        bail!("the controller panicked")
    };
    let round = Round {
        side: "mosquitto",
        tasks: f64::from(u32::try_from(args.devices * args.jobs)?),
        seconds,
        server: cpu::of_process(pid)? - busy,
        controller: controller?,
        fleet: cpu::of_threads(fleet::THREAD)? - devices_busy,
    };
    ensure!(fleet.counts().unreadable == 0, "devices could not read their commands");
    fleet.stop().await;
    Ok(round)
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

/// Publishes every command, at most [`WINDOW`] without their replies, job after job; one that failed is sent again.
async fn control(address: SocketAddr, devices: &[String], jobs: usize) -> anyhow::Result<()> {
    let mut options = MqttOptions::new("controller", address.ip().to_string(), address.port());
    options.set_inflight(u16::try_from(WINDOW)?);
    let (client, mut events) = AsyncClient::new(options, 2 * WINDOW);
    client
        .subscribe(
            format!("/sys/{PRODUCT}/+/thing/service/{SERVICE}_reply"),
            QoS::AtLeastOnce,
        )
        .await?;
    await_suback(&mut events).await?;
    let total = devices.len() * jobs;
    let (mut sent, mut done) = (0, 0);
    while done < total {
        while sent < total && sent - done < WINDOW {
            publish(&client, &devices[sent % devices.len()], sent)?;
            sent += 1;
        }
        if let Event::Incoming(Incoming::Publish(reply)) = events.poll().await? {
            let said: serde_json::Value = serde_json::from_slice(&reply.payload)?;
            if said["code"] == 200 {
                done += 1;
            } else {
                let device = reply.topic.split('/').nth(3).context("a reply's topic")?;
                publish(&client, device, sent)?;
            }
        }
    }
    Ok(())
}

async fn await_suback(events: &mut EventLoop) -> anyhow::Result<()> {
    while !matches!(events.poll().await?, Event::Incoming(Incoming::SubAck(_))) {}
    Ok(())
}

fn publish(client: &AsyncClient, device: &str, number: usize) -> anyhow::Result<()> {
    let id = FIRST_ID + u64::try_from(number)?;
    let topic = format!("/sys/{PRODUCT}/{device}/thing/service/{SERVICE}");
    let payload = format!(r#"{{"id":"{id}","version":"1.0","method":"thing.service.{SERVICE}","params":{{}}}}"#);
    Ok(client.try_publish(topic, QoS::AtLeastOnce, false, payload)?)
}
