//! A file of device identities: CSV with a head, or a JSON array. Further columns and fields are passed over, so that what
//! `device import --output` writes serves as it is.

use std::path::Path;

use aldis_simulator::DeviceIdentity;
use serde::Deserialize;

use crate::command::document::read_text;
use crate::exit::usage;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    product_key: String,
    device_key: String,
    device_secret: String,
}

/// Reads the file, `-` for stdin.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<DeviceIdentity>> {
    parse(&read_text(path)?).map_err(|wrong| usage(format!("{}: {wrong}", path.display())))
}

fn parse(text: &str) -> Result<Vec<DeviceIdentity>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let rows: Vec<Row> = if text.trim_start().starts_with('[') {
        serde_json::from_str(text).map_err(|error| error.to_string())?
    } else {
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .comment(Some(b'#'))
            .from_reader(text.as_bytes());
        let rows: Result<_, _> = reader.deserialize().collect();
        rows.map_err(|error| error.to_string())?
    };
    Ok(rows
        .into_iter()
        .map(|row| DeviceIdentity::new(row.product_key, row.device_key, row.device_secret))
        .collect())
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
    fn a_file_without_secrets_is_refused() {
        assert!(
            parse("productKey,deviceKey\np,d\n")
                .unwrap_err()
                .contains("deviceSecret")
        );
        assert!(parse(r#"[{"productKey":"p"}]"#).unwrap_err().contains("deviceKey"));
    }
}
