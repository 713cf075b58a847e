//! Shell blocks of documents: they run, one document after the other, each in a directory of its own.
//!
//! A block with the language `sh` runs with `bash -e`, unless `<!-- not run: REASON -->` stands before it. Before a block
//! that runs may stand `<!-- run: background -->` (its last command goes on), `<!-- run: stop NAME -->` (such a command is
//! stopped first) and `<!-- run: exit CODE -->`. Ids of jobs and tasks stand for the newest ones.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::binary::program;
use super::{ROOT, tracked};

/// Documents whose blocks run, and how many at least.
const RUN: [(&str, usize); 3] = [
    ("README.md", 3),
    ("docs/getting-started.md", 11),
    ("docs/device-guide.md", 3),
];
/// The guide whose first blocks start a server and register devices, and how many they are: other guides begin there.
const BEGINNING: (&str, usize) = ("docs/getting-started.md", 2);
/// A server accepts connections after this time, on a slow machine too.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// Between two attempts to connect.
const LOOK_EVERY: Duration = Duration::from_millis(20);

#[derive(Debug, Default, Clone)]
struct Block {
    text: String,
    background: bool,
    stop: Option<String>,
    exit: i32,
    not_run: Option<String>,
}

/// The blocks with the language `sh`, and lines of others that look like commands.
fn blocks(text: &str) -> (Vec<Block>, Vec<String>) {
    let (mut blocks, mut stray, mut next, mut language) = (Vec::new(), Vec::new(), Block::default(), None);
    for line in text.lines() {
        let fence = line.trim_start().strip_prefix("```");
        match (fence, &language) {
            (Some(opened), None) => language = Some(opened.to_owned()),
            (Some(_), Some(language_of)) => {
                if language_of == "sh" {
                    blocks.push(std::mem::take(&mut next));
                }
                language = None;
            }
            (None, Some(language)) if language == "sh" => next.text += &format!("{line}\n"),
            (None, Some(_)) => stray.extend(is_command(line).then(|| line.to_owned())),
            (None, None) => read_directive(line, &mut next),
        }
    }
    (blocks, stray)
}

fn is_command(line: &str) -> bool {
    [
        "aldis ",
        "cargo ",
        "export ",
        "curl ",
        "mosquitto_",
        "scripts/",
        "target/release/",
    ]
    .iter()
    .any(|start| line.starts_with(start))
}

fn read_directive(line: &str, block: &mut Block) {
    let directive = |name: &str| {
        let rest = line.strip_prefix("<!-- ")?.strip_prefix(name)?;
        rest.strip_suffix(" -->").map(|rest| rest.trim().to_owned())
    };
    if let Some(reason) = directive("not run:") {
        block.not_run = Some(reason);
    } else if let Some(how) = directive("run:") {
        match how.split_once(' ') {
            Some(("stop", name)) => block.stop = Some(name.to_owned()),
            Some(("exit", code)) => block.exit = code.parse().unwrap(),
            _ => block.background = how == "background",
        }
    }
}

/// A reader's terminals: a directory that looks like a checkout, and what runs in it.
struct Reader {
    home: tempfile::TempDir,
    http: String,
    mqtt: String,
    running: Vec<(String, Child)>,
}

impl Reader {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(ROOT).unwrap();
        let link = |from: PathBuf, to: &str| std::os::unix::fs::symlink(from, home.path().join(to)).unwrap();
        link(root.join("examples"), "examples");
        fs::create_dir_all(home.path().join("target/release")).unwrap();
        link(program().to_owned(), "target/release/aldis");
        // The program is built already.
        let cargo = home.path().join("target/release/cargo");
        fs::write(&cargo, "#!/bin/sh\n[ \"$1\" = build ]\n").unwrap();
        fs::set_permissions(&cargo, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        Self {
            home,
            http: free_address(),
            mqtt: free_address(),
            running: Vec::new(),
        }
    }

    fn bash(&self, script: &str) -> Command {
        let home = self.home.path();
        let path = std::env::var("PATH").unwrap();
        let mut bash = Command::new("bash");
        bash.args(["-e", "-c", script]).current_dir(home).stdin(Stdio::null());
        bash.env("PATH", format!("{}:{path}", home.join("target/release").display()));
        bash.env("ALDIS_HTTP", &self.http).env("ALDIS_MQTT", &self.mqtt);
        bash.env("ALDIS_URL", format!("http://{}", self.http));
        bash
    }

    fn run(&mut self, block: &Block) {
        if let Some(name) = &block.stop {
            self.stop(name);
        }
        let text = self.with_ids(&block.text);
        let text = text.replace("127.0.0.1 11883", &self.mqtt.replace(':', " "));
        let text = text.replace("SECRET", &self.secret());
        if !block.background {
            return self.finish(&text, block.exit);
        }
        let commands = text.trim_end().replace("\\\n", " ");
        let (before, last) = commands.rsplit_once('\n').unwrap_or(("", &commands));
        self.finish(before, 0);
        let child = self
            .bash(&format!("exec {last}"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        self.running.push((last.to_owned(), child));
        if last.contains("serve") {
            wait_for(&self.http);
        }
    }

    fn finish(&self, script: &str, exit: i32) {
        let output = self.bash(script).output().unwrap();
        let told = [output.stdout, output.stderr].map(|told| String::from_utf8_lossy(&told).into_owned());
        assert_eq!(output.status.code(), Some(exit), "{script}\n{}", told.concat());
    }

    fn stop(&mut self, name: &str) {
        let (stopped, others) = std::mem::take(&mut self.running)
            .into_iter()
            .partition(|(command, _)| command.contains(name));
        self.running = others;
        let stopped: Vec<(String, Child)> = stopped;
        assert!(!stopped.is_empty(), "{name} does not run");
        for (_, child) in stopped {
            end(child);
        }
    }

    /// The text with the newest job's id, and that of its first task, in the place of ids.
    fn with_ids(&self, text: &str) -> String {
        let words = text
            .split(|c: char| !c.is_ascii_digit())
            .filter(|word| word.len() == 19);
        let ids: Vec<&str> = words.collect();
        ids.into_iter().fold(text.to_owned(), |text, id| {
            let kind = if id.starts_with('8') { "job" } else { "task" };
            text.replace(id, &self.newest(kind))
        })
    }

    /// The secret of the first registered device, once there is one.
    fn secret(&self) -> String {
        let devices = fs::read_to_string(self.home.path().join("my-devices.csv")).unwrap_or_default();
        let mut lines = devices.trim_start_matches('\u{feff}').lines();
        let column = lines
            .next()
            .and_then(|names| names.split(',').position(|name| name == "deviceSecret"));
        let cells = lines
            .next()
            .unwrap_or_default()
            .split(',')
            .map(str::to_owned)
            .collect::<Vec<_>>();
        column.and_then(|column| cells.get(column).cloned()).unwrap_or_default()
    }

    fn newest(&self, kind: &str) -> String {
        let listed = self.bash(&format!("aldis {kind} list --json")).output().unwrap();
        let rows: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
        rows[0][format!("{kind}Id")].as_str().unwrap().to_owned()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        for (_, child) in self.running.drain(..).rev() {
            end(child);
        }
    }
}

/// Ctrl-C, and the end of the process.
fn end(mut child: Child) {
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status();
    if !sent.is_ok_and(|sent| sent.success()) {
        child.kill().unwrap();
    }
    child.wait().unwrap();
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

fn wait_for(address: &str) {
    let start = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(start.elapsed() < READY_WITHIN, "no server at {address}");
        std::thread::sleep(LOOK_EVERY);
    }
}

#[test]
fn shell_blocks_run() {
    for (path, least) in RUN {
        let text = fs::read_to_string(Path::new(ROOT).join(path)).unwrap();
        let (blocks, _) = blocks(&text);
        let run: Vec<&Block> = blocks.iter().filter(|block| block.not_run.is_none()).collect();
        assert!(run.len() >= least, "{path}: only {} blocks", run.len());
        let mut reader = Reader::new();
        if path == "docs/device-guide.md" {
            let (beginning, _) = self::blocks(&fs::read_to_string(Path::new(ROOT).join(BEGINNING.0)).unwrap());
            beginning.iter().take(BEGINNING.1).for_each(|block| reader.run(block));
        }
        for block in run {
            reader.run(block);
        }
    }
}

#[test]
fn shell_blocks_elsewhere_say_why_they_do_not_run() {
    let mut wrong = Vec::new();
    for (path, text) in tracked(&["*.md"]) {
        let (blocks, stray) = blocks(&text);
        wrong.extend(
            stray
                .iter()
                .map(|line| format!("{path}: a command in a block without the language sh: {line}")),
        );
        if RUN.iter().any(|(run, _)| *run == path) {
            continue;
        }
        let silent = blocks.iter().filter(|block| block.not_run.is_none());
        wrong.extend(silent.map(|block| format!("{path}: neither run nor explained: {}", block.text)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
