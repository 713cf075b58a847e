//! What is asked about a job with very many tasks, while nothing else happens and while jobs for others run.

use std::time::{Duration, Instant};

use aldis_client::Search;
use anyhow::{Context as _, ensure};

use super::absent::Absent;
use super::busy::{Busy, beside};
use super::caller::{Caller, Signer};
use super::row::Row;
use super::world::World;

const COMMANDS: &str = "/connect-service/v2.5/commands";
/// The most that the API gives.
const PAGE: u64 = 1_000;
/// Tasks that one call cancels.
const CANCELLED_AT_ONCE: usize = 100;

struct Question {
    what: String,
    query: String,
    body: String,
}

pub(super) async fn measure(
    world: &World,
    absent: &Absent,
    job: &str,
    calls: u32,
    busy: usize,
) -> anyhow::Result<Vec<Row>> {
    let scattered = scatter(world, absent, job).await?;
    let questions = questions(world, absent, job, scattered).await?;
    let mut rows = asked(world, &questions, calls, "idle").await?;
    if busy > 0 {
        let mut others = Busy::start(world, busy).await?;
        let what = format!("{busy} devices busy");
        rows.extend(beside(others.keep_busy(world), asked(world, &questions, calls, &what)).await?);
    }
    Ok(rows)
}

/// Cancels one task of every thousand, so that the job's tasks are not all alike; says how many.
async fn scatter(world: &World, absent: &Absent, job: &str) -> anyhow::Result<u64> {
    let of_job = format!("jobId = '{job}'");
    let mut some = Vec::new();
    for page in 1..=absent.count.div_ceil(PAGE) {
        let last_of_page = Search::page(Some(&of_job), page * PAGE, 1);
        some.extend(world.client.search_tasks(&last_of_page).await?.data);
    }
    let some: Vec<String> = some.into_iter().map(|task| task.task_id).collect();
    for ids in some.chunks(CANCELLED_AT_ONCE) {
        world.client.cancel_tasks(job, Some(ids)).await?;
    }
    Ok(some.len() as u64)
}

async fn asked(world: &World, questions: &[Question], calls: u32, state: &str) -> anyhow::Result<Vec<Row>> {
    let signer = Signer::new(world.server.http, &world.server.key()?).await?;
    let mut caller = Caller::connect(world.server.http, Some(signer)).await?;
    let mut rows = Vec::new();
    for question in questions {
        let mut durations = Vec::new();
        for _ in 0..calls {
            let begun = Instant::now();
            let answer = caller.post(COMMANDS, &question.query, &question.body).await?;
            durations.push(begun.elapsed());
            let head = String::from_utf8_lossy(&answer[..answer.len().min(200)]);
            ensure!(head.contains(r#""code":0,"#), "{} was refused: {head}", question.what);
            // Slow ones are known well enough after fewer calls.
            if durations.len() >= ENOUGH && durations.iter().sum::<Duration>() > LONG {
                break;
            }
        }
        rows.push(Row::calls(format!("{}, {state}", question.what), durations));
    }
    Ok(rows)
}

/// Calls of one kind that may take [`LONG`] together.
const ENOUGH: usize = 20;
const LONG: Duration = Duration::from_secs(5);

async fn questions(world: &World, absent: &Absent, job: &str, cancelled: u64) -> anyhow::Result<Vec<Question>> {
    let of_job = format!("jobId = '{job}'");
    let any = world
        .client
        .search_tasks(&Search::page(Some(&of_job), 1, 1))
        .await?
        .data;
    let task = any.into_iter().next().context("the job has no task")?;
    let created = task.create_timestamp;
    let asset = task.asset_id.as_deref().context("the device has no asset")?;
    let product = task.product_key.as_deref().context("the device has no product")?;
    let device = &absent.last.device_key;
    let last_page = absent.count.div_ceil(PAGE);
    let last_waiting = (absent.count - cancelled).div_ceil(PAGE);
    let org = world.client.org_id();
    let about = |what: &str, query: String| Question {
        what: what.to_owned(),
        query,
        body: String::new(),
    };
    let found = |what: &str, expression: String, page_no: u64, page_size: u64| {
        Ok(Question {
            what: format!("searchTask {what}"),
            query: format!("action=searchTask&orgId={org}"),
            body: serde_json::to_string(&Search::page(Some(&expression), page_no, page_size))?,
        })
    };
    let mut all = vec![
        about(
            "queryStatistics",
            format!("action=queryStatistics&orgId={org}&jobId={job}"),
        ),
        about("getJob", format!("action=getJob&orgId={org}&jobId={job}")),
    ];
    let searches: anyhow::Result<Vec<Question>> = [
        found("jobId, page 1", of_job.clone(), 1, PAGE),
        found(&format!("jobId, page {last_page}"), of_job.clone(), last_page, PAGE),
        found(
            "jobId + status QUEUED, page 1",
            format!("{of_job} and status = 'QUEUED'"),
            1,
            PAGE,
        ),
        found(
            &format!("jobId + status QUEUED, page {last_waiting}"),
            format!("{of_job} and status = 'QUEUED'"),
            last_waiting,
            PAGE,
        ),
        found(
            &format!("jobId + status CANCELLED, one in {PAGE} tasks"),
            format!("{of_job} and status = 'CANCELLED'"),
            1,
            PAGE,
        ),
        found(
            "jobId + status FAILED",
            format!("{of_job} and status = 'FAILED'"),
            1,
            PAGE,
        ),
        found("taskId", format!("taskId = '{}'", task.task_id), 1, 10),
        found("assetId", format!("assetId = '{asset}'"), 1, 10),
        found(
            "productKey + deviceKey",
            format!("productKey = '{product}' and deviceKey = '{device}'"),
            1,
            10,
        ),
        found(
            "jobId + createTime",
            format!("{of_job} and createTime >= {created}"),
            1,
            PAGE,
        ),
        found("createTime", format!("createTime >= {created}"), 1, PAGE),
        found("status QUEUED", "status = 'QUEUED'".to_owned(), 1, PAGE),
        found("productKey", format!("productKey = '{product}'"), 1, PAGE),
        found(
            "jobId + not deviceKey",
            format!("{of_job} and deviceKey != '{device}'"),
            1,
            PAGE,
        ),
        found(
            "status or deviceKey",
            format!("status = 'FAILED' or deviceKey = '{device}'"),
            1,
            PAGE,
        ),
    ]
    .into_iter()
    .collect();
    all.extend(searches?);
    Ok(all)
}
