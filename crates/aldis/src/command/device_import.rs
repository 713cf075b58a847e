//! `aldis device import`: registers devices from a CSV file, a thousand at a time. Rows that the server refuses are
//! told with their line; the others stand.

mod checks;
mod known;
pub(crate) mod rows;

use std::collections::BTreeSet;
use std::path::PathBuf;

use aldis_client::{BatchEntry, Client, DeviceIds};
use anyhow::Context as _;
use clap::Args;

use self::rows::{Defaults, Row, Rows, parse, refusal};
use super::document::read_text;
use crate::context::Context;
use crate::exit::Outcome;
use crate::pick::elements;
use crate::registration::CHUNK;
use crate::sheet::Sheet;
use crate::typed::{Models, definition, typed};
use crate::whole_file::{Existing, Readers, Sink};

#[derive(Debug, Args)]
#[command(after_help = "\
Columns, in any order, named in the first line: productKey, deviceKey, deviceSecret, assetId, deviceName, deviceName.LOCALE,
timezone, deviceDesc, deviceTags.NAME, deviceAttributes.NAME. Only productKey (or --product) and one of deviceKey and
deviceName are needed; the server makes the other keys and the secret. Every line is a device: there are no remarks.

An attribute is read as the thing model has it, every digit of a number as it stands; one that the model does not know is a
text. The file is UTF-8 with commas. `aldis device export` writes such a file.")]
pub(crate) struct Import {
    /// The CSV file; - for stdin
    file: PathBuf,
    /// The product of rows without productKey
    #[arg(long, value_name = "PRODUCT_KEY")]
    product: Option<String>,
    /// The time zone of rows without timezone: ±HH:MM or an IANA name
    #[arg(long, default_value = "+00:00", allow_hyphen_values = true)]
    timezone: String,
    /// Write the keys and secrets of the devices that are registered to this new CSV file, as `aldis simulate
    /// --devices` reads it; only its owner can read it
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Check the file, and whether its products and devices are there; register nothing. Whether an asset id is free,
    /// and a product full, shows when devices are registered
    #[arg(long, conflicts_with = "output")]
    dry_run: bool,
    /// Pass over rows whose device is registered already
    #[arg(long)]
    skip_existing: bool,
}

/// How far an import has come.
#[derive(Debug, Default)]
struct Tally {
    registered: usize,
    refused: usize,
    skipped: usize,
    entries: Vec<String>,
}

type Output = Option<Sheet<Sink>>;

impl Import {
    pub(crate) async fn run(&self, context: &Context, client: &Client) -> anyhow::Result<Outcome> {
        let defaults = Defaults {
            product: self.product.as_deref(),
            timezone: &self.timezone,
        };
        let Rows { mut rows, empty } = parse(&read_text(&self.file)?, defaults)?;
        note_empty(context, &empty);
        read_attributes(context, client, &mut rows).await?;
        let mut tally = Tally::default();
        if self.dry_run || self.skip_existing {
            self.compare(context, client, &mut rows, &mut tally).await?;
        }
        if self.dry_run {
            return self.report_dry_run(context, rows.len(), &tally);
        }
        let mut output = self.output()?;
        let ended = register(context, client, &rows, &mut tally, &mut output).await;
        // Also after a failure: an operator waits for the secrets of what was registered.
        if let Some(output) = output.filter(|_| ended.is_ok() || tally.registered > 0) {
            let written = output.finish().and_then(|sink| Ok(sink.finish()?));
            ended.and_then(|()| written.with_context(|| unwritten(tally.registered)))?;
        } else {
            ended?;
        }
        tally.report(context)
    }

    fn output(&self) -> anyhow::Result<Output> {
        let Some(path) = &self.output else { return Ok(None) };
        let sink = Sink::open(Some(path), Existing::Refused, Readers::Owner)?;
        Sheet::new(sink, ["productKey", "deviceKey", "deviceSecret", "assetId"]).map(Some)
    }

    /// Takes out the rows whose devices are there already; without `--skip-existing` they are what would be refused. A
    /// row that repeats another of the file stays for the server to refuse, and is told in a dry run.
    async fn compare(
        &self,
        context: &Context,
        client: &Client,
        rows: &mut Vec<Row>,
        tally: &mut Tally,
    ) -> anyhow::Result<()> {
        let known = known::registered(client, rows).await?;
        let mut there: Vec<(u64, String)> = Vec::new();
        rows.retain(|row| {
            let is_there = row.keys().is_some_and(|keys| known.contains(&keys));
            there.extend(is_there.then(|| (row.line, "the device is registered already".to_owned())));
            !is_there
        });
        if self.skip_existing {
            tally.skipped = there.len();
            there.clear();
        }
        if self.dry_run {
            let products = known::products(client, rows).await?;
            let mut seen = known;
            rows.retain(|row| {
                let wrong = if !products.contains(&row.device.product_key) {
                    Some(format!("there is no product {}", row.device.product_key))
                } else if row.keys().is_some_and(|keys| !seen.insert(keys)) {
                    Some("an earlier line has the same deviceKey".to_owned())
                } else {
                    checks::wrong(&row.device)
                };
                let is_right = wrong.is_none();
                there.extend(wrong.map(|wrong| (row.line, wrong)));
                is_right
            });
        }
        tally.refused = there.len();
        there.sort_unstable();
        for (line, told) in there {
            context.screen.note(format_args!("line {line}: {told}"));
        }
        Ok(())
    }

    fn report_dry_run(&self, context: &Context, new: usize, tally: &Tally) -> anyhow::Result<Outcome> {
        let total = new + tally.refused + tally.skipped;
        let text = format!("{new} of {total} devices would be registered{}", tally.skipped_text());
        if context.screen.json {
            context.screen.note(text);
        } else {
            context.screen.line(text)?;
        }
        Ok(tally.outcome())
    }
}

async fn register(
    context: &Context,
    client: &Client,
    rows: &[Row],
    tally: &mut Tally,
    output: &mut Output,
) -> anyhow::Result<()> {
    for chunk in rows.chunks(CHUNK) {
        let devices: Vec<_> = chunk.iter().map(|row| row.device.clone()).collect();
        let answer = client.create_devices(&devices).await.with_context(|| {
            let (first, registered) = (chunk.first().map_or(0, |row| row.line), tally.registered);
            format!("{registered} devices registered; nothing is known of line {first} and after")
        })?;
        if context.screen.json {
            tally.entries.extend(elements(answer.raw())?);
        }
        tally.take(context, chunk, &answer.data);
        if let Some(sheet) = output {
            write(sheet, &answer.data).with_context(|| unwritten(tally.registered))?;
        }
    }
    Ok(())
}

/// The devices stand although the file of their secrets does not.
fn unwritten(registered: usize) -> String {
    format!(
        "{registered} devices are registered, and --output could not be written; `aldis device export --secrets` writes \
         their secrets"
    )
}

/// Writes keys and secrets of those that were registered.
fn write(sheet: &mut Sheet<Sink>, entries: &[BatchEntry<DeviceIds>]) -> anyhow::Result<()> {
    let registered = entries.iter().filter(|entry| entry.code == 0);
    for ids in registered.filter_map(|entry| entry.data.as_ref()) {
        let secret = ids.device_secret.as_deref().map(String::as_str).unwrap_or_default();
        sheet.row([&*ids.product_key, &ids.device_key, secret, &ids.asset_id])?;
    }
    Ok(())
}

fn note_empty(context: &Context, empty: &[u64]) {
    if let [first, ..] = empty {
        context.screen.note(format_args!(
            "note: {} without any content, the first of them line {first}, are no devices",
            lines(empty.len())
        ));
    }
}

fn lines(count: usize) -> String {
    if count == 1 {
        "1 line".to_owned()
    } else {
        format!("{count} lines")
    }
}

/// Reads the rows' attributes as the models of their products have them.
async fn read_attributes(context: &Context, client: &Client, rows: &mut [Row]) -> anyhow::Result<()> {
    let mut models = Models::new(client);
    let (mut wrong, mut unknown) = (Vec::new(), BTreeSet::new());
    for row in rows.iter_mut().filter(|row| !row.attributes.is_empty()) {
        let model = models.of(&row.device.product_key).await?;
        let known = model.and_then(|model| model.attributes.as_ref());
        let attributes = row.device.device_attributes.get_or_insert_default();
        for (name, text) in std::mem::take(&mut row.attributes) {
            let value = match definition(known, &name) {
                Some(definition) => typed(&text, definition),
                None => {
                    unknown.insert((row.device.product_key.clone(), name.clone()));
                    Ok(text.into())
                }
            };
            match value {
                Ok(value) => drop(attributes.insert(name, value)),
                Err(told) => wrong.push(format!("line {}: deviceAttributes.{name}: {told}", row.line)),
            }
        }
    }
    if !wrong.is_empty() {
        return Err(refusal(&wrong));
    }
    for (product, name) in unknown {
        context.screen.note(format_args!(
            "note: the thing model of {product} has no attribute `{name}`: it is registered as text"
        ));
    }
    Ok(())
}

impl Tally {
    fn take(&mut self, context: &Context, rows: &[Row], entries: &[BatchEntry<DeviceIds>]) {
        for (row, entry) in rows.iter().zip(entries) {
            if entry.code == 0 && entry.data.is_some() {
                self.registered += 1;
            } else {
                self.refused += 1;
                let told = format!("line {}: {} (code {})", row.line, entry.msg, entry.code);
                context.screen.note(told);
            }
        }
    }

    fn report(self, context: &Context) -> anyhow::Result<Outcome> {
        if context.screen.json {
            context.screen.line(format_args!("[{}]", self.entries.join(",")))?;
        } else {
            let total = self.registered + self.refused + self.skipped;
            let (registered, skipped) = (self.registered, self.skipped_text());
            context
                .screen
                .line(format_args!("{registered} of {total} devices registered{skipped}"))?;
        }
        Ok(self.outcome())
    }

    fn skipped_text(&self) -> String {
        match self.skipped {
            0 => String::new(),
            skipped => format!(", {skipped} were there already"),
        }
    }

    fn outcome(&self) -> Outcome {
        if self.refused == 0 {
            Outcome::Done
        } else {
            Outcome::NotAll
        }
    }
}
