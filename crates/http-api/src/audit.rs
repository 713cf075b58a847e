//! `/aldis/v1/audit`, an extension: what was done, and who did it (docs/api.md, "Audit").

use aldis_core::ids::AppKey;
use aldis_core::time::Timestamp;
use aldis_core::violation::Violation;
use aldis_store::rows::{ActionFilter, PastAction};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::action::{Action, Doc};
use super::call::Call;
use super::envelope::Answer;
use super::numbers::whole;
use super::paging::PageRequest;
use aldis_app::organizations::PARAMETER;
use aldis_app::{App, Error};

const PATH: &[&str] = &["/aldis/v1/audit"];

/// Moments before this one, in the year 1973, are seconds that were taken for milliseconds.
const EARLIEST_MS: i64 = 100_000_000_000;

pub(super) fn actions() -> Vec<Action> {
    vec![Action::read(
        PATH,
        &["search"],
        |app, call| Box::pin(search(app, call)),
        Doc::new("What was done, and who did it, newest first")
            .takes(
                PARAMETER,
                "Of this organization; the caller's if absent. Another needs the role admin",
            )
            .body::<SearchAudit>()
            .page::<AuditRecord>(),
    )]
}

/// The body of `search`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"action": "device.delete", "from": 1_718_952_446_317_i64, "pagination": {"pageNo": 1, "pageSize": 100}}))]
struct SearchAudit {
    /// From this moment on, epoch milliseconds.
    #[schema(value_type = Option<i64>)]
    from: Option<Value>,
    /// Before this moment, epoch milliseconds.
    #[schema(value_type = Option<i64>)]
    to: Option<Value>,
    /// What was done, such as `device.update`.
    action: Option<String>,
    /// The access key that did it.
    app_key: Option<String>,
    /// What it was done to: an asset id, a product key, the id of a thing model, a job, an organization, an access key.
    object: Option<String>,
    /// Which page.
    #[expect(dead_code, reason = "read by Call::paged")]
    pagination: Option<PageRequest>,
    /// The fields that are wanted, as paths. All if absent.
    #[expect(dead_code, reason = "read by Call::paged")]
    projection: Option<Vec<String>>,
}

/// Something that was done.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"id": "17", "timestamp": 1_718_952_446_317_i64, "orgId": "o1",
    "appKey": "0b8d0f6e-3c1e-4f52-9a65-6a3c0c9f1d11", "address": "192.0.2.7",
    "requestId": "e1b9bbd0-7348-400b-af46-8dcc7dd14c97", "action": "device.update", "object": "AbCd1234"}))]
struct AuditRecord {
    /// Its number; later records have larger ones.
    id: String,
    /// Epoch milliseconds.
    timestamp: i64,
    /// In which organization.
    org_id: String,
    /// The access key that did it; null for unsigned calls, gateways and the server itself.
    app_key: Option<String>,
    /// The address that the call came from; null if it is not known.
    address: Option<String>,
    /// The request's id, as it was answered; `gateway` and an asset id for what a gateway did.
    request_id: String,
    /// What was done, as `resource.verb`.
    action: String,
    /// To what.
    object: String,
}

impl From<PastAction> for AuditRecord {
    fn from(action: PastAction) -> Self {
        Self {
            id: action.no.to_string(),
            timestamp: action.at.0,
            org_id: action.org.0,
            app_key: action.by.app_key.map(|key| key.0),
            address: action.by.address.map(|address| address.to_string()),
            request_id: action.by.request_id,
            action: action.verb,
            object: action.subject,
        }
    }
}

fn moment(field: &str, given: Option<&Value>) -> Result<Option<Timestamp>, Violation> {
    let found = whole(given, field, i64::MIN..=i64::MAX)?;
    match found {
        Some(seconds) if (1..EARLIEST_MS).contains(&seconds) => {
            let expected = "a moment in epoch milliseconds (not seconds)";
            Err(Violation::of(&seconds.into(), expected).within(field))
        }
        found => Ok(found.map(Timestamp)),
    }
}

async fn search(app: App, call: Call) -> Result<Answer, Error> {
    let body: SearchAudit = call.decode()?;
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let filter = ActionFilter {
        from: moment("from", body.from.as_ref())?,
        until: moment("to", body.to.as_ref())?,
        verb: given(body.action),
        app_key: given(body.app_key).map(AppKey),
        subject: given(body.object),
    };
    let paged = call.paged()?;
    let found = app
        .search_actions(&call.caller, call.optional(PARAMETER)?, filter, paged.page())
        .await?;
    paged.answer(found, |action| Ok(AuditRecord::from(action)))
}
