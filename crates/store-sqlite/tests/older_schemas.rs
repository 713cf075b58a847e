//! Databases as released versions left them, one text file per schema, opened by the present driver.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aldis_core::ids::AppKey;
use aldis_core::time::Timestamp;
use aldis_store::{Epoch, ReadJobs, ReadJournal, ReadQueues, ReadRegistry, Store};
use aldis_store_sqlite::{Options, open};
use rusqlite::Connection;

/// What all of them are sealed with.
const KEY: [u8; 32] = [0x2a; 32];
/// The first schema that was released.
const FIRST: i64 = 10;

/// The files, by the schema's number.
fn schemas() -> BTreeMap<i64, PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemas");
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().parse().unwrap(), path))
        .collect()
}

fn build(sql: &Path, database: &Path) {
    let conn = Connection::open(database).unwrap();
    conn.execute_batch(&std::fs::read_to_string(sql).unwrap()).unwrap();
    conn.close().unwrap();
}

/// Tables and indexes, without comments and the layout of the text that made them.
fn shape(database: &Path) -> Vec<String> {
    let conn = Connection::open(database).unwrap();
    let sql = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type, name";
    let mut statement = conn.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.map(|sql| {
        let sql = sql.unwrap().replace('"', "");
        let code = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
        let spaced = code.collect::<Vec<_>>().join(" ").replace([',', '(', ')'], " , ");
        spaced.split_whitespace().collect::<Vec<_>>().join(" ")
    })
    .collect()
}

fn version(database: &Path) -> i64 {
    let conn = Connection::open(database).unwrap();
    conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

#[test]
fn a_database_of_every_released_schema_is_opened_and_has_the_shape_of_a_new_one() {
    let options = Options {
        key: Some(KEY),
        readers: 1,
    };
    let fresh = tempfile::tempdir().unwrap();
    drop(open(fresh.path(), &options).unwrap());
    let new = fresh.path().join("aldis.db");
    let schemas = schemas();
    assert_eq!(
        schemas.keys().copied().collect::<Vec<_>>(),
        (FIRST..=version(&new)).collect::<Vec<_>>(),
        "each schema has its file in tests/schemas"
    );
    for sql in schemas.values() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("aldis.db");
        build(sql, &database);
        // Opened twice: what the first one has changed, the second one finds changed.
        for round in 0..2 {
            let (mut store, reader) = open(dir.path(), &options).unwrap();
            let before = reader.last_commit().unwrap().0;
            assert_eq!(before.0, 44 + round, "nothing is committed by opening");
            assert_eq!(reader.organizations().unwrap().len(), 2);
            let key = reader
                .access_key(&AppKey::from("9JKKL2kZywAdtyvnRu3z"))
                .unwrap()
                .unwrap();
            assert_eq!(
                key.secret.0, "fg8LWUCXjQ8SF3QNtqr5GFQf6omBQMDp",
                "secrets can be opened"
            );
            assert_eq!(reader.jobs_at_work().unwrap().len(), 2);
            assert_eq!(
                reader.slots().unwrap().len(),
                1,
                "the attempt that is out holds its device"
            );
            store.commit(Epoch::SOLE, Timestamp(1_795_469_500_000), &[]).unwrap();
        }
        assert_eq!(version(&database), version(&new));
        assert_eq!(shape(&database), shape(&new), "{}", sql.display());
    }
}

#[test]
fn a_database_from_before_the_first_release_is_refused_and_left_as_it_is() {
    let options = Options {
        key: Some(KEY),
        readers: 1,
    };
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("aldis.db");
    build(&schemas()[&FIRST], &database);
    let conn = Connection::open(&database).unwrap();
    conn.pragma_update(None, "user_version", FIRST - 1).unwrap();
    conn.close().unwrap();
    let refused = open(dir.path(), &options).err().unwrap().to_string();
    assert!(
        refused.contains("has schema 9, from before the first release"),
        "{refused}"
    );
    assert_eq!(version(&database), FIRST - 1);
}
