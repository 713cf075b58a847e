//! What SQLite makes of a faulty disk.

#![expect(clippy::unwrap_used, reason = "tests")]

use aldis_faulty_vfs::{FaultyVfs, Trouble};
use rusqlite::{Connection, ErrorCode};

struct Bench {
    directory: tempfile::TempDir,
    disk: FaultyVfs,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let disk = FaultyVfs::under(directory.path()).unwrap();
        let bench = Self { directory, disk };
        bench.open().execute_batch("CREATE TABLE t (x BLOB)").unwrap();
        bench
    }

    fn open(&self) -> Connection {
        let opened = Connection::open(self.directory.path().join("db")).unwrap();
        opened
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
            .unwrap();
        opened
    }
}

fn insert(db: &Connection) -> Result<usize, ErrorCode> {
    let inserted = db.execute("INSERT INTO t VALUES (randomblob(20000))", []);
    inserted.map_err(|error| error.sqlite_error_code().unwrap())
}

fn count(db: &Connection) -> i64 {
    db.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
}

#[test]
fn each_trouble_fails_a_commit_in_its_own_way_and_nothing_of_it_is_there() {
    let bench = Bench::new();
    let db = bench.open();
    for (trouble, code) in [
        (Trouble::Full, ErrorCode::DiskFull),
        (Trouble::Write, ErrorCode::SystemIoFailure),
        (Trouble::Short, ErrorCode::SystemIoFailure),
        (Trouble::Sync, ErrorCode::SystemIoFailure),
    ] {
        bench.disk.fails(trouble, 0, 1);
        assert_eq!(insert(&db), Err(code), "{trouble:?}");
        assert_eq!(count(&db), 0);
    }
    assert_eq!(bench.disk.failures(), 4);
    insert(&db).unwrap();
    assert_eq!(count(&db), 1);
}

#[test]
fn a_disk_that_stopped_takes_nothing_until_it_is_revived() {
    let bench = Bench::new();
    let db = bench.open();
    insert(&db).unwrap();
    bench.disk.stops(3);
    insert(&db).unwrap_err();
    assert!(bench.disk.is_stopped());
    insert(&db).unwrap_err();
    drop(db);
    bench.disk.revive(None).unwrap();
    assert_eq!(count(&bench.open()), 1);
}

#[test]
fn what_is_durable_survives_a_loss_of_power_wherever_it_comes() {
    for after in 0..40 {
        for seed in 0..3_u64 {
            let bench = Bench::new();
            let db = bench.open();
            db.execute_batch("PRAGMA wal_autocheckpoint = 8").unwrap();
            bench.disk.stops(after);
            let mut done = 0;
            while insert(&db).is_ok() && done < 20 {
                done += 1;
            }
            assert!(bench.disk.is_stopped(), "a checkpoint's failure fails no commit");
            drop(db);
            let mut drawn = seed;
            bench
                .disk
                .revive(Some(&mut || {
                    drawn = drawn
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_040_888_963_407);
                    drawn >> 33
                }))
                .unwrap();
            let db = bench.open();
            let found = count(&db);
            assert!((done..=done + 1).contains(&found), "{done} done, {found} found");
            let whole: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
            assert_eq!(whole, "ok");
        }
    }
}

#[test]
fn databases_elsewhere_are_left_alone() {
    let bench = Bench::new();
    bench.disk.stop();
    let elsewhere = tempfile::tempdir().unwrap();
    let db = Connection::open(elsewhere.path().join("db")).unwrap();
    db.execute_batch("CREATE TABLE t (x BLOB)").unwrap();
    insert(&db).unwrap();
}
