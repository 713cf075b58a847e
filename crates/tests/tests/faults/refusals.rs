//! Data that the server cannot work with: it says why on standard error, prints nothing else, ends with exit code 1,
//! and leaves everything as it was. Never a silent new database.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::disk::{Disk, Fault};
use crate::harness::{Plan, World, program};

/// The data directory of a server that was killed, with its log; and the job that it had acknowledged.
struct Killed {
    world: World,
    job: String,
}

impl Killed {
    async fn new() -> Self {
        let mut world = World::new().await;
        let device = world.device("d1").await;
        let job = world.create(&Plan::device(&device).ttl(600)).await;
        world.server.kill();
        Self { world, job }
    }

    fn database(&self) -> PathBuf {
        self.world.server.data().join("aldis.db")
    }

    /// Everything is still there.
    async fn starts_with_all(mut self) {
        self.world.server.start_again();
        assert_eq!(self.world.recounted(&self.job).await.init, 1);
    }
}

/// Starts the server on a directory that it has to refuse: what it says.
pub(crate) fn told(directory: &Path, variables: &[(String, String)], flags: &[&str]) -> String {
    let mut serve = Command::new(program());
    serve.args(["serve", "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--data-dir"]);
    serve.arg(directory).args(flags).envs(variables.iter().cloned());
    let mut refused = serve
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    while refused.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            refused.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let refused = refused.wait_with_output().unwrap();
    let told = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{told}");
    assert!(refused.stdout.is_empty());
    told
}

/// What the files hold. Who only looks leaves an empty log behind, its index, and the file of the lock.
fn content(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let all = files.map(|path| (path.clone(), fs::read(&path).unwrap()));
    all.filter(|(path, bytes)| !(bytes.is_empty() && (path.ends_with("aldis.db-wal") || path.ends_with("lock"))))
        .filter(|(path, _)| !path.ends_with("aldis.db-shm"))
        .collect()
}

/// The server refuses the directory as it is now, says these parts, and changes no file of it.
#[track_caller]
fn is_refused(directory: &Path, parts: &[&str]) {
    // Asked twice: a refusal must not make the next start think that all is well.
    for _ in 0..2 {
        let before = content(directory);
        let told = told(directory, &[], &[]);
        for part in parts {
            assert!(told.contains(part), "`{part}` not in: {told}");
        }
        assert_eq!(before, content(directory));
    }
}

#[tokio::test]
async fn a_database_that_is_none_of_its_own_is_refused_and_kept() {
    let killed = Killed::new().await;
    let (directory, database) = (killed.world.server.data(), killed.database());
    let whole = fs::read(&database).unwrap();
    let log = fs::read(database.with_extension("db-wal")).unwrap();
    let half = whole.len() / 2;
    let mut holed = whole.clone();
    holed[5000..half].fill(0x5a);
    let foreign = {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("foreign.db");
        let conn = rusqlite::Connection::open(&path).unwrap();
        conn.execute_batch("CREATE TABLE meta (one); INSERT INTO meta VALUES (1)")
            .unwrap();
        conn.close().unwrap();
        fs::read(&path).unwrap()
    };
    let garbage: Vec<u8> = (0..20_000_u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3])
        .collect();
    let name = database.to_str().unwrap();
    let cases: [(Vec<u8>, &str); 7] = [
        (Vec::new(), "damaged"),
        (whole[..60].to_vec(), "damaged"),
        (whole[..4096].to_vec(), "damaged"),
        (whole[..half].to_vec(), "damaged"),
        (holed, "damaged"),
        (garbage, "not an Aldis database"),
        (foreign, "not an Aldis database"),
    ];
    // Without its log, whose pages would take the place of damaged ones.
    for suffix in ["db-wal", "db-shm"] {
        fs::remove_file(database.with_extension(suffix)).unwrap();
    }
    for (bytes, reason) in cases {
        fs::write(&database, &bytes).unwrap();
        is_refused(&directory, &[name, reason]);
    }
    fs::write(&database, whole).unwrap();
    fs::write(database.with_extension("db-wal"), log).unwrap();
    killed.starts_with_all().await;
}

#[tokio::test]
async fn a_database_without_its_log_or_a_log_without_its_database_is_refused() {
    let killed = Killed::new().await;
    let directory = killed.world.server.data();
    for (gone, reason) in [("aldis.db-wal", "its log"), ("aldis.db", "it is missing")] {
        let (path, aside) = (directory.join(gone), directory.join("aside"));
        fs::rename(&path, &aside).unwrap();
        is_refused(&directory, &["aldis.db", "damaged", reason]);
        fs::rename(&aside, &path).unwrap();
    }
    killed.starts_with_all().await;
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_both_versions() {
    let killed = Killed::new().await;
    let version = |version: i64| {
        let conn = rusqlite::Connection::open(killed.database()).unwrap();
        let before: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        conn.pragma_update(None, "user_version", version).unwrap();
        before
    };
    let known = version(99);
    is_refused(
        &killed.world.server.data(),
        &["schema 99", &format!("knows up to {known}"), "newer"],
    );
    version(known);
    killed.starts_with_all().await;
}

#[tokio::test]
async fn a_key_that_is_missing_or_wrong_is_told_and_no_new_one_is_made() {
    let killed = Killed::new().await;
    let directory = killed.world.server.data();
    let key = directory.join("secret.key");
    let right = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    is_refused(&directory, &["secret.key", "missing"]);
    assert!(!key.exists());
    for (wrong, reason) in [
        (vec![7; 32], "not the one"),
        (b"short".to_vec(), "5 bytes"),
        (Vec::new(), "0 bytes"),
    ] {
        fs::write(&key, wrong).unwrap();
        is_refused(&directory, &[reason]);
    }
    fs::write(&key, right).unwrap();
    killed.starts_with_all().await;
}

#[tokio::test]
async fn a_place_that_is_no_directory_to_write_in_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("file");
    fs::write(&file, "mine").unwrap();
    for place in [file.clone(), file.join("below"), PathBuf::from("/proc/aldis")] {
        let told = told(&place, &[], &[]);
        assert!(told.contains(place.to_str().unwrap()), "{told}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

/// A start on a directory on a disk with this fault.
fn told_on(fault: Fault, directory: &Path) -> String {
    let disk = Disk::new();
    disk.breaks(fault, directory);
    told(directory, &disk.variables(), &[])
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_or_read_is_told_and_changes_nothing() {
    let killed = Killed::new().await;
    let directory = killed.world.server.data();
    for (fault, reason) in [
        (Fault::ReadOnly, "Read-only file system"),
        (Fault::Full, "disk full or failing"),
        (Fault::Unwritable, "I/O error"),
        (Fault::Unsynced, "I/O error"),
        (Fault::Unreadable, "error"),
    ] {
        let told = told_on(fault, &directory);
        assert!(
            told.contains(reason) && told.contains(directory.to_str().unwrap()),
            "{fault:?}: {told}"
        );
    }
    killed.starts_with_all().await;
}

#[test]
fn a_first_start_on_a_disk_that_fails_leaves_nothing_that_a_later_one_stumbles_over() {
    for fault in [Fault::ReadOnly, Fault::Full, Fault::Unwritable, Fault::Unsynced] {
        let scratch: TempDir = tempfile::tempdir().unwrap();
        let told = told_on(fault, scratch.path());
        assert!(told.contains(scratch.path().to_str().unwrap()), "{fault:?}: {told}");
        assert!(
            !scratch.path().join("aldis.db").exists(),
            "{fault:?}: a database that is not whole"
        );
        let started = starts(scratch.path());
        assert!(started, "{fault:?}");
    }
}

/// Whether the server becomes ready there.
fn starts(directory: &Path) -> bool {
    use std::io::Read as _;
    let mut serve = Command::new(program());
    serve.args([
        "serve",
        "--http",
        "127.0.0.1:0",
        "--mqtt",
        "127.0.0.1:0",
        "--until-stdin-ends",
        "--data-dir",
    ]);
    let mut serve = serve
        .arg(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut printed = String::new();
    serve.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    serve.wait().unwrap().success() && printed.ends_with("ready\n")
}
