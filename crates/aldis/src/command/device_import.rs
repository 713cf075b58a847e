//! `aldis device import`: registers devices from a CSV file, a thousand at a time. Rows that the server refuses are told
//! with their line; the others stand.

use std::fs::File;
use std::path::{Path, PathBuf};

use aldis_client::{BatchEntry, Client, DeviceIds, NewDevice};
use anyhow::Context as _;
use clap::Args;
use csv::StringRecord;

use super::document::{read_text, value};
use crate::context::Context;
use crate::exit::{Outcome, usage};
use crate::pick::elements;
use crate::registration::CHUNK;

const TAG: &str = "deviceTags.";
const ATTRIBUTE: &str = "deviceAttributes.";

#[derive(Debug, Args)]
#[command(after_help = "\
Columns, in any order, named in the first line: productKey, deviceKey, deviceSecret, assetId, deviceName, timezone, deviceDesc,
deviceTags.NAME, deviceAttributes.NAME. All but productKey may be absent or empty; the server then makes keys and secrets.")]
pub(crate) struct Import {
    /// The CSV file; - for stdin
    file: PathBuf,
    /// The product of rows without productKey
    #[arg(long, value_name = "PRODUCT_KEY")]
    product: Option<String>,
    /// The time zone of rows without timezone: ±HH:MM or an IANA name
    #[arg(long, default_value = "+00:00", allow_hyphen_values = true)]
    timezone: String,
    /// Write the keys and secrets of all registered devices to this CSV file, as `aldis simulate --devices` reads it
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// A row of the file.
#[derive(Debug, PartialEq)]
struct Row {
    line: u64,
    device: NewDevice,
}

/// What stands for absent cells.
#[derive(Debug, Clone, Copy)]
struct Defaults<'a> {
    product: Option<&'a str>,
    timezone: &'a str,
}

/// How far an import has come.
#[derive(Debug, Default)]
struct Tally {
    registered: usize,
    refused: usize,
    entries: Vec<String>,
}

impl Import {
    pub(crate) async fn run(&self, context: &Context, client: &Client) -> anyhow::Result<Outcome> {
        let defaults = Defaults {
            product: self.product.as_deref(),
            timezone: &self.timezone,
        };
        let rows = parse(&read_text(&self.file)?, defaults)?;
        let mut output = self.output.as_deref().map(create).transpose()?;
        let mut tally = Tally::default();
        for chunk in rows.chunks(CHUNK) {
            let devices: Vec<_> = chunk.iter().map(|row| row.device.clone()).collect();
            let answer = client.create_devices(&devices).await.with_context(|| {
                let (first, registered) = (chunk.first().map_or(0, |row| row.line), tally.registered);
                format!("{registered} devices registered; nothing is known of line {first} and after")
            })?;
            if context.screen.json {
                tally.entries.extend(elements(answer.raw())?);
            }
            tally.take(context, chunk, &answer.data, output.as_mut())?;
        }
        if let Some(mut output) = output {
            output.flush()?;
        }
        tally.report(context)
    }
}

impl Tally {
    fn take(
        &mut self,
        context: &Context,
        rows: &[Row],
        entries: &[BatchEntry<DeviceIds>],
        mut output: Option<&mut csv::Writer<File>>,
    ) -> anyhow::Result<()> {
        for (row, entry) in rows.iter().zip(entries) {
            match &entry.data {
                Some(ids) if entry.code == 0 => {
                    self.registered += 1;
                    if let Some(output) = output.as_deref_mut() {
                        let secret = ids.device_secret.as_deref().unwrap_or_default();
                        output.write_record([&ids.product_key, &ids.device_key, secret, &ids.asset_id])?;
                    }
                }
                _ => {
                    self.refused += 1;
                    let told = format!("line {}: {} (code {})", row.line, entry.msg, entry.code);
                    context.screen.note(told)?;
                }
            }
        }
        Ok(())
    }

    fn report(self, context: &Context) -> anyhow::Result<Outcome> {
        let Self {
            registered,
            refused,
            entries,
        } = self;
        if context.screen.json {
            context.screen.line(format_args!("[{}]", entries.join(",")))?;
        } else {
            let total = registered + refused;
            context
                .screen
                .line(format_args!("{registered} of {total} devices registered"))?;
        }
        Ok(if refused == 0 { Outcome::Done } else { Outcome::NotAll })
    }
}

fn create(path: &Path) -> anyhow::Result<csv::Writer<File>> {
    let mut writer = csv::Writer::from_path(path).map_err(|error| usage(format!("{}: {error}", path.display())))?;
    writer.write_record(["productKey", "deviceKey", "deviceSecret", "assetId"])?;
    Ok(writer)
}

/// Reads the whole file before anything is registered, so that a mistake in it leaves nothing half done.
fn parse(text: &str, defaults: Defaults<'_>) -> anyhow::Result<Vec<Row>> {
    // Spreadsheets write a mark before the first letter.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(text.as_bytes());
    let columns = reader.headers().map_err(|error| usage(error.to_string()))?.clone();
    check_columns(&columns)?;
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    for record in reader.records() {
        match row(text, &columns, record, defaults) {
            Ok(row) => rows.push(row),
            Err(told) => wrong.push(told),
        }
    }
    if wrong.is_empty() {
        Ok(rows)
    } else {
        Err(usage(list(&wrong)))
    }
}

fn row(
    text: &str,
    columns: &StringRecord,
    record: csv::Result<StringRecord>,
    defaults: Defaults<'_>,
) -> Result<Row, String> {
    let record = record.map_err(|error| unreadable(text, &error))?;
    let line = record.position().map_or(0, |position| line_of(text, position));
    let device = device(columns, &record, defaults).map_err(|wrong| format!("line {line}: {wrong}"))?;
    Ok(Row { line, device })
}

/// How many wrong lines are named.
const NAMED: usize = 20;

fn list(wrong: &[String]) -> String {
    let text = wrong[..wrong.len().min(NAMED)].join("\n");
    if wrong.len() > NAMED {
        let more = wrong.len() - NAMED;
        return format!("{text}\nand {more} more lines; nothing was registered");
    }
    text + "\nnothing was registered"
}

fn unreadable(text: &str, error: &csv::Error) -> String {
    let line = error.position().map_or(0, |position| line_of(text, position));
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("line {line}: {expected_len} columns expected, found {len}")
        }
        _ => error.to_string(),
    }
}

/// The line that a record starts in. The reader's own position is that of the empty lines and remarks before it.
fn line_of(text: &str, position: &csv::Position) -> u64 {
    let start = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let rest = text.get(start..).unwrap_or_default();
    let skipped = rest.lines().take_while(|line| line.is_empty() || line.starts_with('#'));
    position.line() + u64::try_from(skipped.count()).unwrap_or(0)
}

fn check_columns(columns: &StringRecord) -> anyhow::Result<()> {
    const KNOWN: [&str; 7] = [
        "productKey",
        "deviceKey",
        "deviceSecret",
        "assetId",
        "deviceName",
        "timezone",
        "deviceDesc",
    ];
    let known = |name: &str| KNOWN.contains(&name) || name.starts_with(TAG) || name.starts_with(ATTRIBUTE);
    match columns.iter().find(|name| !known(name)) {
        Some(name) => Err(usage(format!(
            "line 1: unknown column `{name}`; known are {}, {TAG}NAME and {ATTRIBUTE}NAME\nnothing was registered",
            KNOWN.join(", ")
        ))),
        None => Ok(()),
    }
}

fn device(columns: &StringRecord, record: &StringRecord, defaults: Defaults<'_>) -> Result<NewDevice, String> {
    let mut device = NewDevice::new("", "");
    let mut name = None;
    let mut product = None;
    defaults.timezone.clone_into(&mut device.timezone);
    for (column, cell) in columns.iter().zip(record).filter(|(_, cell)| !cell.is_empty()) {
        let text = cell.to_owned();
        match column {
            "productKey" => product = Some(text),
            "deviceKey" => device.device_key = Some(text),
            "deviceSecret" => device.device_secret = Some(text),
            "assetId" => device.asset_id = Some(text),
            "deviceName" => name = Some(text),
            "timezone" => device.timezone = text,
            "deviceDesc" => device.device_desc = Some(text),
            _ => label(&mut device, column, cell),
        }
    }
    device.product_key = product
        .or_else(|| defaults.product.map(str::to_owned))
        .ok_or("productKey is missing; --product gives one to all rows")?;
    let name = name.or_else(|| device.device_key.clone());
    device.device_name = name.unwrap_or_else(|| "device".to_owned()).into();
    Ok(device)
}

fn label(device: &mut NewDevice, column: &str, cell: &str) {
    if let Some(tag) = column.strip_prefix(TAG) {
        let tags = device.device_tags.get_or_insert_default();
        tags.insert(tag.to_owned(), cell.to_owned());
    } else if let Some(attribute) = column.strip_prefix(ATTRIBUTE) {
        let attributes = device.device_attributes.get_or_insert_default();
        attributes.insert(attribute.to_owned(), value(cell));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const DEFAULTS: Defaults<'_> = Defaults {
        product: None,
        timezone: "+08:00",
    };

    fn refused(text: &str) -> String {
        parse(text, DEFAULTS).unwrap_err().to_string()
    }

    #[test]
    fn columns_stand_in_any_order_and_cells_may_be_empty() {
        let text = "\u{feff}deviceKey,productKey,deviceTags.floor,timezone,deviceAttributes.power,deviceName\n\
                    d1,p1,3,Europe/Berlin,30.5,\"Pump, old\"\n\n# a remark\n d2 , p1 ,,,,\n,p1,,,,\n";
        let rows = parse(text, DEFAULTS).unwrap();
        let lines: Vec<_> = rows.iter().map(|row| row.line).collect();
        assert_eq!(lines, [2, 5, 6]);
        let first = &rows[0].device;
        assert_eq!(
            (first.device_name.default_value.as_str(), first.timezone.as_str()),
            ("Pump, old", "Europe/Berlin")
        );
        assert_eq!(first.device_tags.as_ref().unwrap()["floor"], "3");
        assert_eq!(first.device_attributes.as_ref().unwrap()["power"], json!(30.5));
        let second = &rows[1].device;
        assert_eq!(
            (second.device_name.default_value.as_str(), second.timezone.as_str()),
            ("d2", "+08:00")
        );
        assert_eq!(
            (second.device_tags.as_ref(), rows[2].device.device_key.as_ref()),
            (None, None)
        );
    }

    #[test]
    fn the_product_may_come_from_a_flag() {
        let defaults = Defaults {
            product: Some("p9"),
            ..DEFAULTS
        };
        let rows = parse("deviceKey\nd1\n", defaults).unwrap();
        assert_eq!(rows[0].device.product_key, "p9");
        assert!(refused("deviceKey\nd1\n").starts_with("line 2: productKey is missing"));
    }

    #[test]
    fn mistakes_in_the_file_are_told_with_their_line() {
        assert!(refused("productKey,colour\np,red\n").contains("unknown column `colour`"));
        assert!(refused("productKey,deviceKey\np,d\np\n").contains("line 3: 2 columns expected, found 1"));
    }

    #[test]
    fn a_file_without_rows_registers_nothing() {
        assert_eq!(parse("productKey\n", DEFAULTS).unwrap(), []);
    }
}
