//! The program as a child process, on one directory and the same ports throughout.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use aldis_client::{AccessKey, Client};
use anyhow::{Context as _, bail};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

const READY_WITHIN: Duration = Duration::from_secs(60);

pub(super) struct Server {
    program: PathBuf,
    home: TempDir,
    child: Child,
    http: SocketAddr,
    pub(super) mqtt: SocketAddr,
}

impl Server {
    pub(super) async fn start(program: &Path) -> anyhow::Result<Self> {
        let home = tempfile::tempdir()?;
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (child, http, mqtt) = spawn(program, home.path(), any, any).await?;
        Ok(Self {
            program: program.to_owned(),
            home,
            child,
            http,
            mqtt,
        })
    }

    pub(super) fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    pub(super) fn client(&self) -> anyhow::Result<Client> {
        let key = std::fs::read_to_string(self.data().join("admin-key.json"))?;
        let key: AccessKey = serde_json::from_str(&key)?;
        Ok(Client::new(&format!("http://{}", self.http), key)?)
    }

    /// `kill -9`.
    pub(super) async fn kill(&mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// A start that is killed after so long, ready or not.
    pub(super) async fn start_and_kill(&mut self, after: Duration) -> anyhow::Result<()> {
        let mut child = command(&self.program, self.home.path(), self.http, self.mqtt)?.spawn()?;
        sleep(after).await;
        Ok(child.kill().await?)
    }

    /// Starts it on what was left; how long it took until it was ready.
    pub(super) async fn start_again(&mut self) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        (self.child, _, _) = spawn(&self.program, self.home.path(), self.http, self.mqtt).await?;
        Ok(begun.elapsed())
    }
}

fn command(program: &Path, home: &Path, http: SocketAddr, mqtt: SocketAddr) -> std::io::Result<Command> {
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(home.join("log"))?;
    let mut command = Command::new(program);
    command.arg("serve").arg("--data-dir").arg(home.join("data"));
    command.args(["--http", &http.to_string(), "--mqtt", &mqtt.to_string()]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .kill_on_drop(true);
    Ok(command)
}

async fn spawn(
    program: &Path,
    home: &Path,
    http: SocketAddr,
    mqtt: SocketAddr,
) -> anyhow::Result<(Child, SocketAddr, SocketAddr)> {
    let mut child = command(program, home, http, mqtt)?
        .spawn()
        .context("cannot start the program")?;
    let mut lines = BufReader::new(child.stdout.take().context("no standard output")?).lines();
    let ready = async {
        let mut found = Vec::new();
        while let Some(line) = lines.next_line().await? {
            match line.split_once(" listening on ") {
                Some((_, address)) => found.push(address.parse()?),
                None => return Ok((found.first().copied(), found.get(1).copied())),
            }
        }
        let log = std::fs::read_to_string(home.join("log")).unwrap_or_default();
        bail!("the server does not start:\n{log}")
    };
    let (http, mqtt) = timeout(READY_WITHIN, ready)
        .await
        .context("the server is not ready in time")??;
    Ok((child, http.context("no address")?, mqtt.context("no address")?))
}
