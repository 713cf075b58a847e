//! A process that dies right after a commit was acknowledged loses nothing, and the next one can start at once.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::Command;

use aldis_core::ids::OrgId;
use aldis_core::time::Timestamp;
use aldis_store::rows::Organization;
use aldis_store::{Epoch, ReadJournal, ReadRegistry, Store, Write};
use aldis_store_sqlite::{Options, SqliteReader, SqliteStore, open};

/// In the environment of the process that is to die: where it works.
const DIR: &str = "ALDIS_TEST_CRASH_DIR";
const COMMITS: i64 = 20;

fn open_dir(dir: &Path) -> (SqliteStore, SqliteReader) {
    open(dir, &Options { key: None, readers: 1 }).unwrap()
}

/// Not a test by itself: the process that dies.
#[test]
fn the_process_that_dies() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let (mut store, _reader) = open_dir(Path::new(&dir));
    for number in 1..=COMMITS {
        let id = OrgId(format!("o{number:03}"));
        let created = Timestamp(number);
        let organization = Organization {
            id,
            name: String::new(),
            disabled: false,
            created,
        };
        store
            .commit(Epoch::SOLE, created, &[Write::CreateOrganization(organization)])
            .unwrap();
    }
    std::process::abort();
}

#[test]
fn an_acknowledged_commit_survives_the_death_of_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let test = std::env::current_exe().unwrap();
    let mut dying = Command::new(test);
    dying.args(["--exact", "the_process_that_dies"]).env(DIR, dir.path());
    let end = dying.output().unwrap().status;
    assert!(!end.success(), "it aborts");
    let (_store, reader) = open_dir(dir.path());
    assert_eq!(reader.organizations().unwrap().len(), usize::try_from(COMMITS).unwrap());
    assert_eq!(reader.last_commit().unwrap().1, Timestamp(COMMITS));
}
