//! Access keys: create, list, disable, enable, delete (docs/api.md, "Keys and organizations").

use aldis_core::i18n::check_visible;
use aldis_core::ids::{AppKey, OrgId};
use aldis_store::rows::{AccessKey, Role, Secret};
use aldis_store::{Refusal, Write};

use super::text::{check_key, check_secret};
use super::{App, Caller, Error};

/// An access key to be created.
#[derive(Debug, Clone)]
pub struct KeyDraft {
    /// The organization it is to belong to; `None`: the caller's.
    pub org: Option<String>,
    /// What it may do.
    pub role: Role,
    /// What its owner calls it.
    pub name: String,
    /// Its public half, if it has one already.
    pub app_key: Option<String>,
    /// Its secret half, if it has one already.
    pub secret: Option<Secret>,
}

impl App {
    /// Creates an access key.
    ///
    /// # Errors
    /// The organization does not exist; a chosen key will not do or is in use.
    pub async fn create_key(&self, caller: &Caller, draft: KeyDraft) -> Result<AccessKey, Error> {
        check_visible(&draft.name).map_err(|violation| violation.within("name"))?;
        draft
            .app_key
            .as_deref()
            .map_or(Ok(()), |key| check_key("appKey", key))?;
        draft
            .secret
            .as_ref()
            .map_or(Ok(()), |secret| check_secret("appSecret", secret))?;
        // Both halves are UUIDs: the vendor's Python client takes them apart at `-` and reads the second group as
        // hexadecimal.
        let key = AccessKey {
            app_key: AppKey(draft.app_key.unwrap_or_else(|| self.rng().uuid())),
            secret: draft.secret.unwrap_or_else(|| Secret(self.rng().uuid())),
            org: draft.org.map_or_else(|| caller.org.clone(), OrgId),
            role: draft.role,
            name: draft.name,
            disabled: false,
            created: self.now(),
        };
        let subject = [key.app_key.to_string()];
        let write = caller.asks_in(&key.org, "key.create", subject, Write::CreateKey(key.clone()));
        match self.write_one(write).await? {
            Ok(_) => Ok(key),
            Err(Refusal::Taken) => Err(Error::taken("appKey", key.app_key.as_str())),
            Err(Refusal::Missing) => Err(Error::missing("organization", key.org.as_str())),
            Err(refusal) => Err(Error::unexpected(refusal)),
        }
    }

    /// Access keys, of one organization or of all.
    ///
    /// # Errors
    /// The store failed.
    pub async fn keys(&self, org: Option<&str>) -> Result<Vec<AccessKey>, Error> {
        let org = org.map(OrgId::from);
        self.read(move |store| store.access_keys(org.as_ref())).await
    }

    /// Disables or enables an access key.
    ///
    /// # Errors
    /// There is none; it is the caller's own, who would be locked out.
    pub async fn disable_key(&self, caller: &Caller, app_key: &str, disabled: bool) -> Result<(), Error> {
        let key = self.foreign_key(caller, app_key).await?;
        let verb = if disabled { "key.disable" } else { "key.enable" };
        self.change_key(
            caller,
            key.org,
            Write::DisableKey {
                key: key.app_key,
                disabled,
            },
            verb,
            app_key,
        )
        .await
    }

    /// Deletes an access key.
    ///
    /// # Errors
    /// As [`App::disable_key`].
    pub async fn delete_key(&self, caller: &Caller, app_key: &str) -> Result<(), Error> {
        let key = self.foreign_key(caller, app_key).await?;
        self.change_key(
            caller,
            key.org,
            Write::DeleteKey { key: key.app_key },
            "key.delete",
            app_key,
        )
        .await
    }

    async fn foreign_key(&self, caller: &Caller, app_key: &str) -> Result<AccessKey, Error> {
        if caller.app_key.as_ref().is_some_and(|own| own.as_str() == app_key) {
            return Err(Error::in_use(
                "appKey",
                app_key,
                "another key than the one that this call is signed with",
            ));
        }
        let key = AppKey::from(app_key);
        let found = self.read(move |store| store.access_key(&key)).await?;
        found.ok_or_else(|| Error::missing("access key", app_key))
    }

    async fn change_key(
        &self,
        caller: &Caller,
        org: OrgId,
        write: Write,
        verb: &'static str,
        app_key: &str,
    ) -> Result<(), Error> {
        let write = caller.asks_in(&org, verb, [app_key.to_owned()], write);
        match self.write_one(write).await? {
            Ok(_) => Ok(()),
            Err(Refusal::Missing) => Err(Error::missing("access key", app_key)),
            Err(refusal) => Err(Error::unexpected(refusal)),
        }
    }
}
