//! `/connect-service/v2.1/measurepoints`: the points that a device has reported lately (docs/api.md, "Latest values").

use std::collections::BTreeSet;

use aldis_core::reported::ReportKind;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::action::{Action, Doc};
use super::call::Call;
use super::envelope::Answer;
use aldis_app::latest_values::read_value;
use aldis_app::{App, Error};

const PATH: &[&str] = &["/connect-service/v2.1/measurepoints"];

pub(super) fn actions() -> Vec<Action> {
    vec![Action::read(
        PATH,
        &["queryLatest"],
        |app, call| Box::pin(query_latest(app, call)),
        Doc::new("The latest values of a device's measurement points")
            .takes("assetId", "The device's asset id; or both keys")
            .takes("productKey", "The device's product, together with deviceKey")
            .takes("deviceKey", "The device's key, together with productKey")
            .body::<QueryLatest>()
            .answer::<Vec<MeasurepointStatus>>(),
    )]
}

/// The body of `queryLatest`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"measurepointIds": ["temperature"]}))]
struct QueryLatest {
    /// Only these points; all if absent.
    measurepoint_ids: Option<BTreeSet<String>>,
}

/// A measurement point as the device has reported it.
#[derive(Debug, Serialize, ToSchema)]
struct MeasurepointStatus {
    /// The measurement point.
    id: String,
    /// Epoch milliseconds in decimal digits, as the device says; when it came, if it does not.
    time: String,
    /// As the device has said it.
    value: Value,
}

async fn query_latest(app: App, call: Call) -> Result<Answer, Error> {
    let body: QueryLatest = call.decode()?;
    let wanted = |id: &String| body.measurepoint_ids.as_ref().is_none_or(|ids| ids.contains(id));
    let values = app.latest_values(&call.caller, &call.device_name()).await?;
    let points: Vec<MeasurepointStatus> = values
        .into_iter()
        .filter(|reported| reported.kind == ReportKind::Measurepoint && wanted(&reported.name))
        .map(|reported| MeasurepointStatus {
            time: reported.at.0.to_string(),
            value: read_value(&reported),
            id: reported.name,
        })
        .collect();
    Answer::data(&points)
}
