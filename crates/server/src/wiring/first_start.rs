//! The first start: an organization and a key with which its owner can make everything else.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aldis_core::ids::{AppKey, OrgId};
use aldis_core::text_file;
use aldis_core::time::Timestamp;
use aldis_store::rows::{AccessKey, Action, Actor, Organization, Role, Secret};
use aldis_store::{Done, Epoch, Error as StoreError, Store, Write};
use serde::{Deserialize, Serialize};

use aldis_app::Rng;

/// The organization that the first start makes.
pub(super) const FIRST_ORGANIZATION: &str = "default";
const KEY_FILE: &str = "admin-key.json";

/// The first access key, as the command line reads it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyFile {
    pub(super) org_id: String,
    pub(super) app_key: String,
    pub(super) app_secret: Secret,
}

/// Why the first start failed.
#[derive(Debug, thiserror::Error)]
pub enum FirstStartError {
    /// The key file cannot be written or read.
    #[error("cannot use {path}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A key file from an earlier, unfinished start makes no sense.
    #[error("{path} is no key file: {what}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The store refuses.
    #[error("the first organization and key cannot be stored")]
    Store(#[source] Option<StoreError>),
}

impl From<StoreError> for FirstStartError {
    fn from(error: StoreError) -> Self {
        Self::Store(Some(error))
    }
}

/// Makes organization and key if there is none yet. The file is durable before the store knows the key: a start that is
/// killed in between is finished by the next with the same file.
pub(super) fn prepare(
    store: &mut dyn Store,
    epoch: Epoch,
    dir: &Path,
    now: Timestamp,
    rng: &dyn Rng,
) -> Result<(), FirstStartError> {
    if !store.organizations()?.is_empty() {
        return Ok(());
    }
    let path = dir.join(KEY_FILE);
    let file = match read(&path)? {
        Some(file) => file,
        None => create(dir, &path, &OrgId::from(FIRST_ORGANIZATION), rng)?,
    };
    let organization = Organization {
        id: OrgId(file.org_id.clone()),
        name: file.org_id.clone(),
        disabled: false,
        created: now,
    };
    let org = organization.id.clone();
    let key = access_key(&file, Role::Admin, "first key", now);
    let noted = |verb, subject: String, write| Write::Noted {
        write: Box::new(write),
        actions: vec![Action {
            org: org.clone(),
            verb,
            subject,
            by: Actor {
                app_key: None,
                address: None,
                request_id: "first start".to_owned(),
            },
        }],
    };
    let writes = [
        noted(
            "organization.create",
            org.0.clone(),
            Write::CreateOrganization(organization),
        ),
        noted("key.create", key.app_key.0.clone(), Write::CreateKey(key)),
    ];
    let committed = store.commit(epoch, now, &writes)?;
    if committed.done.iter().any(|done| matches!(done, Done::Refused(_))) {
        return Err(FirstStartError::Store(None));
    }
    tracing::info!(key_file = %path.display(), "first start: organization `{FIRST_ORGANIZATION}` and its admin key were made");
    Ok(())
}

fn read(path: &Path) -> Result<Option<KeyFile>, FirstStartError> {
    match std::fs::read(path) {
        Ok(bytes) => parse(bytes).map(Some).map_err(|what| FirstStartError::Malformed {
            path: path.to_owned(),
            what,
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FirstStartError::File {
            path: path.to_owned(),
            source,
        }),
    }
}

fn parse(bytes: Vec<u8>) -> Result<KeyFile, String> {
    let text = text_file::decode(bytes).map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

/// The key that a file names.
pub(super) fn access_key(file: &KeyFile, role: Role, name: &str, now: Timestamp) -> AccessKey {
    AccessKey {
        app_key: AppKey(file.app_key.clone()),
        secret: file.app_secret.clone(),
        org: OrgId(file.org_id.clone()),
        role,
        name: name.to_owned(),
        disabled: false,
        created: now,
    }
}

/// A key file with a new key of an organization, and where it is. The file that was there gets the ending `.old`.
pub(super) fn replace_key_file(dir: &Path, org: &OrgId, rng: &dyn Rng) -> Result<(PathBuf, KeyFile), FirstStartError> {
    let path = dir.join(KEY_FILE);
    match std::fs::rename(&path, path.with_extension("json.old")) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            return Err(FirstStartError::File { path, source });
        }
        _ => {}
    }
    let file = create(dir, &path, org, rng)?;
    Ok((path, file))
}

fn create(dir: &Path, path: &Path, org: &OrgId, rng: &dyn Rng) -> Result<KeyFile, FirstStartError> {
    let file = KeyFile {
        org_id: org.0.clone(),
        app_key: rng.uuid(),
        app_secret: Secret(rng.uuid()),
    };
    save(dir, path, &file).map_err(|source| FirstStartError::File {
        path: path.to_owned(),
        source,
    })?;
    Ok(file)
}

/// Complete or not there at all.
fn save(dir: &Path, path: &Path, file: &KeyFile) -> std::io::Result<()> {
    let unfinished = path.with_extension("json.new");
    let mut options = std::fs::OpenOptions::new();
    let mut opened = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)?;
    opened.write_all(serde_json::to_string(file)?.as_bytes())?;
    opened.write_all(b"\n")?;
    opened.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    std::fs::File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use aldis_store::ReadRegistry;
    use aldis_store_memory::MemoryStore;

    use super::*;
    use aldis_app::SystemRng;

    #[test]
    fn the_first_start_makes_a_key_that_only_its_owner_can_read_and_later_ones_leave_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = MemoryStore::default();
        prepare(&mut store, Epoch::SOLE, dir.path(), Timestamp(1), &SystemRng).unwrap();
        let path = dir.path().join(KEY_FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let made = read(&path).unwrap().unwrap();
        for drawn in [made.app_key.as_str(), &made.app_secret] {
            assert_eq!(drawn.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        }
        let key = store.access_key(&AppKey(made.app_key.clone())).unwrap().unwrap();
        assert_eq!((key.role, key.secret), (Role::Admin, made.app_secret));
        prepare(&mut store, Epoch::SOLE, dir.path(), Timestamp(2), &SystemRng).unwrap();
        assert_eq!(read(&path).unwrap().unwrap().app_key, made.app_key);
    }

    #[test]
    fn a_first_start_that_was_killed_half_way_is_finished_with_the_same_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(KEY_FILE);
        let made = create(dir.path(), &path, &OrgId::from(FIRST_ORGANIZATION), &SystemRng).unwrap();
        let mut store = MemoryStore::default();
        prepare(&mut store, Epoch::SOLE, dir.path(), Timestamp(1), &SystemRng).unwrap();
        assert!(store.access_key(&AppKey(made.app_key)).unwrap().is_some());
    }
}
