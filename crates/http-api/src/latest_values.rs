//! `/aldis/v1/devices`, an extension: what a device has reported about itself lately (docs/api.md, "Latest values").

use std::collections::BTreeMap;

use aldis_core::reported::ReportKind;
use aldis_store::rows::Reported;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::action::{Action, Doc};
use super::call::Call;
use super::envelope::Answer;
use aldis_app::latest_values::read_value;
use aldis_app::{App, Error};

const PATH: &[&str] = &["/aldis/v1/devices"];

pub(super) fn actions() -> Vec<Action> {
    vec![Action::read(
        PATH,
        &["latest"],
        |app, call| Box::pin(latest(app, call)),
        Doc::new("The latest values that a device has reported")
            .takes("assetId", "The device's asset id; or both keys")
            .takes("productKey", "The device's product, together with deviceKey")
            .takes("deviceKey", "The device's key, together with productKey")
            .answer::<LatestValues>(),
    )]
}

/// What a device has reported, by identifier.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(example = json!({
    "measurepoints": {"temperature": {"value": 21.5, "timestamp": 1_718_952_446_317_i64}}, "attributes": {}, "tags": {}
}))]
pub(super) struct LatestValues {
    measurepoints: BTreeMap<String, LatestValue>,
    attributes: BTreeMap<String, LatestValue>,
    tags: BTreeMap<String, LatestValue>,
}

/// A value, and since when it is so.
#[derive(Debug, Serialize, ToSchema)]
struct LatestValue {
    /// As the device has said it.
    value: Value,
    /// Epoch milliseconds, as the device says; when it came, if it does not.
    timestamp: i64,
}

impl From<Vec<Reported>> for LatestValues {
    fn from(values: Vec<Reported>) -> Self {
        let mut all = Self::default();
        for reported in values {
            let of_kind = match reported.kind {
                ReportKind::Measurepoint => &mut all.measurepoints,
                ReportKind::Attribute => &mut all.attributes,
                ReportKind::Tag => &mut all.tags,
            };
            let (value, timestamp) = (read_value(&reported), reported.at.0);
            of_kind.insert(reported.name, LatestValue { value, timestamp });
        }
        all
    }
}

async fn latest(app: App, call: Call) -> Result<Answer, Error> {
    let values = app.latest_values(&call.caller, &call.device_name()).await?;
    Answer::data(&LatestValues::from(values))
}
