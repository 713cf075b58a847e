//! `aldis device export`: devices as a CSV file that `aldis device import` reads back.
//!
//! The names of tags and attributes are known only when the last device was seen: the devices wait in a passing file.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, BufWriter, Seek as _, Write as _};
use std::path::PathBuf;

use aldis_client::{Client, Device, Pages};
use aldis_core::expression::DeviceField;
use clap::Args;
use serde_json::Value;

use super::device_import::rows::{ATTRIBUTE, COLUMNS, NAME_IN, TAG};
use crate::context::Context;
use crate::exit::Outcome;
use crate::filter::Filter;
use crate::sheet::Sheet;
use crate::whole_file::{Existing, Readers, Sink};

#[derive(Debug, Args)]
#[command(after_help = "\
A cell that a spreadsheet would run or shorten has an apostrophe in front, which `aldis device import` takes away again.")]
pub(crate) struct Export {
    /// Only the devices of this product
    #[arg(long, value_name = "PRODUCT_KEY")]
    product: Option<String>,
    /// Only devices that match this expression of the API
    #[arg(long = "where", value_name = "EXPRESSION")]
    expression: Option<String>,
    /// With the devices' secrets; a file is then for its owner only
    #[arg(long)]
    secrets: bool,
    /// Where to, a new file; stdout if absent
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The columns whose names come from the devices.
#[derive(Debug, Default)]
struct ColumnNames {
    locales: BTreeSet<String>,
    tags: BTreeSet<String>,
    attributes: BTreeSet<String>,
}

impl Export {
    pub(crate) async fn run(&self, context: &Context, client: &Client) -> anyhow::Result<Outcome> {
        let readers = if self.secrets { Readers::Owner } else { Readers::AsUsual };
        let sink = Sink::open(self.output.as_deref(), Existing::Refused, readers)?;
        let filter = Filter::<DeviceField>::starting_with(self.expression.as_deref())
            .equals("productKey", self.product.as_deref());
        let expression = filter.expression()?;
        let devices = if self.secrets {
            client.devices_with_secrets(expression.as_deref())
        } else {
            client.devices(expression.as_deref())
        };
        let mut spool = tempfile::tempfile()?;
        let (named, count) = collect(devices, &mut spool).await?;
        spool.rewind()?;
        let mut sheet = Sheet::new(sink, named.head(self.secrets))?;
        for line in BufReader::new(spool).lines() {
            let device: Device = serde_json::from_str(&line?)?;
            sheet.row(named.cells(&device, self.secrets))?;
        }
        sheet.finish()?.finish()?;
        context.screen.note(format_args!("{count} devices exported"));
        Ok(Outcome::Done)
    }
}

async fn collect(mut devices: Pages<Device>, spool: &mut std::fs::File) -> anyhow::Result<(ColumnNames, u64)> {
    let (mut named, mut count) = (ColumnNames::default(), 0);
    let mut spool = BufWriter::new(spool);
    while let Some(device) = devices.next().await? {
        named.learn(&device);
        count += 1;
        serde_json::to_writer(&mut spool, &device)?;
        spool.write_all(b"\n")?;
    }
    spool.flush()?;
    Ok((named, count))
}

impl ColumnNames {
    fn learn(&mut self, device: &Device) {
        let tags = device.device_tags.iter().flatten();
        let attributes = device.device_attributes.iter().flatten();
        add(&mut self.locales, device.device_name.i18n_value.keys());
        add(&mut self.tags, tags.map(|(name, _)| name));
        add(&mut self.attributes, attributes.map(|(name, _)| name));
    }

    fn head(&self, secrets: bool) -> Vec<String> {
        let fixed = COLUMNS.iter().filter(|name| secrets || **name != "deviceSecret");
        let mut head: Vec<String> = fixed.map(|name| (*name).to_owned()).collect();
        for (prefix, names) in [
            (NAME_IN, &self.locales),
            (TAG, &self.tags),
            (ATTRIBUTE, &self.attributes),
        ] {
            head.extend(names.iter().map(|name| format!("{prefix}{name}")));
        }
        head
    }

    fn cells(&self, device: &Device, secrets: bool) -> Vec<String> {
        let optional = |value: &Option<String>| value.clone().unwrap_or_default();
        let mut cells = vec![device.product_key.clone(), device.device_key.clone()];
        cells.extend(secrets.then(|| device.device_secret.clone().map(String::from).unwrap_or_default()));
        cells.extend([
            device.asset_id.clone(),
            device.device_name.default_value.clone(),
            optional(&device.timezone),
            optional(&device.device_desc),
        ]);
        let name = |locale| device.device_name.i18n_value.get(locale).cloned();
        let tag = |name| device.device_tags.as_ref().and_then(|tags| tags.get(name)).cloned();
        let attribute = |name: &String| {
            device
                .device_attributes
                .as_ref()
                .and_then(|all| all.get(name))
                .map(text)
        };
        cells.extend(self.locales.iter().map(|locale| name(locale).unwrap_or_default()));
        cells.extend(self.tags.iter().map(|name| tag(name).unwrap_or_default()));
        cells.extend(self.attributes.iter().map(|name| attribute(name).unwrap_or_default()));
        cells
    }
}

fn add<'a>(names: &mut BTreeSet<String>, more: impl Iterator<Item = &'a String>) {
    for name in more {
        if !names.contains(name) {
            names.insert(name.clone());
        }
    }
}

/// A text as it is, all else as JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
