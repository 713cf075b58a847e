//! `aldis demo`: the main job from end to end with nothing prepared: a server of its own, a product, simulated devices
//! on real MQTT sockets, the specification page's request and a whole-product job; then every task is compared with the
//! plan.

mod fleet;
mod page;
mod stage;
mod verdict;
mod whole;
mod world;

use std::path::Path;
use std::time::Instant;

use aldis_client::StatusCount;
use clap::Args;
use serde_json::json;

use self::stage::{Stage, in_words};
use self::world::World;
use crate::context::Context;
use crate::exit::Outcome;
use crate::interrupt::interrupted;
use crate::local_server::LocalServer;
use crate::open_files::make_room_for;

/// How many differences are shown.
const SHOWN: usize = 10;

#[derive(Debug, Args)]
#[command(after_help = "\
Everything happens in a temporary directory and on free ports; --url and --key-file play no part.
Exit code 0 only if every task ended as it must and every attempt reached its device exactly once.")]
pub(crate) struct Demo {
    /// How many devices are simulated
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    devices: u32,
    /// Leave server and devices running until Ctrl-C, and the data afterwards, to look around
    #[arg(long)]
    keep: bool,
}

/// What came of it.
struct Shown {
    page_job: String,
    whole_job: String,
    count: StatusCount,
    attempts: u64,
    wrong: Vec<String>,
    seconds: f64,
}

impl Demo {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<Outcome> {
        let interrupted = interrupted()?;
        tokio::pin!(interrupted);
        let stage = Stage::new(context.screen.json);
        let devices = usize::try_from(self.devices)?;
        make_room_for(devices)?;
        let begun = Instant::now();
        stage.heading(format_args!(
            "1  A server of its own  (aldis {})",
            env!("CARGO_PKG_VERSION")
        ));
        let started = tokio::select! {
            biased;
            () = &mut interrupted => return stopped(context),
            started = LocalServer::start("demo", None) => started,
        };
        let server = started?;
        stage.show("callers", server.url());
        stage.show("devices", server.mqtt);
        let shown = tokio::select! {
            biased;
            () = &mut interrupted => return stopped(context),
            shown = show(stage, &server, devices, begun) => shown,
        };
        let (world, shown) = shown.map_err(|error| error.context(server.end_of_log()))?;
        if context.screen.json {
            context.screen.line(shown.summary())?;
        }
        shown.conclude(stage);
        if self.keep {
            let server = server.keep();
            stage.block(&around(&server, &shown));
            interrupted.await;
            world.fleet.stop().await;
        }
        Ok(if shown.wrong.is_empty() {
            Outcome::Done
        } else {
            Outcome::NotAll
        })
    }
}

fn stopped(context: &Context) -> anyhow::Result<Outcome> {
    context.screen.note("\nstopped before the end");
    Ok(Outcome::NotAll)
}

async fn show(stage: Stage, server: &LocalServer, devices: usize, begun: Instant) -> anyhow::Result<(World, Shown)> {
    let client = server.client()?;
    stage.heading("2  A product and its devices");
    let mut world = world::build(stage, server, &client, devices).await?;
    stage.heading("3  The request of the specification page");
    let (page_job, mut wrong) = page::show(stage, &client, &mut world).await?;
    stage.heading(format_args!("4  One job for the whole product: {devices} devices"));
    let (whole_job, count, tasks) = whole::run(stage, &client, devices).await?;
    let records = world.journal.records();
    let verdict = verdict::judge(&world.devices, &tasks, count, &records, 1);
    stage.block(&verdict.table());
    stage.show("counted", format_args!("{} tasks: {}", count.total, in_words(&count)));
    wrong.extend(verdict.wrong.iter().cloned());
    let shown = Shown {
        page_job,
        whole_job,
        count,
        attempts: verdict.attempts(),
        wrong,
        seconds: begun.elapsed().as_secs_f64(),
    };
    Ok((world, shown))
}

impl Shown {
    fn conclude(&self, stage: Stage) {
        let Self {
            count,
            attempts,
            wrong,
            seconds,
            ..
        } = self;
        if wrong.is_empty() {
            let (tasks, attempts) = (count.total + 1, attempts + 1);
            let text = format!(
                "✔ All {tasks} tasks ended as they must, and each of {attempts} attempts reached its device exactly once. \
                 {seconds:.1} s"
            );
            return stage.say(format_args!("\n{}", stage.good(text)));
        }
        stage.say(format_args!(
            "\n{}",
            stage.bad(format_args!("✘ {} things are not as they must be:", wrong.len()))
        ));
        for told in wrong.iter().take(SHOWN) {
            stage.say(format_args!("  {told}"));
        }
    }

    fn summary(&self) -> serde_json::Value {
        json!({
            "pageJobId": self.page_job, "productJobId": self.whole_job, "statistics": self.count,
            "attempts": self.attempts, "asPlanned": self.wrong.is_empty(), "wrong": self.wrong, "seconds": self.seconds,
        })
    }
}

/// What one may try now.
fn around(server: &LocalServer, shown: &Shown) -> String {
    let program = program();
    let (url, mqtt, key) = (server.url(), server.mqtt, server.key_file());
    let (job, key, data) = (&shown.whole_job, key.display(), server.data());
    let data = data.display();
    format!(
        "
Server and devices stay until Ctrl-C. To look around, in another terminal:

  export ALDIS_URL={url} ALDIS_MQTT={mqtt} ALDIS_KEY_FILE={key}
  {program} job list
  {program} task list --job {job} --status FAILED --status RSP_TIMEOUT --status TTL_TIMEOUT
  {program} job retry {job} && {program} job watch {job}
  {program} job create --service serviceId --input '{{\"input\": 22}}' --product productKey --watch
  {program} job export {job} --format csv

The data stay after Ctrl-C: {program} serve --data-dir {data}"
    )
}

/// How this program can be called from where the caller stands.
fn program() -> String {
    let Ok(program) = std::env::current_exe() else {
        return "aldis".to_owned();
    };
    let here = std::env::current_dir().unwrap_or_default();
    let shown = program
        .strip_prefix(&here)
        .map_or(program.as_path(), |path: &Path| path);
    shown.display().to_string()
}
