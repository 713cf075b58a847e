//! `/connect-service/v2.5/commands`: the actions on jobs (docs/api.md, "Command jobs").

use aldis_core::expression::JobField;
use aldis_core::task::State;
use aldis_store::rows::Job;

use super::action::{Action, Doc};
use super::call::Call;
use super::create_job::CreateJob;
use super::envelope::Answer;
use super::job_info::{JobInfo, StatusCount};
use super::paging::SearchRequest;
use super::small_devices;
use aldis_app::{App, Error};

/// Jobs and tasks share one path.
pub(super) const PATH: &[&str] = &["/connect-service/v2.5/commands"];
pub(super) const JOB_ID: &str = "The job's id";

pub(super) fn actions() -> Vec<Action> {
    vec![
        Action::change(
            PATH,
            &["createJob"],
            |app, call| Box::pin(create(app, call)),
            Doc::new("Create a command job; `data` is its id")
                .idempotent()
                .body::<CreateJob>()
                .answer::<String>(),
        ),
        Action::read(
            PATH,
            &["searchJob"],
            |app, call| Box::pin(search(app, call)),
            Doc::new("Search command jobs, newest first")
                .body::<SearchRequest>()
                .page::<JobInfo>(),
        ),
        Action::read(
            PATH,
            &["getJob"],
            |app, call| Box::pin(get(app, call)),
            Doc::new("A command job").needs("jobId", JOB_ID).answer::<JobInfo>(),
        ),
        Action::change(
            PATH,
            &["deleteJob"],
            |app, call| Box::pin(delete(app, call)),
            Doc::new("Delete a command job that has not triggered or is finished").needs("jobId", JOB_ID),
        ),
        Action::read(
            PATH,
            &["queryStatistics", "queryJobStatistics"],
            |app, call| Box::pin(statistics(app, call)),
            Doc::new("How many tasks of a command job stand where")
                .needs("jobId", JOB_ID)
                .answer::<StatusCount>(),
        ),
    ]
}

async fn create(app: App, call: Call) -> Result<Answer, Error> {
    let body: CreateJob = call.decode()?;
    let idempotency = call.idempotency(&app, "").await?;
    let without_effect = body.without_effect();
    let draft = body.read()?;
    let warning = small_devices::warning(&draft.command);
    let job = app.create_job(&call.caller, draft, idempotency).await?;
    Ok(Answer::data(&job.to_job_id())?
        .warned(without_effect)
        .warned(warning)
        .warned(app.clock_doubt()))
}

async fn search(app: App, call: Call) -> Result<Answer, Error> {
    let mut search = call.search::<JobField>()?;
    let found = app
        .search_jobs(&call.caller, search.filter.take(), search.page())
        .await?;
    search.answer(found, |job| Ok(JobInfo::from(job)))
}

async fn get(app: App, call: Call) -> Result<Answer, Error> {
    let job = app.job(&call.caller, call.required("jobId")?).await?;
    Answer::data(&JobInfo::from(job))
}

async fn delete(app: App, call: Call) -> Result<Answer, Error> {
    app.delete_job(&call.caller, call.required("jobId")?).await?;
    Ok(Answer::done())
}

async fn statistics(app: App, call: Call) -> Result<Answer, Error> {
    let detail = app.job(&call.caller, call.required("jobId")?).await?;
    Ok(Answer::data(&StatusCount::from(&detail.job))?.warned(failed_before(&detail.job)))
}

/// Cancelled tasks count as cancelled only, and may have failed before.
fn failed_before(job: &Job) -> Option<String> {
    let may_be = job.counters.of(State::Cancelled) > 0 && job.policy.retry.is_some();
    may_be.then(|| {
        "tasks that were cancelled while they waited for a retry count as canceled; the desc of each ends with the result of its \
         last attempt"
            .to_owned()
    })
}
