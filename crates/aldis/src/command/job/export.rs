//! `aldis job export`: the results of all tasks of a job in one stream. Memory holds one page, however large the job
//! is.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use aldis_client::{Client, Job, JobStatus, Search, Task, quoted};
use anyhow::{Context as _, ensure};
use clap::{Args, ValueEnum};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::described::{Described, Devices};
use crate::command::task::status_word;
use crate::context::Context;
use crate::exit::Outcome;
use crate::moment::now_ms;
use crate::pick::elements;
use crate::screen::moment_iso;
use crate::sheet::Sheet;
use crate::whole_file::{Existing, Readers, Sink};

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The job's id
    job_id: String,
    /// One JSON object a line, or a table for spreadsheets
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    format: Format,
    /// Where to; stdout if absent. The file is there when it is complete, and replaces one of its name
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The API's own task objects
    Ndjson,
    /// For spreadsheets: one line a task, with its device's name and tags, times in ISO 8601; a cell that a spreadsheet
    /// would run or shorten has an apostrophe in front
    Csv,
}

/// How often a job whose tasks are still being created is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

impl Export {
    pub(crate) async fn run(&self, context: &Context, client: &Client) -> anyhow::Result<Outcome> {
        let all = self.tasks_created(client).await?;
        let sink = Sink::open(self.output.as_deref(), Existing::Replaced, Readers::AsUsual)?;
        let mut writer = Writer::new(self.format, sink)?;
        let mut devices = Devices::new(client);
        let mut pages = client.tasks_of(&self.job_id);
        let mut written = 0;
        let stopped = |written: u64| format!("the export is not complete: it has {written} of {all} tasks");
        while let Some(page) = pages.next_page().await.with_context(|| stopped(written))? {
            written += u64::try_from(page.len())?;
            match &mut writer {
                Writer::Lines(sink) => write_lines(sink, &elements(page.raw())?)?,
                Writer::Table(sheet) => {
                    devices.learn(&page).await.with_context(|| stopped(written))?;
                    for (task, output) in page.iter().zip(outputs(page.raw())?) {
                        sheet.row(cells(task, output, devices.of(task)))?;
                    }
                }
            }
        }
        // A job that is deleted meanwhile has no further pages.
        ensure!(written == all, "{}; was the job deleted?", stopped(written));
        writer.finish()?;
        context.screen.note(format_args!("{written} tasks exported"));
        Ok(Outcome::Done)
    }

    /// Waits until all tasks of the job exist, and gives their number. Pages count from the newest task: while tasks
    /// are being created, a walk through them would meet some twice and others not at all. A job for later has what it
    /// has.
    async fn tasks_created(&self, client: &Client) -> anyhow::Result<u64> {
        let expression = format!("jobId = {}", quoted(&self.job_id));
        loop {
            // The job first: what is counted after its trigger is all of it.
            let job = client.get_job(&self.job_id).await?;
            let starting = is_starting(&job, now_ms());
            let all = client.statistics(&self.job_id).await?.total;
            let found = client.search_tasks(&Search::page(Some(&expression), 1, 0)).await?;
            if !starting && found.pagination.is_some_and(|found| found.total_size == all) {
                return Ok(all);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// What is written, in one form or the other.
enum Writer {
    Lines(Sink),
    Table(Box<Sheet<Sink>>),
}

impl Writer {
    fn new(format: Format, sink: Sink) -> anyhow::Result<Self> {
        Ok(match format {
            Format::Ndjson => Self::Lines(sink),
            Format::Csv => Self::Table(Box::new(Sheet::new(sink, COLUMNS)?)),
        })
    }

    fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Lines(sink) => sink.finish()?,
            Self::Table(sheet) => sheet.finish()?.finish()?,
        }
        Ok(())
    }
}

/// Whether it is due and has not triggered yet, as in the first moments of a job's life.
fn is_starting(job: &Job, now_ms: i64) -> bool {
    let trigger = job.schedule_policy.disposable_schedule_policy;
    let due = trigger
        .and_then(|policy| policy.trigger_ts)
        .is_none_or(|at| at <= now_ms);
    job.status == JobStatus::Init && due
}

fn write_lines(sink: &mut impl Write, tasks: &[String]) -> anyhow::Result<()> {
    for task in tasks {
        // A line break may only stand between tokens, where a space does as well.
        writeln!(sink, "{}", task.replace(['\n', '\r'], " "))?;
    }
    Ok(())
}

const COLUMNS: [&str; 16] = [
    "taskId",
    "jobId",
    "assetId",
    "productKey",
    "deviceKey",
    "deviceName",
    "deviceTags",
    "status",
    "code",
    "desc",
    "outputData",
    "createTimestamp",
    "updateTimestamp",
    "durationSeconds",
    "autoRetryCount",
    "manualRetryCount",
];

/// What of a task must not be read as a value: it would come out in other letters.
#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow, rename = "taskResult")]
    result: Option<RawResult<'a>>,
}

#[derive(Deserialize)]
struct RawResult<'a> {
    #[serde(borrow, rename = "outputData")]
    output: Option<&'a RawValue>,
}

/// What the devices sent along, of each task of a page, as they wrote it.
fn outputs(page: &str) -> anyhow::Result<Vec<Option<&str>>> {
    let tasks: Vec<Raw<'_>> = serde_json::from_str(page).context("reading a page")?;
    let outputs = tasks.into_iter().map(|task| task.result?.output.map(RawValue::get));
    Ok(outputs.collect())
}

fn cells(task: &Task, output: Option<&str>, device: Option<&Described>) -> [String; 16] {
    let result = task.task_result.as_ref();
    let optional = |value: &Option<String>| value.clone().unwrap_or_default();
    let code = result.and_then(|result| result.code);
    [
        task.task_id.clone(),
        task.job_id.clone(),
        optional(&task.asset_id),
        optional(&task.product_key),
        optional(&task.device_key),
        device.map(|device| device.name.clone()).unwrap_or_default(),
        device.map(|device| device.tags.clone()).unwrap_or_default(),
        status_word(task.status).to_owned(),
        code.map(|code| code.to_string()).unwrap_or_default(),
        result.map(|result| optional(&result.desc)).unwrap_or_default(),
        output.map(str::to_owned).unwrap_or_default(),
        moment_iso(task.create_timestamp),
        moment_iso(task.update_timestamp),
        duration(task),
        task.auto_retry_count.to_string(),
        task.manual_retry_count.to_string(),
    ]
}

/// Seconds from the task's creation to its end; nothing before the end.
fn duration(task: &Task) -> String {
    let ms = task.update_timestamp - task.create_timestamp;
    match task.status.is_final() && ms >= 0 {
        true => format!("{}.{:03}", ms / 1000, ms % 1000),
        false => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(results: &[&str]) -> String {
        let task = |result: &&str| {
            format!(
                r#"{{"taskId": "8000000000000000017", "orgId": "o", "assetId": null, "productKey": "p", "deviceKey": "d",
                "jobId": "j", "status": "FAILED", "commandInfo": {{"commandType": "SERVICE_INVOKE"}}, "taskResult": {result},
                "createTimestamp": 1, "updateTimestamp": 1502, "autoRetryCount": 3, "manualRetryCount": 0}}"#
            )
        };
        format!("[{}]", results.iter().map(task).collect::<Vec<_>>().join(","))
    }

    fn written(page: &str, device: Option<&Described>) -> String {
        let tasks: Vec<Task> = serde_json::from_str(page).unwrap();
        let mut sheet = Sheet::new(Vec::new(), COLUMNS).unwrap();
        for (task, output) in tasks.iter().zip(outputs(page).unwrap()) {
            sheet.row(cells(task, output, device)).unwrap();
        }
        String::from_utf8(sheet.finish().unwrap()).unwrap()
    }

    #[test]
    fn a_table_has_one_head_and_one_line_a_task() {
        let pump = Described {
            name: "水泵".into(),
            tags: "floor=2".into(),
        };
        let tasks = page(&[
            r#"{"code": 500, "desc": "jammed, \"hard\"", "outputData": {"a":1}}"#,
            "null",
        ]);
        let expected = "\u{feff}taskId,jobId,assetId,productKey,deviceKey,deviceName,deviceTags,status,code,desc,outputData,\
                        createTimestamp,updateTimestamp,durationSeconds,autoRetryCount,manualRetryCount\n\
                        '8000000000000000017,j,,p,d,水泵,floor=2,FAILED,500,\"jammed, \"\"hard\"\"\",\"{\"\"a\"\":1}\",\
                        1970-01-01T00:00:00.001Z,1970-01-01T00:00:01.502Z,1.501,3,0\n\
                        '8000000000000000017,j,,p,d,水泵,floor=2,FAILED,,,,\
                        1970-01-01T00:00:00.001Z,1970-01-01T00:00:01.502Z,1.501,3,0\n";
        assert_eq!(written(&tasks, Some(&pump)), expected);
    }

    #[test]
    fn what_a_device_says_is_no_formula_and_keeps_its_letters() {
        let told = page(&[
            r#"{"code": 1, "desc": "=HYPERLINK(\"x\")", "outputData": {"iccid":89860012345678901234,"n":12E4}}"#,
        ]);
        let table = written(&told, None);
        assert!(table.contains("\"'=HYPERLINK("), "{table}");
        assert!(
            table.contains(r#"{""iccid"":89860012345678901234,""n"":12E4}"#),
            "{table}"
        );
    }

    #[test]
    fn each_task_stays_on_its_line() {
        let mut sink = Vec::new();
        write_lines(&mut sink, &["{\"a\":\n1}".to_owned(), "{}".to_owned()]).unwrap();
        assert_eq!(sink, b"{\"a\": 1}\n{}\n");
    }
}
