//! What the driver does when its medium fails or lies. Needs a hand on the connection, hence not among the outer tests.

use std::fs;

use aldis_core::ids::{AppKey, OrgId};
use aldis_core::time::Timestamp;
use aldis_store::rows::{AccessKey, Organization, Role, Secret};
use aldis_store::{Done, Epoch, Error, ReadJournal, ReadRegistry, Store, Write};
use tempfile::TempDir;

use crate::database::Access;
use crate::{Options, SqliteReader, SqliteStore, open};

fn opened() -> (TempDir, SqliteStore, SqliteReader) {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { key: None, readers: 2 };
    let (store, reader) = open(dir.path(), &options).unwrap();
    (dir, store, reader)
}

fn organization(id: &str, name: String) -> Write {
    let created = Timestamp(1);
    Write::CreateOrganization(Organization {
        id: OrgId::from(id),
        name,
        disabled: false,
        created,
    })
}

fn key(secret: &str) -> Write {
    Write::CreateKey(AccessKey {
        app_key: AppKey::from("app"),
        secret: Secret(secret.to_owned()),
        org: OrgId::from("o"),
        role: Role::Reader,
        name: String::new(),
        disabled: false,
        created: Timestamp(1),
    })
}

#[test]
fn a_full_disk_fails_the_commit_whole_and_the_next_one_works() {
    let (_dir, mut store, reader) = opened();
    store
        .commit(Epoch::SOLE, Timestamp(1), &[organization("o", String::new())])
        .unwrap();
    let pages = |store: &mut SqliteStore, limit: i64| {
        let db = store.access.db.get_mut();
        db.conn
            .pragma_update_and_check(None, "max_page_count", limit, |_| Ok(()))
            .unwrap();
    };
    pages(&mut store, 1);
    let large = organization("large", "x".repeat(1 << 20));
    let error = store
        .commit(
            Epoch::SOLE,
            Timestamp(2),
            &[organization("small", String::new()), large.clone()],
        )
        .unwrap_err();
    assert!(
        matches!(&error, Error::Unavailable { source: Some(_), .. }),
        "{error:?}"
    );
    assert_eq!(reader.organizations().unwrap().len(), 1, "nothing of it is there");
    assert_eq!(
        store.organizations().unwrap().len(),
        1,
        "also not for the writer itself"
    );
    pages(&mut store, 1 << 30);
    let committed = store.commit(Epoch::SOLE, Timestamp(3), &[large]).unwrap();
    assert_eq!((committed.number.0, committed.done), (2, vec![Done::Yes]));
    assert_eq!(reader.last_commit().unwrap().1, Timestamp(3));
}

#[test]
fn a_locked_file_is_unavailable_for_a_while() {
    let (dir, mut store, reader) = opened();
    store
        .access
        .db
        .get_mut()
        .conn
        .busy_timeout(std::time::Duration::ZERO)
        .unwrap();
    let stranger = rusqlite::Connection::open(dir.path().join("aldis.db")).unwrap();
    stranger.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store
        .commit(Epoch::SOLE, Timestamp(1), &[organization("o", String::new())])
        .unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert_eq!(reader.organizations().unwrap().len(), 0, "readers do not wait");
    stranger.execute_batch("ROLLBACK").unwrap();
    store
        .commit(Epoch::SOLE, Timestamp(2), &[organization("o", String::new())])
        .unwrap();
}

#[test]
fn a_value_that_makes_no_sense_is_named_by_table_and_column() {
    let (_dir, mut store, reader) = opened();
    store
        .commit(
            Epoch::SOLE,
            Timestamp(1),
            &[organization("o", String::new()), key("s3cret")],
        )
        .unwrap();
    let break_it = |store: &mut SqliteStore, sql: &str| store.access.db.get_mut().conn.execute_batch(sql).unwrap();
    let place = |error| match error {
        Error::Corrupt { table, column, .. } => (table, column),
        other => panic!("{other:?}"),
    };
    break_it(&mut store, "UPDATE access_key SET role = 9");
    assert_eq!(
        place(reader.access_key(&AppKey::from("app")).unwrap_err()),
        ("access_key", "role")
    );
    break_it(&mut store, "UPDATE access_key SET role = 0, secret = x'00'");
    assert_eq!(place(reader.access_keys(None).unwrap_err()), ("access_key", "secret"));
}

#[test]
fn secrets_stand_nowhere_in_the_files() {
    let (dir, mut store, reader) = opened();
    let secret = "a secret that is easy to find";
    store
        .commit(
            Epoch::SOLE,
            Timestamp(1),
            &[organization("o", String::new()), key(secret)],
        )
        .unwrap();
    assert_eq!(reader.access_keys(None).unwrap()[0].secret, Secret(secret.to_owned()));
    for file in fs::read_dir(dir.path()).unwrap() {
        let content = fs::read(file.unwrap().path()).unwrap();
        assert!(!content.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
}

#[test]
fn a_reader_sees_one_state_while_commits_go_on() {
    let (_dir, mut store, reader) = opened();
    let before = reader.access.read("reading twice", |db| {
        let count = || crate::sql::all(&db.conn, "SELECT id FROM organization", [], |_| Ok(())).map(|rows| rows.len());
        let first = count()?;
        store
            .commit(Epoch::SOLE, Timestamp(1), &[organization("o", String::new())])
            .unwrap();
        Ok((first, count()?))
    });
    assert_eq!(before.unwrap(), (0, 0));
    assert_eq!(reader.organizations().unwrap().len(), 1);
}
