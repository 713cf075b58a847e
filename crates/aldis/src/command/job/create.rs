//! `aldis job create`: a job from flags, or from a JSON file that is sent as it is.

use std::path::PathBuf;

use aldis_client::{
    Client, CommandInfo, DESC_CHARS_MAX, DeviceRef, Name, NewJob, RetryPolicy, SchedulePolicy, Target, TargetScope,
    TimeoutPolicy,
};
use clap::{ArgGroup, Args};
use serde_json::{Value, json};

use super::targets::{target, targets};
use super::watch::watch;
use crate::command::document::{object, pair, read_json, read_text};
use crate::context::Context;
use crate::exit::{Outcome, name_flag, usage};
use crate::moment::{self, Moment};
use crate::typed::{point_value, point_value_of, typed_flag};

#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("what").args(["service", "point", "file"]).required(true),
    group = ArgGroup::new("whom").args(["devices", "devices_file", "products", "file"]).required(true).multiple(true),
    after_help = "\
Examples:
  aldis job create --service reboot --input '{\"delay\": 5}' --device pump/pump-1 --device pump/pump-2
  aldis job create --point temperature --value 21.5 --product thermostat --ttl 3600 --retry 3 --watch
  aldis job create --file job.json"
)]
pub(crate) struct Create {
    /// What people call it; made of the command if absent
    #[arg(long)]
    name: Option<String>,
    /// The name in another language, such as zh_CN=重启
    #[arg(long = "name-in", value_name = "LOCALE=NAME", value_parser = pair)]
    names: Vec<(String, String)>,
    /// A remark of at most 100 characters; the name if absent
    #[arg(long)]
    desc: Option<String>,
    /// The service to invoke
    #[arg(long, value_name = "ID")]
    service: Option<String>,
    /// The service's input
    #[arg(long, value_name = "JSON", requires = "service", value_parser = object)]
    input: Option<Value>,
    /// The measurement point to set
    #[arg(long, value_name = "ID", requires = "value")]
    point: Option<String>,
    /// The point's value, read as the thing model of the first target has it
    #[arg(long, value_name = "VALUE", requires = "point", allow_hyphen_values = true)]
    value: Option<String>,
    /// A device: PRODUCT/DEVICE or an asset id; repeatable
    #[arg(long = "device", value_name = "DEVICE", value_parser = target)]
    devices: Vec<Target>,
    /// A file of devices, one a line; - for stdin
    #[arg(long, value_name = "FILE")]
    devices_file: Option<PathBuf>,
    /// All devices of a product; repeatable
    #[arg(long = "product", value_name = "PRODUCT_KEY", conflicts_with_all = ["devices", "devices_file"])]
    products: Vec<String>,
    /// When: +10m, 2030-01-31T12:00:00Z, '2030-01-31 12:00:00' (UTC) or epoch milliseconds; now if absent
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    at: Option<Moment>,
    /// Seconds to wait for a reply, 1 to 900; must exceed the longest execution [default: 30]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u32>,
    /// Seconds that the command may wait for an absent device, 0 to 172800 [default: 0]
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<u32>,
    /// Further attempts after a failure or a missing reply, 1 to 10
    #[arg(long, value_name = "COUNT")]
    retry: Option<u32>,
    /// Seconds between attempts, 0 to 86400 [default: 300]
    #[arg(long, value_name = "SECONDS", requires = "retry")]
    retry_interval: Option<u32>,
    /// The request as a JSON file instead of flags; - for stdin
    #[arg(long, conflicts_with_all = ["name", "names", "desc", "service", "input", "point", "value", "devices",
        "devices_file", "products", "at", "timeout", "ttl", "retry", "retry_interval"])]
    file: Option<PathBuf>,
    /// Follow the job until it has finished; exit code 0 only if all tasks succeeded
    #[arg(long)]
    watch: bool,
}

/// Fields of the request, and the flags that fill them.
const FLAGS: [(&str, &str); 13] = [
    ("name.i18nValue", "--name-in"),
    ("name", "--name"),
    ("desc", "--desc"),
    ("targetScope.targetDevices", "--device, --devices-file or --product"),
    ("schedulePolicy", "--at"),
    ("timeoutPolicy.inProgressTimeoutInSeconds", "--timeout"),
    ("timeoutPolicy.ttlTimeoutInSeconds", "--ttl"),
    ("retryPolicy.retryCount", "--retry"),
    ("retryPolicy.retryIntervalInSeconds", "--retry-interval"),
    ("commandInfo.serviceInvokeInfo.serviceId", "--service"),
    ("commandInfo.serviceInvokeInfo.inputData", "--input"),
    ("commandInfo.setMeasurepointInfo.measurepointId", "--point"),
    ("commandInfo.setMeasurepointInfo.value", "--value"),
];

impl Create {
    pub(crate) async fn run(&self, context: &Context, client: &Client) -> anyhow::Result<Outcome> {
        let created = match &self.file {
            Some(file) => client.create_job(&read_json(file)?).await?,
            None => {
                let scope = self.scope()?;
                let command = self.command(client, &scope).await?;
                let request = self.request(moment::now_ms(), scope, command);
                let created = client.create_job(&request).await;
                created.map_err(|error| name_flag(error, &FLAGS))?
            }
        };
        if !self.watch {
            context.screen.answer(&created, Clone::clone)?;
            return Ok(Outcome::Done);
        }
        context.screen.warning(&created);
        context.screen.note(format_args!("job {}", *created));
        watch(context, client, &created).await
    }

    fn request(&self, now_ms: i64, target_scope: TargetScope, command_info: CommandInfo) -> NewJob {
        let name = Name {
            default_value: self.name.clone().unwrap_or_else(|| self.title()),
            i18n_value: self.names.iter().cloned().collect(),
        };
        let desc = self.desc.clone();
        NewJob {
            desc: desc.unwrap_or_else(|| name.default_value.chars().take(DESC_CHARS_MAX).collect()),
            name,
            target_scope,
            schedule_policy: SchedulePolicy::at(self.at.map(|at| at.resolve(now_ms))),
            timeout_policy: (self.timeout.is_some() || self.ttl.is_some()).then_some(TimeoutPolicy {
                in_progress_timeout_in_seconds: self.timeout,
                ttl_timeout_in_seconds: self.ttl,
            }),
            retry_policy: self.retry.map(|count| RetryPolicy {
                enable_retry: true,
                retry_count: Some(count),
                retry_interval_in_seconds: self.retry_interval,
            }),
            command_info,
        }
    }

    fn title(&self) -> String {
        match (&self.service, &self.point) {
            (Some(service), _) => service.clone(),
            (None, Some(point)) => format!("set {point}"),
            (None, None) => String::new(),
        }
    }

    async fn command(&self, client: &Client, scope: &TargetScope) -> anyhow::Result<CommandInfo> {
        let Some(point) = &self.point else {
            let input = self.input.clone().unwrap_or_else(|| json!({}));
            return Ok(CommandInfo::service(self.service.clone().unwrap_or_default(), input));
        };
        let text = self.value.as_deref().unwrap_or_default();
        let first = scope.target_devices.as_deref().and_then(<[Target]>::first);
        let value = match first.map(|target| (&target.product_key, &target.asset_id)) {
            Some((Some(product), _)) => point_value_of(client, product, point, text).await?,
            Some((None, Some(asset))) => point_value(client, &DeviceRef::Asset(asset.clone()), point, text).await?,
            _ => typed_flag(text, None).map_err(usage)?,
        };
        Ok(CommandInfo::measurepoint(point, value))
    }

    fn scope(&self) -> anyhow::Result<TargetScope> {
        if !self.products.is_empty() {
            return Ok(TargetScope::products(self.products.clone()));
        }
        let mut devices = self.devices.clone();
        if let Some(file) = &self.devices_file {
            let more = targets(&read_text(file)?);
            devices.extend(more.map_err(|wrong| usage(format!("{}: {wrong}", file.display())))?);
        }
        Ok(TargetScope::devices(devices))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;
    use crate::command::Command;
    use crate::command::job::Job;

    fn parsed(line: &[&str]) -> Result<Create, clap::Error> {
        let words = ["aldis", "job", "create"].into_iter().chain(line.iter().copied());
        match Cli::try_parse_from(words)?.command {
            Command::Job(Job::Create(create)) => Ok(*create),
            other => panic!("{other:?}"),
        }
    }

    fn request(line: &[&str]) -> Value {
        let create = parsed(line).unwrap();
        let scope = create.scope().unwrap();
        let command = match (&create.service, &create.point) {
            (Some(service), _) => CommandInfo::service(service, create.input.clone().unwrap_or_default()),
            (None, point) => CommandInfo::measurepoint(point.clone().unwrap(), typed_flag("-5", None).unwrap()),
        };
        serde_json::to_value(create.request(1_000, scope, command)).unwrap()
    }

    #[test]
    fn flags_become_the_documented_request() {
        let made = request(&[
            "--name",
            "commandJobName",
            "--name-in",
            "zh_CN=中文名",
            "--desc",
            "commandJobDescription",
            "--service",
            "serviceId",
            "--input",
            r#"{"input": 22}"#,
            "--device",
            "productKey/deviceKey",
            "--device",
            "AbCd1234",
            "--at",
            "1718952446317",
            "--timeout",
            "30",
            "--ttl",
            "20",
            "--retry",
            "3",
            "--retry-interval",
            "300",
        ]);
        let expected = json!({
            "name": {"defaultValue": "commandJobName", "i18nValue": {"zh_CN": "中文名"}},
            "desc": "commandJobDescription",
            "targetScope": {"targetType": "DEVICE_LIST", "targetDevices": [
                {"assetId": null, "productKey": "productKey", "deviceKey": "deviceKey"},
                {"assetId": "AbCd1234", "productKey": null, "deviceKey": null}]},
            "schedulePolicy": {"scheduleType": "DISPOSABLE",
                "disposableSchedulePolicy": {"triggerTs": 1_718_952_446_317_i64}},
            "timeoutPolicy": {"inProgressTimeoutInSeconds": 30, "ttlTimeoutInSeconds": 20},
            "retryPolicy": {"enableRetry": true, "retryCount": 3, "retryIntervalInSeconds": 300},
            "commandInfo": {"commandType": "SERVICE_INVOKE",
                "serviceInvokeInfo": {"serviceId": "serviceId", "inputData": {"input": 22}},
                "setMeasurepointInfo": null}
        });
        assert_eq!(made, expected);
    }

    #[test]
    fn a_point_and_products_with_everything_else_left_to_the_server() {
        let made = request(&[
            "--point",
            "level",
            "--value",
            "-5",
            "--product",
            "p1",
            "--product",
            "p2",
            "--at",
            "+1s",
        ]);
        assert_eq!(made["name"]["defaultValue"], "set level");
        assert_eq!(made["desc"], "set level");
        assert_eq!(
            made["commandInfo"]["setMeasurepointInfo"],
            json!({"measurepointId": "level", "value": -5})
        );
        assert_eq!(made["targetScope"]["targetType"], "PRODUCT_KEY");
        assert_eq!(made["targetScope"]["targetDevices"][1]["productKey"], "p2");
        assert_eq!(made["schedulePolicy"]["disposableSchedulePolicy"]["triggerTs"], 2_000);
        assert_eq!(
            (&made["timeoutPolicy"], &made["retryPolicy"]),
            (&Value::Null, &Value::Null)
        );
    }

    #[test]
    fn devices_from_a_file_join_those_of_flags() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "p/d2\np/d3\n").unwrap();
        let path = file.path().to_str().unwrap();
        let made = request(&["--service", "s", "--device", "p/d1", "--devices-file", path]);
        assert_eq!(made["targetScope"]["targetDevices"].as_array().unwrap().len(), 3);
    }

    #[test]
    fn contradicting_and_missing_flags_are_usage_errors() {
        let wrong: [&[&str]; 8] = [
            &[],
            &["--service", "s"],
            &["--device", "p/d"],
            &["--service", "s", "--point", "p", "--value", "1", "--device", "p/d"],
            &["--point", "p", "--device", "p/d"],
            &["--service", "s", "--input", "22", "--device", "p/d"],
            &["--file", "job.json", "--name", "n"],
            &["--service", "s", "--device", "p/d", "--product", "p"],
        ];
        for line in wrong {
            assert_eq!(parsed(line).unwrap_err().exit_code(), 2, "{line:?}");
        }
        parsed(&["--file", "job.json"]).unwrap();
    }
}
