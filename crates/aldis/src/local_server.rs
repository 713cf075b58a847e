//! A server of one's own: this very program as a child process, on a directory and ports that no other process uses.
//! The demo and the benchmark run against it, since it is what an operator runs: another process, real sockets, a real
//! disk.
//!
//! The child ends with its value, and with this process however that ends: it watches its standard input.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use aldis_client::{AccessKey, Client};
use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// A start takes milliseconds; a machine under load may need longer.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// What the server promises, and a little more.
const STOPS_WITHIN: Duration = Duration::from_secs(12);
/// How often a stopping process is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Lines of the log that are shown when something went wrong.
const LOG_LINES: usize = 15;

/// A running server.
#[derive(Debug)]
pub(crate) struct LocalServer {
    child: Child,
    home: Home,
    flags: &'static [&'static str],
    /// Where it listens for API calls.
    pub(crate) http: SocketAddr,
    /// Where it listens for devices.
    pub(crate) mqtt: SocketAddr,
}

/// Where its data lie.
#[derive(Debug)]
enum Home {
    /// Removed at the end.
    Passing(TempDir),
    /// Stays.
    Kept(PathBuf),
}

impl Home {
    fn path(&self) -> &Path {
        match self {
            Self::Passing(folder) => folder.path(),
            Self::Kept(path) => path,
        }
    }
}

impl LocalServer {
    /// Starts one in a fresh directory below `parent`, or below the system's directory for temporary files.
    pub(crate) async fn start(purpose: &str, parent: Option<&Path>) -> anyhow::Result<Self> {
        Self::start_with(purpose, parent, &[]).await
    }

    /// The same with further flags of `aldis serve`.
    pub(crate) async fn start_with(
        purpose: &str,
        parent: Option<&Path>,
        flags: &'static [&'static str],
    ) -> anyhow::Result<Self> {
        let prefix = format!("aldis-{purpose}-");
        let mut folder = tempfile::Builder::new();
        folder.prefix(&prefix);
        let folder = match parent {
            Some(parent) => folder.tempdir_in(parent),
            None => folder.tempdir(),
        };
        let home = Home::Passing(folder.context("cannot make a directory for the server's data")?);
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self {
            child: spawn(home.path(), flags)?,
            home,
            flags,
            http: nowhere,
            mqtt: nowhere,
        };
        server.come_up().await?;
        Ok(server)
    }

    /// Ends it, in order or, if `killed`, at once. Its data stay.
    pub(crate) async fn end(&mut self, killed: bool) -> anyhow::Result<()> {
        if killed {
            self.child.kill().await?;
        } else {
            self.stop();
        }
        Ok(())
    }

    /// Starts it again on the same data, after [`Self::end`]. The addresses change.
    pub(crate) async fn start_again(&mut self) -> anyhow::Result<()> {
        self.child = spawn(self.home.path(), self.flags)?;
        self.come_up().await
    }

    async fn come_up(&mut self) -> anyhow::Result<()> {
        let stdout = self.child.stdout.take().context("the server has no standard output")?;
        let ready = timeout(READY_WITHIN, self.await_ready(stdout)).await;
        let ready = ready.context("it was not ready in time").flatten();
        ready.with_context(|| format!("the server does not start\n{}", self.end_of_log()))
    }

    /// Reads what every start prints (docs/operating.md, "Start and stop").
    async fn await_ready(&mut self, stdout: ChildStdout) -> anyhow::Result<()> {
        let mut lines = BufReader::new(stdout).lines();
        self.http = address(&mut lines, "http").await?;
        self.mqtt = address(&mut lines, "mqtt").await?;
        match lines.next_line().await?.as_deref() {
            Some("ready") => Ok(()),
            other => bail!("expected `ready`, found {other:?}"),
        }
    }

    /// The base URL of its API.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// Its data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// The access key that its first start made.
    pub(crate) fn key_file(&self) -> PathBuf {
        self.data().join("admin-key.json")
    }

    /// A client with that key.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        Ok(Client::new(&self.url(), self.key()?)?)
    }

    /// That key.
    pub(crate) fn key(&self) -> anyhow::Result<AccessKey> {
        let path = self.key_file();
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Lets its data outlive it.
    pub(crate) fn keep(self) -> Self {
        let mut kept = self;
        if let Home::Passing(folder) = std::mem::replace(&mut kept.home, Home::Kept(PathBuf::new())) {
            kept.home = Home::Kept(folder.keep());
        }
        kept
    }

    /// The last lines of its log.
    pub(crate) fn end_of_log(&self) -> String {
        let log = std::fs::read_to_string(self.home.path().join(LOG)).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }

    fn stop(&mut self) {
        let running = |child: &mut Child| matches!(child.try_wait(), Ok(None));
        let pid = self.child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        if let Some(pid) = pid.filter(|_| running(&mut self.child)) {
            // An error says that it has just ended.
            kill_process(pid, Signal::TERM).unwrap_or_default();
        }
        let end = Instant::now() + STOPS_WITHIN;
        while running(&mut self.child) && Instant::now() < end {
            std::thread::sleep(LOOK_EVERY);
        }
        drop(self.child.start_kill());
    }
}

impl Drop for LocalServer {
    fn drop(&mut self) {
        self.stop();
    }
}

const LOG: &str = "server.log";

fn spawn(home: &Path, flags: &[&str]) -> anyhow::Result<Child> {
    let program = std::env::current_exe().context("cannot tell which program this is")?;
    let log = std::fs::File::create(home.join(LOG))?;
    let mut command = Command::new(program);
    // The settings of the operator's own server must not leak into this one.
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("ALDIS_") && name != "ALDIS_LOG")
        {
            command.env_remove(name);
        }
    }
    command.arg("serve").arg("--data-dir").arg(home.join("data"));
    command.args(["--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--until-stdin-ends"]);
    command.args(flags);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
    command.kill_on_drop(true).spawn().context("cannot start the server")
}

async fn address(lines: &mut Lines<BufReader<ChildStdout>>, listener: &str) -> anyhow::Result<SocketAddr> {
    let line = lines.next_line().await?.unwrap_or_default();
    let address = line.strip_prefix(&format!("{listener} listening on "));
    address
        .and_then(|address| address.parse().ok())
        .with_context(|| format!("expected the {listener} address, found `{line}`"))
}
