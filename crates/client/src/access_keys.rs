//! Access keys, for keys with the role admin (docs/api.md, "Keys and organizations").

use aldis_core::secret::Secret;
use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::call::Call;
use crate::client::Client;
use crate::error::Error;
use crate::organizations::ORGANIZATION;

const KEYS: &str = "/aldis/v1/keys";

/// An access key to be created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewKey {
    /// The organization that it is to belong to; absent: the caller's.
    #[serde(default)]
    pub organization: Option<String>,
    /// `admin`, `operator` or `reader`.
    pub role: String,
    /// What its owner calls it.
    #[serde(default)]
    pub name: Option<String>,
    /// A public half that is in use already; absent: the server makes one.
    #[serde(default)]
    pub app_key: Option<String>,
    /// A secret half that is in use already; absent: the server makes one.
    #[serde(default)]
    pub app_secret: Option<Secret>,
}

impl NewKey {
    /// A key of the caller's organization with a role.
    pub fn new(role: impl Into<String>) -> Self {
        Self {
            organization: None,
            role: role.into(),
            name: None,
            app_key: None,
            app_secret: None,
        }
    }
}

/// An access key as the server knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyInfo {
    /// Its public half.
    pub app_key: String,
    /// Its secret half; shown at creation only.
    #[serde(default)]
    pub app_secret: Option<Secret>,
    /// The organization it belongs to.
    pub org_id: String,
    /// `admin`, `operator` or `reader`.
    pub role: String,
    /// What its owner calls it.
    #[serde(default)]
    pub name: Option<String>,
    /// Whether it is refused.
    #[serde(default)]
    pub disabled: bool,
    /// Epoch milliseconds.
    #[serde(default)]
    pub create_time: Option<i64>,
}

impl Client {
    /// Creates an access key; its secret is shown in this answer only.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn create_key(&self, key: &NewKey) -> Result<Answer<KeyInfo>, Error> {
        self.send(Call::post(KEYS, "create").json(key)).await
    }

    /// All access keys, or those of one organization.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn keys(&self, organization: Option<&str>) -> Result<Answer<Vec<KeyInfo>>, Error> {
        let call = Call::get(KEYS, "list");
        self.send(match organization {
            Some(id) => call.query(ORGANIZATION, id),
            None => call,
        })
        .await
    }

    /// Refuses an access key from now on.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn disable_key(&self, app_key: &str) -> Result<Answer<()>, Error> {
        self.send(Call::post(KEYS, "disable").query("appKey", app_key)).await
    }

    /// Accepts a disabled access key again.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn enable_key(&self, app_key: &str) -> Result<Answer<()>, Error> {
        self.send(Call::post(KEYS, "enable").query("appKey", app_key)).await
    }

    /// Deletes an access key.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn delete_key(&self, app_key: &str) -> Result<Answer<()>, Error> {
        self.send(Call::post(KEYS, "delete").query("appKey", app_key)).await
    }
}
