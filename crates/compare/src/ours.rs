//! A round of Aldis: the jobs are created over HTTP while the clock runs, and a task counts once its success is durable.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use aldis_client::{
    AccessKey, Client, CommandInfo, NewDevice, NewJob, NewProduct, RetryPolicy, TargetScope, ThingModel, TimeoutPolicy,
};
use aldis_simulator::{DeviceIdentity, Subscribes};
use anyhow::{Context as _, ensure};
use serde_json::{Map, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{sleep, timeout};

use crate::Args;
use crate::cpu::{self, Used};
use crate::fleet::{self, PATIENCE, PRODUCT, SERVICE};
use crate::round::Round;

/// How often statistics are asked for while retries are awaited.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The most devices of one call.
const CHUNK: usize = 1000;

struct Server {
    child: Child,
    client: Client,
    mqtt: SocketAddr,
    _data: TempDir,
}

pub(crate) async fn round(args: &Args) -> anyhow::Result<Round> {
    let server = start(args).await?;
    let devices = register(&server.client, args.devices).await?;
    let fleet = fleet::connect(args, server.mqtt, devices, Subscribes::Never).await?;
    let pid = server.child.id().context("the server has ended")?;
    let (busy, devices_busy) = (cpu::of_process(pid)?, cpu::of_threads(fleet::THREAD)?);
    let wanted = u64::try_from(args.devices * args.jobs)?;
    let begun = Instant::now();
    let mut jobs = Vec::new();
    for _ in 0..args.jobs {
        jobs.push(server.client.create_job(&job(args)).await?.data);
    }
    let done = fleet.wait_until(|counts| counts.replies_acknowledged >= wanted);
    timeout(PATIENCE, done).await.context("replies are missing")?;
    let mut succeeded = 0;
    while succeeded < wanted {
        ensure!(begun.elapsed() < PATIENCE, "{succeeded} of {wanted} tasks succeeded");
        succeeded = 0;
        for job in &jobs {
            let count = server.client.statistics(job).await?.data;
            ensure!(
                count.ttl_timeout + count.rsp_timeout + count.failed == 0,
                "not every task can succeed: {count:?}"
            );
            succeeded += count.succeed;
        }
        if succeeded < wanted {
            sleep(LOOK_EVERY).await;
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let round = Round {
        side: "aldis",
        tasks: f64::from(u32::try_from(wanted)?),
        seconds,
        server: cpu::of_process(pid)? - busy,
        controller: Used::default(),
        fleet: cpu::of_threads(fleet::THREAD)? - devices_busy,
    };
    fleet.stop().await;
    Ok(round)
}

fn job(args: &Args) -> NewJob {
    NewJob {
        timeout_policy: Some(TimeoutPolicy {
            in_progress_timeout_in_seconds: Some(60),
            ttl_timeout_in_seconds: Some(20),
        }),
        retry_policy: (args.failing > 0.0).then_some(RetryPolicy {
            enable_retry: true,
            retry_interval_in_seconds: Some(1),
            retry_count: Some(10),
        }),
        ..NewJob::new(
            "compared",
            TargetScope::products([PRODUCT]),
            CommandInfo::service(SERVICE, json!({})),
        )
    }
}

async fn start(args: &Args) -> anyhow::Result<Server> {
    let beside = || Ok::<PathBuf, std::io::Error>(std::env::current_exe()?.with_file_name("aldis"));
    let program = args.aldis.clone().map_or_else(beside, Ok)?;
    let data = args.dir.as_ref().map_or_else(tempfile::tempdir, tempfile::tempdir_in)?;
    let mut command = Command::new(&program);
    command.arg("serve").arg("--data-dir").arg(data.path().join("data"));
    command.args(["--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--until-stdin-ends"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {}: build it, or say --aldis", program.display()))?;
    let mut lines = BufReader::new(child.stdout.take().context("no standard output")?).lines();
    let http = address(&mut lines, "http").await?;
    let mqtt = address(&mut lines, "mqtt").await?;
    lines.next_line().await?;
    let key = std::fs::read_to_string(data.path().join("data/admin-key.json"))?;
    let key: AccessKey = serde_json::from_str(&key)?;
    Ok(Server {
        child,
        client: Client::new(&format!("http://{http}"), key)?,
        mqtt,
        _data: data,
    })
}

async fn address(lines: &mut Lines<BufReader<ChildStdout>>, listener: &str) -> anyhow::Result<SocketAddr> {
    let line = lines.next_line().await?.unwrap_or_default();
    let address = line
        .strip_prefix(&format!("{listener} listening on "))
        .context("no address")?;
    Ok(address.parse()?)
}

async fn register(client: &Client, count: usize) -> anyhow::Result<Vec<DeviceIdentity>> {
    let service = json!({"identifier": SERVICE, "name": {"defaultValue": SERVICE}, "inputData": [], "outputData": []});
    let model = ThingModel {
        services: Some(Map::from_iter([(SERVICE.to_owned(), service)])),
        ..ThingModel::new("compared", "Compared")
    };
    client.create_model(&model).await?;
    let product = NewProduct {
        product_key: Some(PRODUCT.to_owned()),
        ..NewProduct::new("Compared", "compared")
    };
    client.create_product(&product).await?;
    let mut devices = Vec::with_capacity(count);
    for chunk in vec![NewDevice::new(PRODUCT, "device"); count].chunks(CHUNK) {
        for entry in client.create_devices(chunk).await?.data {
            let ids = entry
                .data
                .with_context(|| format!("a device is refused: {}", entry.msg))?;
            devices.push(DeviceIdentity::new(
                ids.product_key,
                ids.device_key,
                ids.device_secret.unwrap_or_default(),
            ));
        }
    }
    Ok(devices)
}
