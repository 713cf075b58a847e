//! Organizations, for keys with the role admin (docs/api.md, "Keys and organizations").

use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::call::Call;
use crate::client::Client;
use crate::error::Error;

const ORGANIZATIONS: &str = "/aldis/v1/organizations";
/// Names the organization that a call is about; `orgId` is the caller's own, as in every call.
pub(crate) const ORGANIZATION: &str = "organization";

/// An organization to be created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewOrganization {
    /// Its id.
    pub organization: String,
    /// Its name; absent: the id.
    #[serde(default)]
    pub name: Option<String>,
}

/// An organization as the server knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrganizationInfo {
    /// Its id.
    pub org_id: String,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// Whether its keys are refused.
    #[serde(default)]
    pub disabled: bool,
    /// Epoch milliseconds.
    #[serde(default)]
    pub create_time: Option<i64>,
}

impl Client {
    /// Creates an organization.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn create_organization(&self, new: &NewOrganization) -> Result<Answer<OrganizationInfo>, Error> {
        self.send(Call::post(ORGANIZATIONS, "create").json(new)).await
    }

    /// All organizations.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn organizations(&self) -> Result<Answer<Vec<OrganizationInfo>>, Error> {
        self.send(Call::get(ORGANIZATIONS, "list")).await
    }

    /// Refuses all keys of an organization from now on.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn disable_organization(&self, id: &str) -> Result<Answer<()>, Error> {
        self.send(Call::post(ORGANIZATIONS, "disable").query(ORGANIZATION, id))
            .await
    }

    /// Accepts the keys of a disabled organization again.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn enable_organization(&self, id: &str) -> Result<Answer<()>, Error> {
        self.send(Call::post(ORGANIZATIONS, "enable").query(ORGANIZATION, id))
            .await
    }

    /// Deletes an organization that has nothing left.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn delete_organization(&self, id: &str) -> Result<Answer<()>, Error> {
        self.send(Call::post(ORGANIZATIONS, "delete").query(ORGANIZATION, id))
            .await
    }
}
