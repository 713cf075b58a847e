//! A data directory is opened by one process at a time, with its own key, and nothing in it is ever replaced.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::error::Error as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use aldis_core::ids::OrgId;
use aldis_core::time::Timestamp;
use aldis_store::rows::Organization;
use aldis_store::{Done, Epoch, ReadJournal, ReadRegistry, Store, Write};
use aldis_store_sqlite::{OpenError, Options, SqliteReader, SqliteStore, open};
use tempfile::TempDir;

fn try_open(dir: &Path) -> Result<(SqliteStore, SqliteReader), OpenError> {
    open(dir, &Options { key: None, readers: 2 })
}

fn organization(id: &str) -> Write {
    let created = Timestamp(1);
    Write::CreateOrganization(Organization {
        id: OrgId::from(id),
        name: String::new(),
        disabled: false,
        created,
    })
}

/// A directory with a database that holds one organization.
fn used_dir() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _reader) = try_open(dir.path()).unwrap();
    assert_eq!(
        store
            .commit(Epoch::SOLE, Timestamp(5), &[organization("o")])
            .unwrap()
            .done,
        [Done::Yes]
    );
    dir
}

fn refusal(dir: &Path) -> OpenError {
    try_open(dir).err().expect("it must be refused")
}

#[test]
fn what_was_committed_is_there_after_opening_again() {
    let dir = used_dir();
    let (mut store, reader) = try_open(dir.path()).unwrap();
    assert_eq!(reader.organizations().unwrap().len(), 1);
    let (commit, clock) = reader.last_commit().unwrap();
    assert_eq!((commit.0, clock), (1, Timestamp(5)));
    let committed = store
        .commit(Epoch::SOLE, Timestamp(6), &[organization("o"), organization("p")])
        .unwrap();
    assert_eq!(committed.number.0, 2);
    assert_eq!(reader.organizations().unwrap().len(), 2);
}

#[test]
fn a_directory_that_is_in_use_is_refused_by_name_until_all_of_it_is_dropped() {
    let dir = used_dir();
    let (store, reader) = try_open(dir.path()).unwrap();
    let error = refusal(dir.path());
    assert!(matches!(error, OpenError::InUse(_)), "{error}");
    assert!(error.to_string().contains(&dir.path().display().to_string()), "{error}");
    drop(store);
    assert!(
        matches!(refusal(dir.path()), OpenError::InUse(_)),
        "a reader is still there"
    );
    drop(reader);
    try_open(dir.path()).unwrap();
}

#[test]
fn the_key_and_the_database_are_for_the_owner_only() {
    let dir = used_dir();
    for file in ["secret.key", "aldis.db"] {
        let mode = fs::metadata(dir.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    assert_eq!(fs::read(dir.path().join("secret.key")).unwrap().len(), 32);
}

#[test]
fn a_database_without_its_key_is_refused() {
    let dir = used_dir();
    let key: [u8; 32] = fs::read(dir.path().join("secret.key")).unwrap().try_into().unwrap();
    fs::remove_file(dir.path().join("secret.key")).unwrap();
    assert!(matches!(refusal(dir.path()), OpenError::KeyMissing(_)));
    assert!(
        !dir.path().join("secret.key").exists(),
        "no new key is made for old secrets"
    );
    let given = |key| {
        open(
            dir.path(),
            &Options {
                key: Some(key),
                readers: 1,
            },
        )
    };
    assert!(matches!(given([1; 32]).err().unwrap(), OpenError::WrongKey(_)));
    given(key).unwrap();
}

#[test]
fn a_damaged_key_is_refused() {
    let dir = used_dir();
    fs::write(dir.path().join("secret.key"), b"short").unwrap();
    let error = refusal(dir.path());
    assert!(
        error.source().unwrap().to_string().contains("5 bytes instead of 32"),
        "{error:?}"
    );
}

#[test]
fn a_file_that_is_no_database_of_ours_is_refused_and_kept() {
    let text = "notes that were put under this name, longer than the header of a database would be. ".repeat(3);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("aldis.db");
    fs::write(&path, &text).unwrap();
    fs::write(dir.path().join("secret.key"), [1; 32]).unwrap();
    assert!(matches!(refusal(dir.path()), OpenError::Foreign(_)));
    assert_eq!(fs::read_to_string(&path).unwrap(), text);

    fs::remove_file(&path).unwrap();
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1)")
        .unwrap();
    assert!(
        matches!(refusal(dir.path()), OpenError::Foreign(_)),
        "another program's database"
    );
}

#[test]
fn a_truncated_or_damaged_database_is_refused_and_kept() {
    let dir = used_dir();
    let path = dir.path().join("aldis.db");
    let whole = fs::read(&path).unwrap();
    let mut holed = whole.clone();
    holed[4096..whole.len() - 4096].fill(0x5A);
    let damaged = [
        Vec::new(),
        whole[..60].to_vec(),
        whole[..4096].to_vec(),
        whole[..whole.len() - 4096].to_vec(),
        holed,
    ];
    for content in damaged {
        fs::write(&path, &content).unwrap();
        let error = refusal(dir.path());
        assert!(
            matches!(error, OpenError::Damaged { .. }),
            "{} bytes: {error:?}",
            content.len()
        );
        assert_eq!(fs::read(&path).unwrap().len(), content.len());
    }
    fs::write(&path, &whole).unwrap();
    try_open(dir.path()).unwrap();
}

#[test]
fn a_log_without_its_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("aldis.db-wal"), b"log").unwrap();
    assert!(matches!(refusal(dir.path()), OpenError::Damaged { .. }));
}

#[test]
fn a_newer_schema_is_refused() {
    let dir = used_dir();
    let conn = rusqlite::Connection::open(dir.path().join("aldis.db")).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    conn.close().unwrap();
    let error = refusal(dir.path());
    assert!(
        matches!(
            error,
            OpenError::Newer {
                found: 99,
                known: 10,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_start_that_was_killed_half_way_leaves_nothing_in_the_way() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("secret.key.new"), b"half").unwrap();
    fs::write(dir.path().join("aldis.db.new"), b"half").unwrap();
    fs::write(dir.path().join("foreign file"), b"foreign").unwrap();
    try_open(dir.path()).unwrap();
    assert!(!dir.path().join("aldis.db.new").exists());
    assert!(dir.path().join("foreign file").exists());
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = refusal(&file.join("data"));
    assert!(error.to_string().contains("data"), "{error}");
}
