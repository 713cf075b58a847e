//! A new admin key for an installation whose admin key is lost, made while the server is stopped (docs/operating.md, "A
//! lost admin key"). The file system says who may: who can write the data directory could read all of it anyway.

use std::path::PathBuf;

use aldis_core::ids::OrgId;
use aldis_core::time::Timestamp;
use aldis_store::rows::{Action, Actor, Organization, Role};
use aldis_store::{Done, Driver, Error as StoreError, Pools, Write};

use super::SystemTimes;
use super::first_start::{self, FIRST_ORGANIZATION, FirstStartError};
use crate::config::Settings;
use aldis_app::SystemRng;
use aldis_engine::clock::TimeSource as _;

/// Stands in the record of actions where a call has its request id.
const REQUEST_ID: &str = "aldis key reset-admin";

/// Where the new key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAdminKey {
    /// Its public half.
    pub app_key: String,
    /// Its organization.
    pub org: OrgId,
    /// The key file, with its secret.
    pub file: PathBuf,
}

/// Why there is no new admin key.
#[derive(Debug, thiserror::Error)]
pub enum ResetAdminError {
    /// The directory has no database.
    #[error("{0}: expected data directory of a server that was started before, found none with a database")]
    NoDatabase(PathBuf),
    /// The store cannot be opened.
    #[error(transparent)]
    Open(Box<dyn std::error::Error + Send + Sync>),
    /// The organization does not exist.
    #[error("organization: {0} does not exist")]
    NoOrganization(String),
    /// The key file or the key cannot be written.
    #[error(transparent)]
    Key(#[from] FirstStartError),
    /// The store failed.
    #[error("the new admin key cannot be stored")]
    Store(#[from] StoreError),
}

/// Makes a new admin key in an organization, `default` or else the oldest one if none is named, and enables that
/// organization. A key file that is there is kept under another name. Other keys stay as they are.
///
/// # Errors
/// [`ResetAdminError`], among others while a server works with the data directory.
pub fn reset_admin(
    settings: &Settings,
    driver: &dyn Driver,
    organization: Option<&str>,
) -> Result<NewAdminKey, ResetAdminError> {
    let dir = &settings.data_dir;
    if !driver.exists() {
        return Err(ResetAdminError::NoDatabase(dir.clone()));
    }
    let opened = driver.open(Pools::SMALLEST).map_err(ResetAdminError::Open)?;
    let mut store = opened.store;
    let org = chosen(store.organizations()?, organization)?;
    let now = store.last_commit()?.1.max(SystemTimes.wall());
    let (path, file) = first_start::replace_key_file(dir, &org.id, &SystemRng)?;
    let writes = writes(&org, &file, now);
    let epoch = store.begin_epoch()?;
    let committed = store.commit(epoch, now, &writes)?;
    if committed.done.iter().any(|done| matches!(done, Done::Refused(_))) {
        return Err(FirstStartError::Store(None).into());
    }
    Ok(NewAdminKey {
        app_key: file.app_key,
        org: org.id,
        file: path,
    })
}

fn chosen(known: Vec<Organization>, wanted: Option<&str>) -> Result<Organization, ResetAdminError> {
    let name = wanted.unwrap_or(FIRST_ORGANIZATION);
    let oldest = || known.iter().min_by_key(|org| org.created);
    let named = known.iter().find(|org| org.id.as_str() == name);
    let found = named.or_else(|| oldest().filter(|_| wanted.is_none()));
    found
        .cloned()
        .ok_or_else(|| ResetAdminError::NoOrganization(name.to_owned()))
}

fn writes(org: &Organization, file: &first_start::KeyFile, now: Timestamp) -> Vec<Write> {
    let noted = |verb, subject: &str, write| {
        let action = Action {
            org: org.id.clone(),
            verb,
            subject: subject.to_owned(),
            by: Actor {
                app_key: None,
                address: None,
                request_id: REQUEST_ID.to_owned(),
            },
        };
        Write::Noted {
            write: Box::new(write),
            actions: vec![action],
        }
    };
    let key = first_start::access_key(file, Role::Admin, "made by aldis key reset-admin", now);
    let mut writes = vec![noted("key.create", &file.app_key, Write::CreateKey(key))];
    if org.disabled {
        let enable = Write::DisableOrganization {
            org: org.id.clone(),
            disabled: false,
        };
        writes.push(noted("organization.enable", org.id.as_str(), enable));
    }
    writes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_organization_is_chosen_unless_another_is_named() {
        let org = |id: &str, created, disabled| Organization {
            id: id.into(),
            name: id.to_owned(),
            disabled,
            created: Timestamp(created),
        };
        let chosen = |ids: &[(&str, i64)], wanted| {
            let known = ids.iter().map(|(id, created)| org(id, *created, true)).collect();
            chosen(known, wanted).ok().map(|org| org.id.0)
        };
        let of = |id: &str| Some(id.to_owned());
        assert_eq!(chosen(&[("a", 1), ("default", 2)], None), of("default"));
        assert_eq!(chosen(&[("a", 2), ("b", 1)], None), of("b"));
        assert_eq!(chosen(&[("a", 2), ("b", 1)], Some("a")), of("a"));
        assert_eq!(chosen(&[("a", 2)], Some("b")), None);
        assert_eq!(chosen(&[], None), None);
    }
}
