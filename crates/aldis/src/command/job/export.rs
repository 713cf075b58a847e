//! `aldis job export`: the results of all tasks of a job in one stream. Memory holds one page, however large the job is.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use aldis_client::{Client, Task};
use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::command::task::status_word;
use crate::context::Context;
use crate::exit::{Outcome, usage};
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

impl Export {
    pub(crate) async fn run(&self, context: &Context, client: &Client) -> anyhow::Result<Outcome> {
        // An unknown job has no tasks either; only this call tells them apart.
        client.get_job(&self.job_id).await?;
        let mut sink = self.sink()?;
        let mut pages = client.tasks_of(&self.job_id);
        let mut written = 0;
        let mut head = true;
        while let Some(page) = pages.next_page().await? {
            written += page.len();
            match self.format {
                Format::Ndjson => write_lines(&mut sink, &elements(page.raw())?)?,
                Format::Csv => write_table(&mut sink, &page, head)?,
            }
            head = false;
        }
        if head && self.format == Format::Csv {
            write_table(&mut sink, &[], true)?;
        }
        sink.flush()?;
        context.screen.note(format_args!("{written} tasks exported"))?;
        Ok(Outcome::Done)
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
