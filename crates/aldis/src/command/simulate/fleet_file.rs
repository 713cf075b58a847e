//! A file of device identities: CSV with a head, or a JSON array. Further columns and fields are passed over, so that
//! what `device import --output` writes serves as it is.

use std::path::Path;

use aldis_simulator::DeviceIdentity;
use serde::Deserialize;

use crate::command::document::read_text;
use crate::exit::usage;
use crate::sheet::unmarked;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    /// The product's key
    product_key: String,
    device_key: String,
    device_secret: String,
}

/// Reads the file, `-` for stdin.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<DeviceIdentity>> {
    parse(&read_text(path)?).map_err(|wrong| usage(format!("{}: {wrong}", path.display())))
}

fn parse(text: &str) -> Result<Vec<DeviceIdentity>, String> {
    let rows: Vec<Row> = if text.trim_start().starts_with('[') {
        serde_json::from_str(text).map_err(|error| error.to_string())?
    } else {
        rows(text).map_err(|error| error.to_string())?
    };
    Ok(rows
        .into_iter()
        .map(|row| DeviceIdentity::new(row.product_key, row.device_key, row.device_secret))
        .collect())
}

fn rows(text: &str) -> csv::Result<Vec<Row>> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::Headers)
        .from_reader(text.as_bytes());
    let head = reader.headers()?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record?;
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        let cells: csv::StringRecord = record.iter().map(unmarked).collect();
        let row: Row = cells.deserialize(Some(&head))?;
        rows.push(Row {
            product_key: row.product_key.trim().to_owned(),
            device_key: row.device_key.trim().to_owned(),
            device_secret: row.device_secret,
        });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_name_the_same_devices() {
        let expected = [
            DeviceIdentity::new("p", "d1", "s1"),
            DeviceIdentity::new("p", "d2", "s2"),
        ];
        let csv = "deviceKey,productKey,deviceSecret,assetId\nd1,p,s1,a1\nd2, p ,s2,a2\n";
        let json = r#"[{"productKey":"p","deviceKey":"d1","deviceSecret":"s1","status":"online"},
                       {"productKey":"p","deviceKey":"d2","deviceSecret":"s2"}]"#;
        assert_eq!(parse(csv).unwrap(), expected);
        assert_eq!(parse(json).unwrap(), expected);
    }

    #[test]
    fn what_an_import_writes_is_read_with_every_secret_as_it_is() {
        let csv = "productKey,deviceKey,deviceSecret,assetId\np,#1,'=s,'123e4\np,'1-2, s ,a\n,,,\n";
        let expected = [
            DeviceIdentity::new("p", "#1", "=s"),
            DeviceIdentity::new("p", "1-2", " s "),
        ];
        assert_eq!(parse(csv).unwrap(), expected);
    }

    #[test]
    fn a_file_without_secrets_is_refused() {
        assert!(
            parse("productKey,deviceKey\np,d\n")
                .unwrap_err()
                .contains("deviceSecret")
        );
        assert!(parse(r#"[{"productKey":"p"}]"#).unwrap_err().contains("deviceKey"));
    }
}
