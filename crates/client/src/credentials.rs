//! Who calls.

use aldis_core::secret::Secret;
use serde::{Deserialize, Serialize};

/// An application's access key, as the server writes it to `admin-key.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessKey {
    /// The organization it belongs to.
    pub org_id: String,
    /// Its public half.
    pub app_key: String,
    /// Its secret half.
    pub app_secret: Secret,
}

/// How calls are made: signed with an access key, or unsigned to a server that was started with `--no-auth`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Every call carries a token and a signature.
    Signed(AccessKey),
    /// Calls name an organization and nothing else.
    Unsigned {
        /// The organization.
        org_id: String,
    },
}

impl Credentials {
    /// The organization that calls are made for.
    #[must_use]
    pub fn org_id(&self) -> &str {
        match self {
            Self::Signed(key) => &key.org_id,
            Self::Unsigned { org_id } => org_id,
        }
    }
}

impl From<AccessKey> for Credentials {
    fn from(key: AccessKey) -> Self {
        Self::Signed(key)
    }
}
