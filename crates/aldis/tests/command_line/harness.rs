//! Running the program: a server in the background, and calls that end.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// Longer than anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Exit codes, as `aldis --help` lists them.
pub(crate) const DONE: i32 = 0;
pub(crate) const REFUSED: i32 = 1;
pub(crate) const USAGE: i32 = 2;
pub(crate) const UNREACHABLE: i32 = 3;

/// The program, free of what the caller's own environment says about a server.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aldis"));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("ALDIS_")) {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// A call that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Finished {
    #[track_caller]
    pub(crate) fn code(self, expected: i32) -> Self {
        assert_eq!(self.code, Some(expected), "{self:?}");
        assert!(!self.err.contains("panicked"), "{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.out.contains(text), "`{text}` is missing: {self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn complains(self, text: &str) -> Self {
        assert!(self.err.contains(text), "`{text}` is missing: {self:?}");
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Standard output without the line's end.
    pub(crate) fn line(&self) -> &str {
        self.out.trim_end()
    }
}

impl From<Output> for Finished {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Calls the program with nothing but these words.
pub(crate) fn alone<S: AsRef<OsStr>>(words: &[S]) -> Finished {
    program().args(words).output().unwrap().into()
}

/// A process that is killed with its value.
pub(crate) struct Background(pub(crate) Child);

impl Background {
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    /// Waits for its end and gives the exit code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        until("the process to end", || self.0.try_wait().unwrap()).code()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Looks until there is something to see.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// The next line that starts so, and what follows in it.
pub(crate) fn line_after(lines: &mut BufReader<ChildStdout>, start: &str) -> String {
    let mut line = String::new();
    loop {
        line.clear();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "`{start}` never came");
        if let Some(rest) = line.trim().strip_prefix(start) {
            return rest.trim().to_owned();
        }
    }
}

/// A server on a directory of its own, and the files of a test.
pub(crate) struct Served {
    server: Background,
    folder: TempDir,
    url: String,
    mqtt: String,
}

impl Served {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(flags: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), flags)
    }

    /// Stops it; what it leaves.
    pub(crate) fn stop(mut self) -> TempDir {
        self.server.signal(Signal::TERM);
        assert_eq!(self.server.ended(), Some(0));
        self.folder
    }

    /// A server on what an earlier one has left.
    pub(crate) fn start_in(folder: TempDir, flags: &[&str]) -> Self {
        let mut command = program();
        command.args(["serve", "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--data-dir"]);
        command.arg(folder.path().join("data")).args(flags);
        command
            .stdout(Stdio::piped())
            .stderr(File::create(folder.path().join("log")).unwrap());
        let mut server = Background(command.spawn().unwrap());
        let mut lines = BufReader::new(server.0.stdout.take().unwrap());
        let url = format!("http://{}", line_after(&mut lines, "http listening on"));
        let mqtt = line_after(&mut lines, "mqtt listening on");
        line_after(&mut lines, "ready");
        Self {
            server,
            folder,
            url,
            mqtt,
        }
    }

    /// A server with the thing model `lamp`, the product `lamp` and the devices `d0` and so on.
    pub(crate) fn with_devices(count: usize) -> Self {
        let served = Self::start();
        let model = served.file("lamp.json", MODEL);
        served.run(&["model", "create", &model]).code(DONE);
        served
            .run(&[
                "product", "create", "--name", "Lamp", "--model", "lamp", "--key", "lamp",
            ])
            .code(DONE);
        if count > 0 {
            let rows: String = (0..count).map(|n| format!("lamp,d{n}\n")).collect();
            let csv = served.file("devices.csv", &format!("productKey,deviceKey\n{rows}"));
            let all = served.path("identities.csv");
            served.run(&["device", "import", &csv, "--output", &all]).code(DONE);
        }
        served
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.folder.path().join("data/admin-key.json")
    }

    /// The path of a file of the test.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file of the test, and gives its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        std::fs::write(self.folder.path().join(name), text).unwrap();
        self.path(name)
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = program();
        command
            .env("ALDIS_URL", &self.url)
            .env("ALDIS_KEY_FILE", self.key_file());
        command.env("ALDIS_MQTT", &self.mqtt).args(words);
        command
    }

    /// Calls the program with the server's address and first key.
    pub(crate) fn run(&self, words: &[&str]) -> Finished {
        self.command(words).output().unwrap().into()
    }

    /// The same with `--json`: what it prints.
    #[track_caller]
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        let words: Vec<_> = words.iter().copied().chain(["--json"]).collect();
        self.run(&words).code(DONE).json()
    }

    /// The same with something on standard input.
    pub(crate) fn run_with_input(&self, words: &[&str], input: &str) -> Finished {
        let mut command = self.command(words);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap().into()
    }

    /// Simulates all devices of the product, with these flags, until the value is dropped.
    pub(crate) fn simulate(&self, devices: usize, flags: &[&str]) -> Background {
        let mut command = self.command(&["simulate", "--devices", &self.path("identities.csv")]);
        command.args(flags).stdout(Stdio::null()).stderr(Stdio::null());
        let fleet = Background(command.spawn().unwrap());
        until("devices to be online", || {
            let online = self.json(&["device", "list", "--status", "online", "--all"]);
            (online.as_array().unwrap().len() == devices).then_some(())
        });
        fleet
    }

    /// Creates a job and gives its id.
    #[track_caller]
    pub(crate) fn job(&self, words: &[&str]) -> String {
        let words: Vec<_> = ["job", "create"].iter().chain(words).copied().collect();
        self.run(&words).code(DONE).line().to_owned()
    }
}

/// Reads a file of the test.
pub(crate) fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap()
}

const MODEL: &str = r#"{
  "modelId": "lamp",
  "name": {"defaultValue": "Lamp"},
  "attributes": {"room": {"identifier": "room", "name": {"defaultValue": "room"}, "dataType": "STRING"}},
  "measurepoints": {"brightness": {"identifier": "brightness", "name": {"defaultValue": "brightness"}, "dataType": "INT"}},
  "services": {"blink": {
    "identifier": "blink", "name": {"defaultValue": "blink"},
    "inputData": [{"identifier": "times", "name": {"defaultValue": "times"}, "dataType": "INT", "required": true}],
    "outputData": []
  }}
}"#;
