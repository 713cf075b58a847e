//! `aldis job export`: the results of all tasks of a job in one stream. Memory holds one page, however large the job is.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::Duration;

use aldis_client::{Client, Job, JobStatus, Search, Task, quoted};
use anyhow::{Context as _, ensure};
use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::command::task::status_word;
use crate::context::Context;
use crate::exit::{Outcome, usage};
use crate::moment::now_ms;
use crate::pick::elements;

#[derive(Debug, Args)]
pub(crate) struct Export {
    job_id: String,
    /// One JSON object a line, or a table for spreadsheets
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    format: Format,
    /// Where to; stdout if absent
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The API's own task objects
    Ndjson,
    /// One line a task, times in epoch milliseconds
    Csv,
}

/// How often a job whose tasks are still being created is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

impl Export {
    pub(crate) async fn run(&self, context: &Context, client: &Client) -> anyhow::Result<Outcome> {
        let all = self.tasks_created(client).await?;
        let mut sink = self.sink()?;
        let mut pages = client.tasks_of(&self.job_id);
        let mut written = 0;
        if self.format == Format::Csv {
            write_table(&mut sink, &[], true)?;
        }
        let stopped = |written: u64| format!("the export is not complete: it has {written} of {all} tasks");
        while let Some(page) = pages.next_page().await.with_context(|| stopped(written))? {
            written += u64::try_from(page.len())?;
            match self.format {
                Format::Ndjson => write_lines(&mut sink, &elements(page.raw())?)?,
                Format::Csv => write_table(&mut sink, &page, false)?,
            }
        }
        sink.flush()?;
        // A job that is deleted meanwhile has no further pages.
        ensure!(written == all, "{}; was the job deleted?", stopped(written));
        context.screen.note(format_args!("{written} tasks exported"))?;
        Ok(Outcome::Done)
    }

    /// Waits until all tasks of the job exist, and gives their number. Pages count from the newest task: while tasks are
    /// being created, a walk through them would meet some twice and others not at all. A job for later has what it has.
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

    fn sink(&self) -> anyhow::Result<Box<dyn Write>> {
        Ok(match &self.output {
            Some(path) => {
                let file = File::create(path).map_err(|error| usage(format!("{}: {error}", path.display())))?;
                Box::new(BufWriter::new(file))
            }
            None => Box::new(BufWriter::new(std::io::stdout())),
        })
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

fn write_lines(sink: &mut dyn Write, tasks: &[String]) -> anyhow::Result<()> {
    for task in tasks {
        // A line break may only stand between tokens, where a space does as well.
        writeln!(sink, "{}", task.replace(['\n', '\r'], " "))?;
    }
    Ok(())
}

const COLUMNS: [&str; 13] = [
    "taskId",
    "jobId",
    "assetId",
    "productKey",
    "deviceKey",
    "status",
    "code",
    "desc",
    "outputData",
    "createTimestamp",
    "updateTimestamp",
    "autoRetryCount",
    "manualRetryCount",
];

fn write_table(sink: &mut dyn Write, tasks: &[Task], head: bool) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_writer(sink);
    if head {
        writer.write_record(COLUMNS)?;
    }
    for task in tasks {
        writer.write_record(cells(task))?;
    }
    writer.flush()?;
    Ok(())
}

fn cells(task: &Task) -> [String; 13] {
    let result = task.task_result.as_ref();
    let optional = |value: &Option<String>| value.clone().unwrap_or_default();
    let output = result.and_then(|result| result.output_data.as_ref());
    [
        task.task_id.clone(),
        task.job_id.clone(),
        optional(&task.asset_id),
        optional(&task.product_key),
        optional(&task.device_key),
        status_word(task.status).to_owned(),
        result
            .and_then(|result| result.code)
            .map(|code| code.to_string())
            .unwrap_or_default(),
        result.map(|result| optional(&result.desc)).unwrap_or_default(),
        output.map(Value::to_string).unwrap_or_default(),
        task.create_timestamp.to_string(),
        task.update_timestamp.to_string(),
        task.auto_retry_count.to_string(),
        task.manual_retry_count.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn task(result: Value) -> Task {
        serde_json::from_value(json!({
            "taskId": "t1", "orgId": "o", "assetId": null, "productKey": "p", "deviceKey": "d", "jobId": "j",
            "status": "FAILED", "commandInfo": {"commandType": "SERVICE_INVOKE"}, "taskResult": result,
            "createTimestamp": 1, "updateTimestamp": 2, "autoRetryCount": 3, "manualRetryCount": 0
        }))
        .unwrap()
    }

    #[test]
    fn a_table_has_one_head_and_one_line_a_task() {
        let mut sink = Vec::new();
        let failed = task(json!({"code": 500, "desc": "jammed, \"hard\"", "outputData": {"a": 1}}));
        write_table(&mut sink, &[failed], true).unwrap();
        write_table(&mut sink, &[task(Value::Null)], false).unwrap();
        let expected = "taskId,jobId,assetId,productKey,deviceKey,status,code,desc,outputData,createTimestamp,\
                        updateTimestamp,autoRetryCount,manualRetryCount\n\
                        t1,j,,p,d,FAILED,500,\"jammed, \"\"hard\"\"\",\"{\"\"a\"\":1}\",1,2,3,0\n\
                        t1,j,,p,d,FAILED,,,,1,2,3,0\n";
        assert_eq!(String::from_utf8(sink).unwrap(), expected);
    }

    #[test]
    fn each_task_stays_on_its_line() {
        let mut sink = Vec::new();
        write_lines(&mut sink, &["{\"a\":\n1}".to_owned(), "{}".to_owned()]).unwrap();
        assert_eq!(sink, b"{\"a\": 1}\n{}\n");
    }
}
