//! `aldis job`: one command for many devices. Creation, watching and export have files of their own.

mod act;
mod create;
mod described;
mod export;
mod targets;
mod watch;

use aldis_client::{CommandInfo, JobStatus, StatusCount, TargetScope, TargetType};
use aldis_core::expression::JobField;
use clap::Subcommand;

use crate::context::Context;
use crate::exit::Outcome;
use crate::filter::Filter;
use crate::pick::Pick;
use crate::screen::{facts, moment, table};

/// What can be done with jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum Job {
    /// Create a job from flags or a JSON file; prints its id
    Create(Box<create::Create>),
    /// Jobs
    #[command(visible_alias = "search")]
    List {
        /// Only those in this status: INIT, IN_PROGRESS, FINISHED
        #[arg(long)]
        status: Option<String>,
        /// Only those whose name contains this
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        pick: Pick,
    },
    /// One job and how far it is
    #[command(visible_alias = "get")]
    Show {
        /// The job's id
        job_id: String,
    },
    /// How many tasks are in which state
    Statistics {
        /// The job's id
        job_id: String,
    },
    /// Follow a job until it has finished; exit code 0 only if all tasks succeeded
    Watch(watch::Watch),
    /// Cancel tasks of a job, all that can be unless told otherwise
    Cancel(act::Cancel),
    /// Retry failed tasks of a job, all that can be unless told otherwise
    Retry(act::Retry),
    /// Delete a job that has not triggered or has finished
    Delete {
        /// The job's id
        job_id: String,
    },
    /// Write the results of all tasks in one stream
    Export(export::Export),
}

impl Job {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let client = context.client()?;
        let screen = context.screen;
        match self {
            Self::Create(create) => return create.run(context, &client).await,
            Self::Watch(watch) => return watch.run(context, &client).await,
            Self::Export(export) => return export.run(context, &client).await,
            Self::Cancel(cancel) => return cancel.run(context, &client).await,
            Self::Retry(retry) => return retry.run(context, &client).await,
            Self::List { status, name, pick } => {
                let status = status.map(|word| word.to_ascii_uppercase());
                let filter = Filter::<JobField>::starting_with(pick.expression.as_deref())
                    .equals("status", status.as_deref())
                    .contains("name", name.as_deref());
                let jobs = client.jobs(filter.expression()?.as_deref());
                pick.print(screen, jobs, &HEAD, row).await?;
            }
            Self::Show { job_id } => {
                let job = client.get_job(&job_id).await?;
                if screen.json {
                    screen.line(job.raw())?;
                } else {
                    let count = client.statistics(&job_id).await?;
                    screen.line(format_args!("{}\n{}", whole(&job), counts(&count)))?;
                }
            }
            Self::Statistics { job_id } => screen.answer(&client.statistics(&job_id).await?, counts)?,
            Self::Delete { job_id } => {
                let deleted = client.delete_job(&job_id).await?;
                screen.answer(&deleted, |()| format!("{job_id} deleted"))?;
            }
        }
        Ok(Outcome::Done)
    }
}

/// A command in a few words.
pub(super) fn command_text(command: &CommandInfo) -> String {
    if let Some(service) = &command.service_invoke_info {
        let input = service.input_data.as_ref().map(ToString::to_string);
        return format!("{}({})", service.service_id, input.unwrap_or_default());
    }
    match &command.set_measurepoint_info {
        Some(point) => format!("{} = {}", point.measurepoint_id, point.value),
        None => String::new(),
    }
}

fn status_word(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Init => "INIT",
        JobStatus::InProgress => "IN_PROGRESS",
        JobStatus::Finished => "FINISHED",
        JobStatus::Unknown => "?",
    }
}

fn scope_text(scope: &TargetScope) -> String {
    let targets = scope.target_devices.as_deref().unwrap_or_default();
    match scope.target_type {
        TargetType::DeviceList => format!("{} devices", targets.len()),
        TargetType::ProductKey => {
            let keys = targets.iter().filter_map(|target| target.product_key.as_deref());
            format!("products {}", keys.collect::<Vec<_>>().join(", "))
        }
    }
}

const HEAD: [&str; 6] = ["JOB", "NAME", "STATUS", "TARGETS", "COMMAND", "CREATED"];

fn row(job: &aldis_client::Job) -> Vec<String> {
    vec![
        job.job_id.clone(),
        job.name.default_value.clone(),
        status_word(job.status).to_owned(),
        scope_text(&job.target_scope),
        command_text(&job.command_info),
        moment(Some(job.create_timestamp)).unwrap_or_default(),
    ]
}

fn whole(job: &aldis_client::Job) -> String {
    let trigger = job.schedule_policy.disposable_schedule_policy;
    let seconds = |value: Option<u32>| value.map(|seconds| format!("{seconds} s"));
    let retry = job.retry_policy.filter(|policy| policy.enable_retry);
    facts([
        ("job", Some(job.job_id.clone())),
        ("name", Some(job.name.default_value.clone())),
        ("description", job.desc.clone()),
        ("status", Some(status_word(job.status).to_owned())),
        ("targets", Some(scope_text(&job.target_scope))),
        ("command", Some(command_text(&job.command_info))),
        ("trigger", trigger.and_then(|policy| moment(policy.trigger_ts))),
        (
            "reply within",
            job.timeout_policy
                .and_then(|policy| seconds(policy.in_progress_timeout_in_seconds)),
        ),
        (
            "wait for device",
            job.timeout_policy
                .and_then(|policy| seconds(policy.ttl_timeout_in_seconds)),
        ),
        (
            "retries",
            retry
                .and_then(|policy| policy.retry_count)
                .map(|count| count.to_string()),
        ),
        (
            "retry after",
            retry.and_then(|policy| seconds(policy.retry_interval_in_seconds)),
        ),
        ("created", moment(Some(job.create_timestamp))),
    ])
}

/// How many tasks are in which state, as a table of one row.
fn counts(count: &StatusCount) -> String {
    let figures = [
        ("TOTAL", count.total),
        ("WAITING", count.init),
        ("PUBLISHED", count.published),
        ("IN PROGRESS", count.in_progress),
        ("SUCCEEDED", count.succeed),
        ("FAILED", count.failed),
        ("CANCELLED", count.canceled),
        ("TTL TIMEOUT", count.ttl_timeout),
        ("RSP TIMEOUT", count.rsp_timeout),
    ];
    table(
        &figures.map(|(name, _)| name),
        [figures.map(|(_, figure)| figure.to_string())],
    )
}
