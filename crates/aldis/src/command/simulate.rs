//! `aldis simulate`: a fleet of simulated devices on real MQTT sockets, as good or bad as told. Runs until a signal, or
//! as long as told, and then says what happened.

mod fleet_file;
mod odds;
mod product;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use aldis_simulator::{Counts, DeviceIdentity, Fleet, FleetHandle, FleetOptions, Subscribes};
use anyhow::ensure;
use clap::{ArgGroup, Args};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use self::product::{Wanted, simulated};
use crate::context::Context;
use crate::exit::{Outcome, usage};
use crate::interrupt::interrupted;
use crate::open_files::make_room_for;
use crate::registration::register;
use crate::screen::facts;

/// How often the figures on the terminal change.
const LOOK_EVERY: Duration = Duration::from_millis(250);

#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("who").args(["devices", "product"]).required(true),
    after_help = "\
Examples:
  aldis simulate --product pump --count 1000 --register --latency 50..500 --failure 0.05
  aldis simulate --devices fleet.csv --silence 0.1 --lost-link 0.02 --doubled 0.1 --late 0.05 --late-by 30000..60000"
)]
pub(crate) struct Simulate {
    /// Where devices connect
    #[arg(long, value_name = "ADDR", env = "ALDIS_MQTT", default_value = "127.0.0.1:11883")]
    mqtt: String,
    /// The devices: a CSV file or a JSON array with productKey, deviceKey and deviceSecret; - for stdin
    #[arg(long, value_name = "FILE")]
    devices: Option<PathBuf>,
    /// The devices of this product, asked for over the API; none that is in use, unless --take-over
    #[arg(long, value_name = "PRODUCT_KEY")]
    product: Option<String>,
    /// How many of them; all if absent
    #[arg(long, value_name = "N")]
    count: Option<usize>,
    /// Register what the product lacks, with the tag `simulated`
    #[arg(long, requires_all = ["product", "count"])]
    register: bool,
    /// Also simulate devices that are online, or that were activated by something else than a simulation: their
    /// sessions end, and their commands are answered here
    #[arg(long, requires = "product")]
    take_over: bool,
    /// Stop after this many seconds; at SIGINT or SIGTERM if absent
    #[arg(long = "for", value_name = "SECONDS")]
    seconds: Option<u64>,
    /// Devices that connect at the same time
    #[arg(long, value_name = "N", default_value_t = 200)]
    parallel: usize,
    /// Behave like the vendor's C library, which loses commands that come before its SUBACK
    #[arg(long)]
    subscribe: bool,
    #[command(flatten)]
    odds: odds::Odds,
}

impl Simulate {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let model = self.odds.model()?;
        let mqtt = self.address().await?;
        let mut identities = self.identities(context).await?;
        identities.truncate(self.count.unwrap_or(usize::MAX));
        ensure!(!identities.is_empty(), "there is no device to simulate");
        make_room_for(identities.len())?;
        let options = FleetOptions {
            parallel_connects: self.parallel,
            subscribes: if self.subscribe {
                Subscribes::LikeC
            } else {
                Subscribes::Never
            },
            ..FleetOptions::with(model)
        };
        let fleet = Fleet::start(mqtt, identities, options)?;
        self.watch(&fleet).await?;
        let counts = fleet.counts();
        fleet.stop().await;
        report(context, &counts)?;
        Ok(if counts.accepted > 0 {
            Outcome::Done
        } else {
            Outcome::NotAll
        })
    }

    async fn address(&self) -> anyhow::Result<SocketAddr> {
        let mut found = tokio::net::lookup_host(&self.mqtt)
            .await
            .map_err(|error| usage(format!("--mqtt {}: {error}", self.mqtt)))?;
        found
            .next()
            .ok_or_else(|| usage(format!("--mqtt {}: no address", self.mqtt)))
    }

    async fn identities(&self, context: &Context) -> anyhow::Result<Vec<DeviceIdentity>> {
        if let Some(file) = &self.devices {
            return fleet_file::read(file);
        }
        let product = self.product.as_deref().unwrap_or_default();
        let client = context.client()?;
        let wanted = Wanted {
            product,
            count: self.count,
            take_over: self.take_over,
        };
        let mut found = wanted.devices(&client).await?;
        match self.count {
            Some(count) if found.identities.len() < count && self.register => {
                let more = vec![simulated(product); count - found.identities.len()];
                found.identities.extend(register(&client, &more).await?);
            }
            Some(count) => found.demand(product, count)?,
            None => found.demand_all(product)?,
        }
        if let Some(warning) = found.warning() {
            context.screen.note(warning);
        }
        Ok(found.identities)
    }

    /// Shows the figures until it is time to stop.
    async fn watch(&self, fleet: &FleetHandle) -> anyhow::Result<()> {
        let interrupted = interrupted()?;
        let end = async {
            match self.seconds {
                Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
                None => std::future::pending().await,
            }
        };
        let bar = ProgressBar::no_length().with_style(style());
        let show = async {
            loop {
                bar.set_message(summary(fleet.size(), &fleet.counts()));
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::select! {
            () = end => {}
            () = interrupted => {}
            () = show => {}
        }
        bar.finish_and_clear();
        Ok(())
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{elapsed_precise} {msg}").expect("the template is constant and right")
}

fn summary(size: usize, counts: &Counts) -> String {
    let Counts {
        connected,
        commands,
        replies,
        lost,
        refused,
        ..
    } = counts;
    format!(
        "{connected}/{size} connected  {commands} commands  {replies} replies  {lost} links lost  {refused} refused"
    )
}

fn report(context: &Context, counts: &Counts) -> anyhow::Result<()> {
    if context.screen.json {
        let figures = json!({
            "connected": counts.connected, "accepted": counts.accepted, "reconnected": counts.reconnected,
            "putOff": counts.put_off, "refused": counts.refused, "unreachable": counts.unreachable,
            "lost": counts.lost, "commands": counts.commands, "pubacks": counts.pubacks, "replies": counts.replies,
            "repliesAcknowledged": counts.replies_acknowledged, "repliesRepeated": counts.replies_repeated,
        });
        return Ok(context.screen.line(figures)?);
    }
    let figure = |number: u64| Some(number.to_string());
    context.screen.line(facts([
        ("connected at the end", figure(counts.connected)),
        ("connections accepted", figure(counts.accepted)),
        ("of these, again", figure(counts.reconnected)),
        ("connections refused", figure(counts.refused)),
        ("connections failed", figure(counts.unreachable)),
        ("links lost", figure(counts.lost)),
        ("commands received", figure(counts.commands)),
        ("replies sent", figure(counts.replies)),
        ("replies acknowledged", figure(counts.replies_acknowledged)),
        ("replies repeated", figure(counts.replies_repeated)),
    ]))?;
    Ok(())
}
