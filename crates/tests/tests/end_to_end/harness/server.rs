//! `aldis serve` as a child process: started, killed, terminated, started again on the same data and ports.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aldis_client::{AccessKey, Client, Credentials};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::binary::program;
use super::wait::PATIENCE;

/// Servers at a time, however many tests run side by side: each wants a core now and then.
static SERVERS: Semaphore = Semaphore::const_new(6);
/// How often a starting or stopping process is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How a server is started.
#[derive(Debug, Clone, Default)]
pub(crate) struct Start {
    /// Flags besides `--data-dir`, `--http` and `--mqtt`.
    pub(crate) flags: Vec<String>,
    /// Variables of its environment.
    pub(crate) variables: Vec<(String, String)>,
    /// Where its log goes, if not to a file that [`Server::log`] reads.
    pub(crate) stderr: Option<PathBuf>,
    /// How many files it may open, if not as many as this process.
    pub(crate) open_files: Option<u32>,
}

impl Start {
    pub(crate) fn flags(flags: &[&str]) -> Self {
        Self {
            flags: flags.iter().map(|&flag| flag.to_owned()).collect(),
            ..Self::default()
        }
    }
}

/// A running server; it is killed with its value.
pub(crate) struct Server {
    start: Start,
    base: TempDir,
    runs: usize,
    child: Child,
    pub(crate) http: SocketAddr,
    pub(crate) mqtt: SocketAddr,
    _permit: SemaphorePermit<'static>,
}

impl Server {
    /// A server that wants signatures, on a fresh directory.
    pub(crate) async fn start() -> Self {
        Self::start_with(Start::default()).await
    }

    pub(crate) async fn start_with(start: Start) -> Self {
        let permit = SERVERS.acquire().await.unwrap();
        let base = tempfile::tempdir().unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let child = spawn(&start, base.path(), 1, any, any);
        let mut server = Self {
            start,
            base,
            runs: 1,
            child,
            http: any,
            mqtt: any,
            _permit: permit,
        };
        server.await_ready();
        server
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.base.path().join("data")
    }

    /// What the present run has written to standard output.
    pub(crate) fn stdout(&self) -> String {
        std::fs::read_to_string(output(self.base.path(), self.runs, "out")).unwrap()
    }

    /// What all runs have written to standard error.
    pub(crate) fn log(&self) -> String {
        let runs = (1..=self.runs).map(|run| output(self.base.path(), run, "err"));
        let runs = runs.filter(|_| self.start.stderr.is_none());
        runs.map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }

    /// The number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the process to end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "the server does not end:\n{}", self.log());
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// The key that the first start made.
    pub(crate) fn admin_key(&self) -> AccessKey {
        let text = std::fs::read(self.data().join("admin-key.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// A typed client with these credentials.
    pub(crate) fn client(&self, credentials: impl Into<Credentials>) -> Client {
        Client::new(&format!("http://{}", self.http), credentials).unwrap()
    }

    /// `kill -9`, and waits until the process is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends SIGTERM and gives how the process ended and how long that took.
    pub(crate) fn terminate(&mut self) -> (ExitStatus, Duration) {
        self.signal(Signal::TERM)
    }

    /// Sends a signal and gives how the process ended and how long that took.
    pub(crate) fn signal(&mut self, signal: Signal) -> (ExitStatus, Duration) {
        let begun = Instant::now();
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        (self.ended(), begun.elapsed())
    }

    /// Starts the server again, on the same data and the same ports.
    pub(crate) fn start_again(&mut self) {
        assert!(self.child.try_wait().unwrap().is_some(), "it still runs");
        self.runs += 1;
        self.child = spawn(&self.start, self.base.path(), self.runs, self.http, self.mqtt);
        self.await_ready();
    }

    /// `kill -9` and a start right after it, with one more flag for this start alone.
    pub(crate) fn kill_and_start_again_with(&mut self, flag: &str) {
        self.kill();
        self.start.flags.push(flag.to_owned());
        self.start_again();
        self.start.flags.pop();
    }

    /// `kill -9` and a start right after it.
    pub(crate) fn kill_and_start_again(&mut self) {
        self.kill();
        self.start_again();
    }

    /// A start that is killed after so long, ready or not.
    pub(crate) fn start_and_kill(&mut self, after: Duration) {
        self.runs += 1;
        self.child = spawn(&self.start, self.base.path(), self.runs, self.http, self.mqtt);
        std::thread::sleep(after);
        self.kill();
    }

    /// Where devices connect under TLS.
    pub(crate) fn mqtts(&self) -> SocketAddr {
        let out = self.stdout();
        let line = out.lines().find_map(|line| line.strip_prefix("mqtts listening on "));
        line.unwrap().parse().unwrap()
    }

    /// Sends a signal that does not end the process.
    pub(crate) fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Threads of the process.
    pub(crate) fn threads(&self) -> usize {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid()));
        tasks.unwrap().count()
    }

    /// The most memory that the process has used so far, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    fn await_ready(&mut self) {
        let end = Instant::now() + PATIENCE;
        while !self.stdout().ends_with("ready\n") {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "the server ended with {ended:?}:\n{}", self.log());
            assert!(Instant::now() < end, "the server is not ready:\n{}", self.log());
            std::thread::sleep(LOOK_EVERY);
        }
        let stdout = self.stdout();
        let address = |listener: &str| {
            let line = stdout
                .lines()
                .find_map(|line| line.strip_prefix(&format!("{listener} listening on ")));
            line.unwrap_or_else(|| panic!("no `{listener}` in {stdout:?}"))
                .parse()
                .unwrap()
        };
        (self.http, self.mqtt) = (address("http"), address("mqtt"));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("--- log of the server ---\n{}", self.log());
        }
    }
}

fn output(base: &Path, run: usize, kind: &str) -> PathBuf {
    base.join(format!("run-{run}.{kind}"))
}

fn spawn(start: &Start, base: &Path, run: usize, http: SocketAddr, mqtt: SocketAddr) -> Child {
    let file = |kind| File::create(output(base, run, kind)).unwrap();
    let stderr = match &start.stderr {
        Some(path) => File::options().append(true).open(path).unwrap(),
        None => file("err"),
    };
    let mut command = limited(start.open_files);
    command.arg("serve").arg("--data-dir").arg(base.join("data"));
    command.args(["--http", &http.to_string(), "--mqtt", &mqtt.to_string()]);
    command.args(&start.flags).envs(start.variables.iter().cloned());
    command.stdin(Stdio::null()).stdout(file("out")).stderr(stderr);
    command.spawn().unwrap()
}

/// The program, with a limit of open files.
fn limited(open_files: Option<u32>) -> Command {
    let Some(files) = open_files else {
        return Command::new(program());
    };
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -n {files}; exec \"$0\" \"$@\"")]);
    shell.arg(program());
    shell
}

/// A moment to sign a call with that no other call of this process has: the present, or a little later.
pub(crate) fn moment_of_its_own() -> i64 {
    static LAST: AtomicI64 = AtomicI64::new(0);
    let now = now_ms();
    let next = |last: i64| Some(now.max(last + 1));
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    now.max(last.unwrap_or(0) + 1)
}

/// The present in epoch milliseconds.
#[expect(clippy::disallowed_methods, reason = "the server under test lives by the wall clock")]
pub(crate) fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}
