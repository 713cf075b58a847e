//! The rows of a CSV file of devices. A cell is text, as it was written; what it means for the thing model is decided
//! later.

use std::collections::BTreeSet;

use aldis_client::NewDevice;
use csv::StringRecord;

use crate::exit::usage;
use crate::sheet::unmarked;

/// Prefix of columns that are tags.
pub(crate) const TAG: &str = "deviceTags.";
/// Prefix of columns that are attributes.
pub(crate) const ATTRIBUTE: &str = "deviceAttributes.";
/// Prefix of columns that are names in other languages.
pub(crate) const NAME_IN: &str = "deviceName.";
/// All other columns.
pub(crate) const COLUMNS: [&str; 7] = [
    "productKey",
    "deviceKey",
    "deviceSecret",
    "assetId",
    "deviceName",
    "timezone",
    "deviceDesc",
];
/// How many wrong lines are named.
const NAMED: usize = 20;

/// A row of the file.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    /// Where it begins, from 1.
    pub(super) line: u64,
    /// The device, without its attributes.
    pub(super) device: NewDevice,
    /// Attributes as text.
    pub(super) attributes: Vec<(String, String)>,
}

impl Row {
    /// Product and key, if the row names a key.
    pub(super) fn keys(&self) -> Option<(String, String)> {
        let key = self.device.device_key.clone()?;
        Some((self.device.product_key.clone(), key))
    }
}

/// What stands for absent cells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Defaults<'a> {
    pub(super) product: Option<&'a str>,
    pub(super) timezone: &'a str,
}

/// What a file has.
#[derive(Debug, PartialEq, Default)]
pub(super) struct Rows {
    /// Its devices.
    pub(super) rows: Vec<Row>,
    /// Lines with nothing but empty cells, as spreadsheets leave them.
    pub(super) empty: Vec<u64>,
}

/// Reads the whole file before anything is registered, so that a mistake in it leaves nothing half done.
pub(super) fn parse(text: &str, defaults: Defaults<'_>) -> anyhow::Result<Rows> {
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let columns = reader.headers().map_err(|error| usage(error.to_string()))?;
    let columns: Vec<String> = columns.iter().map(|name| name.trim().to_owned()).collect();
    if columns.is_empty() {
        return Err(usage(
            "the file is empty: expected a first line with the names of columns\nnothing was registered",
        ));
    }
    check_columns(&columns)?;
    let (mut found, mut wrong) = (Rows::default(), Vec::new());
    let mut record = StringRecord::new();
    loop {
        let read = match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                let end = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
                row(text, end, &columns, &record, defaults)
            }
            Err(error) => Err(unreadable(text, &error)),
        };
        match read {
            Ok(Read::Device(row)) => found.rows.push(*row),
            Ok(Read::Empty(line)) => found.empty.push(line),
            Err(told) => wrong.push(told),
        }
    }
    if wrong.is_empty() {
        Ok(found)
    } else {
        Err(refusal(&wrong))
    }
}

enum Read {
    Device(Box<Row>),
    Empty(u64),
}

/// Reads the record that ends before the byte `end` of the text.
fn row(
    text: &str,
    end: usize,
    columns: &[String],
    record: &StringRecord,
    defaults: Defaults<'_>,
) -> Result<Read, String> {
    let line = record.position().map_or(0, |position| line_of(text, position));
    if record.iter().all(|cell| cell.trim().is_empty()) {
        return Ok(Read::Empty(line));
    }
    let read = check_quotes(text, end, record).and_then(|()| device(columns, record, defaults));
    let (device, attributes) = read.map_err(|wrong| format!("line {line}: {wrong}"))?;
    Ok(Read::Device(Box::new(Row {
        line,
        device,
        attributes,
    })))
}

/// A usage error that names the wrong lines.
pub(super) fn refusal(wrong: &[String]) -> anyhow::Error {
    let text = wrong[..wrong.len().min(NAMED)].join("\n");
    let more = wrong.len().saturating_sub(NAMED);
    usage(match more {
        0 => format!("{text}\nnothing was registered"),
        _ => format!("{text}\nand {more} more lines; nothing was registered"),
    })
}

fn unreadable(text: &str, error: &csv::Error) -> String {
    let line = error.position().map_or(0, |position| line_of(text, position));
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("line {line}: expected {expected_len} columns, found {len}")
        }
        _ => error.to_string(),
    }
}

/// The line that a record starts in. The reader's own position is that of the empty lines before it.
fn line_of(text: &str, position: &csv::Position) -> u64 {
    let start = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let rest = text.get(start..).unwrap_or_default();
    let skipped = rest.lines().take_while(|line| line.is_empty());
    position.line() + u64::try_from(skipped.count()).unwrap_or(0)
}

/// A quote that is opened and not closed takes the rest of the file into one cell.
fn check_quotes(text: &str, end: usize, record: &StringRecord) -> Result<(), String> {
    let start = record.position().map_or(0, csv::Position::byte);
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    let takes_lines = record.iter().next_back().is_some_and(|cell| cell.contains('\n'));
    let last = text.get(start..).filter(|_| takes_lines && end >= text.len());
    match last {
        Some(record) if record.matches('"').count() % 2 == 1 => {
            Err("a quote is opened and not closed before the end of the file".to_owned())
        }
        _ => Ok(()),
    }
}

fn check_columns(columns: &[String]) -> anyhow::Result<()> {
    let refuse = |told: String| Err(usage(format!("line 1: {told}\nnothing was registered")));
    if let [only] = columns
        && let Some(separator) = [';', '\t'].into_iter().find(|separator| only.contains(*separator))
    {
        let shown = if separator == ';' { "semicolons" } else { "tabs" };
        return refuse(format!(
            "the columns are separated by {shown}, and commas are expected: save the file as CSV with commas"
        ));
    }
    let prefixed = |name: &str| [TAG, ATTRIBUTE, NAME_IN].iter().any(|prefix| has_name(name, prefix));
    let mut seen = BTreeSet::new();
    for (index, name) in columns.iter().enumerate() {
        if name.is_empty() {
            return refuse(format!("column {} has no name", index + 1));
        }
        if !COLUMNS.contains(&name.as_str()) && !prefixed(name) {
            let known = COLUMNS.join(", ");
            return refuse(format!(
                "unknown column `{name}`; known are {known}, {NAME_IN}LOCALE, {TAG}NAME and {ATTRIBUTE}NAME"
            ));
        }
        if !seen.insert(name) {
            return refuse(format!("the column `{name}` stands there twice"));
        }
    }
    Ok(())
}

fn has_name(column: &str, prefix: &str) -> bool {
    column.strip_prefix(prefix).is_some_and(|name| !name.is_empty())
}

type Attributes = Vec<(String, String)>;

fn device(
    columns: &[String],
    record: &StringRecord,
    defaults: Defaults<'_>,
) -> Result<(NewDevice, Attributes), String> {
    let mut device = NewDevice::new("", "");
    let mut attributes = Vec::new();
    let (mut name, mut product) = (None, None);
    defaults.timezone.clone_into(&mut device.timezone);
    let filled = columns.iter().zip(record).filter(|(_, cell)| !cell.is_empty());
    for (column, cell) in filled {
        let cell = unmarked(cell);
        // Blanks around a key come from the table's layout; in a secret or a text they may be meant.
        let key = || Some(cell.trim()).filter(|key| !key.is_empty()).map(str::to_owned);
        match column.as_str() {
            "productKey" => product = key(),
            "deviceKey" => device.device_key = key(),
            "assetId" => device.asset_id = key(),
            "timezone" => device.timezone = key().unwrap_or_else(|| defaults.timezone.to_owned()),
            "deviceSecret" => device.device_secret = Some(cell.into()),
            "deviceName" => name = Some(cell.to_owned()),
            "deviceDesc" => device.device_desc = Some(cell.to_owned()),
            column => label(&mut device, &mut attributes, column, cell),
        }
    }
    device.product_key = product
        .or_else(|| defaults.product.map(str::to_owned))
        .ok_or("productKey is missing; --product gives one to all rows")?;
    let name = name.or_else(|| device.device_key.clone());
    device.device_name.default_value = name.ok_or("expected deviceName or deviceKey, found neither")?;
    Ok((device, attributes))
}

fn label(device: &mut NewDevice, attributes: &mut Attributes, column: &str, cell: &str) {
    if let Some(tag) = column.strip_prefix(TAG) {
        let tags = device.device_tags.get_or_insert_default();
        tags.insert(tag.to_owned(), cell.to_owned());
    } else if let Some(attribute) = column.strip_prefix(ATTRIBUTE) {
        attributes.push((attribute.to_owned(), cell.to_owned()));
    } else if let Some(locale) = column.strip_prefix(NAME_IN) {
        let names = &mut device.device_name.i18n_value;
        names.insert(locale.to_owned(), cell.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULTS: Defaults<'_> = Defaults {
        product: None,
        timezone: "+08:00",
    };

    fn refused(text: &str) -> String {
        parse(text, DEFAULTS).unwrap_err().to_string()
    }

    fn devices(text: &str) -> Vec<NewDevice> {
        let rows = parse(text, DEFAULTS).unwrap().rows;
        rows.into_iter().map(|row| row.device).collect()
    }

    #[test]
    fn columns_stand_in_any_order_and_cells_may_be_empty() {
        let text = "deviceKey,productKey, deviceTags.floor,timezone,deviceAttributes.power,deviceName,deviceName.zh_CN\n\
                    d1,p1,3,Europe/Berlin,30.50,\"Pump, old\",泵\n\n d2 , p1 ,,,,,\n";
        let found = parse(text, DEFAULTS).unwrap().rows;
        let lines: Vec<_> = found.iter().map(|row| row.line).collect();
        assert_eq!(lines, [2, 4]);
        let first = &found[0].device;
        assert_eq!(
            (first.device_name.default_value.as_str(), first.timezone.as_str()),
            ("Pump, old", "Europe/Berlin")
        );
        assert_eq!(first.device_name.i18n_value["zh_CN"], "泵");
        assert_eq!(first.device_tags.as_ref().unwrap()["floor"], "3");
        assert_eq!(found[0].attributes, [("power".to_owned(), "30.50".to_owned())]);
        let second = &found[1].device;
        assert_eq!(
            (second.device_name.default_value.as_str(), second.timezone.as_str()),
            ("d2", "+08:00")
        );
        assert_eq!((second.device_tags.as_ref(), &*found[1].attributes), (None, &[][..]));
    }

    #[test]
    fn a_row_is_a_row_whatever_its_first_cell_begins_with() {
        let found = devices("deviceKey,productKey\n#1,p\n# two,p\n//3,p\n");
        let keys: Vec<_> = found.iter().filter_map(|device| device.device_key.as_deref()).collect();
        assert_eq!(keys, ["#1", "# two", "//3"]);
        assert!(refused("deviceKey,productKey\n# a remark\n").contains("line 2: expected 2 columns, found 1"));
    }

    #[test]
    fn a_row_of_empty_cells_is_no_device_and_is_told() {
        let found = parse("deviceKey,productKey\nd1,p\n,\n , \nd2,p\n", DEFAULTS).unwrap();
        assert_eq!((found.rows.len(), found.empty), (2, vec![3, 4]));
        let told = refused("deviceKey,productKey\n,p\n");
        assert!(told.contains("line 2: expected deviceName or deviceKey"), "{told}");
    }

    #[test]
    fn secrets_and_texts_keep_their_blanks_and_keys_do_not() {
        let text = "deviceKey,productKey,deviceSecret,deviceDesc,deviceTags.t\n d1 , p , s 1 , x , y \n";
        let device = devices(text).remove(0);
        assert_eq!((device.device_key.as_deref(), &*device.product_key), (Some("d1"), "p"));
        assert_eq!(device.device_secret, Some(" s 1 ".into()));
        assert_eq!(device.device_desc.as_deref(), Some(" x "));
        assert_eq!(device.device_tags.unwrap()["t"], " y ");
    }

    #[test]
    fn the_product_may_come_from_a_flag() {
        let defaults = Defaults {
            product: Some("p9"),
            ..DEFAULTS
        };
        let found = parse("deviceKey\nd1\n", defaults).unwrap();
        assert_eq!(found.rows[0].device.product_key, "p9");
        assert!(refused("deviceKey\nd1\n").starts_with("line 2: productKey is missing"));
    }

    #[test]
    fn mistakes_in_the_file_are_told_with_their_line() {
        for (text, told) in [
            ("productKey,colour\np,red\n", "unknown column `colour`"),
            ("productKey,deviceTags.\np,red\n", "unknown column `deviceTags.`"),
            ("productKey,deviceKey\np,d\np\n", "line 3: expected 2 columns, found 1"),
            (
                "productKey,deviceKey,productKey\np,d,q\n",
                "the column `productKey` stands there twice",
            ),
            (
                "deviceTags.a,deviceTags.a\n1,2\n",
                "the column `deviceTags.a` stands there twice",
            ),
            ("productKey,deviceKey,\np,d,\n", "column 3 has no name"),
            ("productKey;deviceKey\np;d\n", "separated by semicolons"),
            ("productKey\tdeviceKey\np\td\n", "separated by tabs"),
            (
                "productKey,deviceKey\np,d1\np,\"d2\np,d3\n",
                "line 3: a quote is opened and not closed",
            ),
        ] {
            let found = refused(text);
            assert!(
                found.contains(told) && found.contains("nothing was registered"),
                "{text}: {found}"
            );
        }
    }

    #[test]
    fn a_cell_of_several_lines_is_no_open_quote() {
        let text = "productKey,deviceDesc,deviceKey\np,\"two\nlines\",d1\np,\"more\nlines\",\"d\n2\"\n";
        assert_eq!(devices(text).len(), 2);
    }

    #[test]
    fn a_file_without_rows_registers_nothing() {
        assert_eq!(parse("productKey\n", DEFAULTS).unwrap(), Rows::default());
        for empty in ["", "\n\r\n"] {
            assert!(refused(empty).starts_with("the file is empty"));
        }
    }
}
