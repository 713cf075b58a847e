//! What was done, and who did it (docs/api.md, "Audit").

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::client::Client;
use crate::paging::Pages;

const AUDIT: &str = "/aldis/v1/audit";

/// Which records are wanted; what is absent wants all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditFilter {
    /// Of this organization; absent: the caller's. Another needs the role admin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// From this moment on, epoch milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<i64>,
    /// Before this moment, epoch milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<i64>,
    /// What was done, such as `device.update`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The access key that did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_key: Option<String>,
    /// What it was done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
}

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditRecord {
    /// Its number.
    pub id: String,
    /// Epoch milliseconds.
    pub timestamp: i64,
    /// In which organization.
    pub org_id: String,
    /// The access key that did it; absent for unsigned calls, gateways and the server itself.
    #[serde(default)]
    pub app_key: Option<String>,
    /// The address that the call came from.
    #[serde(default)]
    pub address: Option<String>,
    /// The request's id, as it was answered.
    pub request_id: String,
    /// What was done, as `resource.verb`.
    pub action: String,
    /// To what.
    pub object: String,
}

impl Client {
    /// What was done, page by page, newest first.
    #[must_use]
    pub fn audit(&self, filter: &AuditFilter) -> Pages<AuditRecord> {
        let wanted = match serde_json::to_value(filter) {
            Ok(Value::Object(wanted)) => wanted,
            _ => serde_json::Map::new(),
        };
        Pages::new(self, AUDIT, "search", None).with(wanted)
    }
}
