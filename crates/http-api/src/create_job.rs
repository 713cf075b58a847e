//! The body of `createJob`, read in every spelling that the documentation's contradictions allow (docs/api.md, "Command
//! jobs").

use aldis_core::command::Command;
use aldis_core::ids::ProductKey;
use aldis_core::policy::{
    Policy, REPLY_TIMEOUT_DEFAULT_S, REPLY_TIMEOUT_MAX_S, RETRY_COUNT_DEFAULT, RETRY_COUNT_MAX,
    RETRY_INTERVAL_DEFAULT_S, RETRY_INTERVAL_MAX_S, Retry, TTL_MAX_S,
};
use aldis_core::time::Timestamp;
use aldis_core::violation::Violation;
use aldis_store::rows::{JobText, TargetEntry, TargetScope};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::command_info::{self, CommandInfo};
use super::decode::decode_at;
use super::names::StringI18n;
use super::numbers::{moment, whole};
use aldis_app::create_job::JobDraft;

/// Most entries of a target list.
pub const TARGETS_MAX: usize = 1000;

/// The two words for what a job names.
pub(super) const DEVICE_LIST: &str = "DEVICE_LIST";
pub(super) const PRODUCT_KEY: &str = "PRODUCT_KEY";
/// The only kind of schedule there is: once.
pub(super) const DISPOSABLE: &str = "DISPOSABLE";

/// The body of `createJob`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "name": {"defaultValue": "commandJobName", "i18nValue": {"en_US": "name", "zh_CN": "中文名"}},
    "desc": "commandJobDescription",
    "targetScope": {"targetType": "DEVICE_LIST", "targetDevices": [{"productKey": "productKey", "deviceKey": "deviceKey"}]},
    "schedulePolicy": {"scheduleType": "DISPOSABLE", "disposableSchedulePolicy": {"triggerTs": 1_718_952_446_317_i64}},
    "timeoutPolicy": {"inProgressTimeoutInSeconds": 30, "ttlTimeoutInSeconds": 20},
    "retryPolicy": {"enableRetry": true, "retryCount": 3, "retryIntervalInSeconds": 300},
    "commandInfo": {"commandType": "SERVICE_INVOKE", "serviceInvokeInfo": {"serviceId": "serviceId", "inputData": {"input": 22}}}
}))]
pub(super) struct CreateJob {
    /// Its name.
    name: StringI18n,
    /// What it is for.
    #[schema(max_length = 100)]
    desc: String,
    target_scope: TargetScopeRequest,
    schedule_policy: SchedulePolicyRequest,
    timeout_policy: Option<TimeoutPolicyRequest>,
    retry_policy: Option<RetryPolicyRequest>,
    command_info: CommandInfo,
}

/// What a new job names.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TargetScopeRequest {
    /// `DEVICE_LIST` or `PRODUCT_KEY`, in any case.
    target_type: String,
    /// For DEVICE_LIST: 1 to 1000 devices. For PRODUCT_KEY: entries whose `productKey` counts. A single object will do.
    #[schema(value_type = Option<Vec<TargetDeviceRequest>>, max_items = 1000)]
    target_devices: Option<Value>,
    /// Extension, for PRODUCT_KEY: a product.
    product_key: Option<String>,
    /// Extension, for PRODUCT_KEY: more products.
    #[schema(value_type = Option<Vec<String>>, max_items = 1000)]
    product_keys: Option<Value>,
}

/// A device, by its asset id or by both keys.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TargetDeviceRequest {
    asset_id: Option<String>,
    product_key: Option<String>,
    device_key: Option<String>,
}

/// When a new job triggers.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SchedulePolicyRequest {
    /// `DISPOSABLE`: once.
    schedule_type: String,
    disposable_schedule_policy: Option<DisposableSchedulePolicyRequest>,
}

/// The moment of a job's one trigger.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DisposableSchedulePolicyRequest {
    /// Epoch milliseconds, at most a year ahead; past or absent: at once. 1 to 100000000000 is refused: those are
    /// seconds.
    #[schema(value_type = Option<i64>)]
    trigger_ts: Option<Value>,
}

/// How long commands may take.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TimeoutPolicyRequest {
    /// From sending to reply, 1 to 900; 30 if absent.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 900)]
    in_progress_timeout_in_seconds: Option<Value>,
    /// How long a command may wait for its device, 0 to 172800; 0 if absent: not at all.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 172_800)]
    ttl_timeout_in_seconds: Option<Value>,
}

/// Whether failed and silent attempts are followed by others.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RetryPolicyRequest {
    /// False if absent.
    enable_retry: Option<bool>,
    /// The pause before each retry, 0 to 86400; 300 if absent.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 86_400)]
    retry_interval_in_seconds: Option<Value>,
    /// Attempts after the first, 1 to 10; 3 if absent.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 10)]
    retry_count: Option<Value>,
}

impl CreateJob {
    /// What was given and has no effect.
    pub(super) fn without_effect(&self) -> Option<String> {
        let retries = self.retry_policy.as_ref().and_then(RetryPolicyRequest::without_effect);
        let parts = [
            retries,
            self.target_scope.without_effect(),
            self.command_info.without_effect(),
        ];
        parts
            .into_iter()
            .flatten()
            .reduce(|one, other| format!("{one}; {other}"))
    }

    /// The body as the application wants it, every range checked and defaults filled in.
    pub(super) fn read(self) -> Result<JobDraft, Violation> {
        let name = self.name.read("name")?;
        let targets = self.target_scope.read().map_err(|it| it.within("targetScope"))?;
        let trigger = self.schedule_policy.read().map_err(|it| it.within("schedulePolicy"))?;
        let timeouts = self.timeout_policy.unwrap_or_default().read();
        let (reply_timeout_s, ttl_s) = timeouts.map_err(|it| it.within("timeoutPolicy"))?;
        let retries = self.retry_policy.unwrap_or_default().read();
        let (retry_enabled, retry_count, retry_interval_s) = retries.map_err(|it| it.within("retryPolicy"))?;
        let command: Command = command_info::read(self.command_info).map_err(|it| it.within("commandInfo"))?;
        let retry = Retry {
            count: retry_count,
            interval_ms: retry_interval_s * 1000,
        };
        let text = JobText {
            name,
            desc: self.desc,
            targets,
            trigger,
            retry_enabled,
            retry_count,
            retry_interval_s,
        };
        let policy = Policy {
            ttl_ms: ttl_s * 1000,
            reply_timeout_ms: reply_timeout_s * 1000,
            retry: retry_enabled.then_some(retry),
        };
        Ok(JobDraft { text, policy, command })
    }
}

impl TargetScopeRequest {
    /// A device that is named beside its product does not make the job smaller, nor a product beside devices larger.
    fn without_effect(&self) -> Option<String> {
        let is_given = |value: &Value| !value.is_null() && value.as_str() != Some("");
        if self.target_type.eq_ignore_ascii_case(PRODUCT_KEY) {
            let entries = match &self.target_devices {
                Some(Value::Array(entries)) => entries.as_slice(),
                single => single.as_slice(),
            };
            let has = |name: &str| entries.iter().any(|entry| entry.get(name).is_some_and(is_given));
            let names = [("assetId", has("assetId")), ("deviceKey", has("deviceKey"))];
            return no_effect(
                &names,
                "with targetType PRODUCT_KEY, which means all devices of the products",
            );
        }
        let product = self.product_key.as_ref().is_some_and(|key| !key.is_empty());
        let products = self.product_keys.as_ref().is_some_and(is_given);
        let names = [("productKey", product), ("productKeys", products)];
        no_effect(&names, "with targetType DEVICE_LIST")
    }

    fn read(self) -> Result<TargetScope, Violation> {
        match self.target_type.to_ascii_uppercase().as_str() {
            DEVICE_LIST => self.devices(),
            PRODUCT_KEY => self.products(),
            _ => {
                let expected = format!("{DEVICE_LIST} or {PRODUCT_KEY}");
                Err(Violation::of_text(&self.target_type, expected).within("targetType"))
            }
        }
    }

    fn devices(self) -> Result<TargetScope, Violation> {
        let entries = self.entries()?;
        if entries.is_empty() {
            return Err(count("targetDevices", "devices", 0));
        }
        Ok(TargetScope::Devices(entries))
    }

    /// The documentation has no field for the products; their keys are taken from wherever they may stand.
    fn products(self) -> Result<TargetScope, Violation> {
        let mut entries = self.entries()?;
        let mut products: Vec<ProductKey> = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let key = entry.product.as_deref().ok_or_else(|| {
                Violation::of(&Value::Null, "key of a product").within(&format!("targetDevices[{index}].productKey"))
            })?;
            products.push(ProductKey::from(key));
        }
        let named = listed(self.product_keys, "productKeys", |_place, value| {
            value
                .as_str()
                .map(str::to_owned)
                .ok_or_else(|| Violation::of(value, "text"))
        })?;
        for key in named.into_iter().chain(self.product_key) {
            let key = ProductKey(key);
            if !products.contains(&key) {
                entries.push(TargetEntry {
                    asset: None,
                    product: Some(key.0.clone()),
                    device: None,
                });
                products.push(key);
            }
        }
        products.sort();
        products.dedup();
        if products.is_empty() {
            let expected = "key of a product in productKey, productKeys or an entry of targetDevices";
            return Err(Violation::of(&Value::Null, expected));
        }
        Ok(TargetScope::Products { products, entries })
    }

    fn entries(&self) -> Result<Vec<TargetEntry>, Violation> {
        let given = self.target_devices.clone();
        let requests: Vec<TargetDeviceRequest> = listed(given, "targetDevices", |place, value| {
            decode_at(&format!("targetScope.{place}"), value)
        })?;
        let some = |text: Option<String>| text.filter(|text| !text.is_empty());
        let entries = requests.into_iter().map(|request| TargetEntry {
            asset: some(request.asset_id),
            product: some(request.product_key),
            device: some(request.device_key),
        });
        Ok(entries.collect())
    }
}

/// A warning about those fields that are given and have no effect, and why.
fn no_effect(fields: &[(&str, bool)], why: &str) -> Option<String> {
    let given: Vec<&str> = fields
        .iter()
        .filter(|(_, given)| *given)
        .map(|(name, _)| *name)
        .collect();
    let verb = if given.len() == 1 { "has" } else { "have" };
    (!given.is_empty()).then(|| format!("{} {verb} no effect {why}", given.join(" and ")))
}

/// A list, or a single element in its place; at most [`TARGETS_MAX`].
fn listed<T>(
    given: Option<Value>,
    field: &str,
    read: impl Fn(&str, &Value) -> Result<T, Violation>,
) -> Result<Vec<T>, Violation> {
    match given {
        None => Ok(Vec::new()),
        Some(Value::Array(elements)) if elements.len() > TARGETS_MAX => Err(count(field, "entries", elements.len())),
        Some(Value::Array(elements)) => {
            let element = |(index, value)| {
                let place = format!("{field}[{index}]");
                read(&place, value).map_err(|it: Violation| it.within(&place))
            };
            elements.iter().enumerate().map(element).collect()
        }
        Some(single) => Ok(vec![read(field, &single).map_err(|it| it.within(field))?]),
    }
}

fn count(field: &str, what: &str, found: usize) -> Violation {
    Violation {
        path: field.to_owned(),
        expected: format!("1 to {TARGETS_MAX} {what}"),
        found: found.to_string(),
    }
}

impl SchedulePolicyRequest {
    fn read(self) -> Result<Option<Timestamp>, Violation> {
        if !self.schedule_type.eq_ignore_ascii_case(DISPOSABLE) {
            return Err(Violation::of_text(&self.schedule_type, DISPOSABLE).within("scheduleType"));
        }
        let given = self.disposable_schedule_policy.and_then(|policy| policy.trigger_ts);
        moment(given.as_ref(), "disposableSchedulePolicy.triggerTs")
    }
}

fn whole_or_zero(value: &Value) -> i64 {
    let read = whole(Some(value), "", i64::MIN..=i64::MAX);
    read.ok().flatten().unwrap_or_default()
}

impl TimeoutPolicyRequest {
    /// Seconds for a reply, and seconds to wait for the device.
    fn read(self) -> Result<(i64, i64), Violation> {
        let reply = whole(
            self.in_progress_timeout_in_seconds.as_ref(),
            "inProgressTimeoutInSeconds",
            1..=REPLY_TIMEOUT_MAX_S,
        )?;
        let ttl = whole(
            self.ttl_timeout_in_seconds.as_ref(),
            "ttlTimeoutInSeconds",
            0..=TTL_MAX_S,
        )?;
        Ok((reply.unwrap_or(REPLY_TIMEOUT_DEFAULT_S), ttl.unwrap_or(0)))
    }
}

impl RetryPolicyRequest {
    /// Zeros are what clients send along that switch retries off.
    fn without_effect(&self) -> Option<String> {
        if self.enable_retry.unwrap_or(false) {
            return None;
        }
        let is_given = |value: &Option<Value>| value.as_ref().is_some_and(|value| whole_or_zero(value) != 0);
        let names = [
            ("retryCount", is_given(&self.retry_count)),
            ("retryIntervalInSeconds", is_given(&self.retry_interval_in_seconds)),
        ];
        no_effect(&names, "without enableRetry")
    }

    /// Whether, how often, after how many seconds. A client that switches retries off may send zeros along.
    fn read(self) -> Result<(bool, u8, i64), Violation> {
        let enabled = self.enable_retry.unwrap_or(false);
        let interval = whole(
            self.retry_interval_in_seconds.as_ref(),
            "retryIntervalInSeconds",
            0..=RETRY_INTERVAL_MAX_S,
        )?;
        let range = i64::from(enabled)..=i64::from(RETRY_COUNT_MAX);
        let count = whole(self.retry_count.as_ref(), "retryCount", range)?;
        let count = count.and_then(|count| u8::try_from(count).ok());
        Ok((
            enabled,
            count.unwrap_or(RETRY_COUNT_DEFAULT),
            interval.unwrap_or(RETRY_INTERVAL_DEFAULT_S),
        ))
    }
}
