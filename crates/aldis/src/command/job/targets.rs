//! Devices as a job names them, from flags and files.

use aldis_client::{DeviceRef, Target};

use crate::command::device::device_ref;

/// Reads `PRODUCT/DEVICE` or an asset id; clap's form of a parser.
pub(super) fn target(text: &str) -> Result<Target, String> {
    Ok(match device_ref(text)? {
        DeviceRef::Asset(asset) => Target::asset(asset),
        DeviceRef::Keys {
            product_key,
            device_key,
        } => Target::keys(product_key, device_key),
    })
}

/// Reads a file of devices: one a line, as `PRODUCT/DEVICE`, `PRODUCT,DEVICE` or an asset id. A head such as
/// `productKey,deviceKey,deviceSecret`, further columns, empty lines and remarks after `#` are passed over.
pub(super) fn targets(text: &str) -> Result<Vec<Target>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#') && !line.starts_with("productKey,"))
        .map(|(number, line)| target_of_line(line).map_err(|wrong| format!("line {number}: {wrong}")))
        .collect()
}

fn target_of_line(line: &str) -> Result<Target, String> {
    let mut cells = line.split(',').map(str::trim);
    match (cells.next(), cells.next()) {
        (Some(product), Some(device)) if !product.is_empty() && !device.is_empty() => Ok(Target::keys(product, device)),
        (Some(name), None) => target(name),
        _ => Err("expected PRODUCT,DEVICE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_device_is_read() {
        let text = "productKey,deviceKey,deviceSecret\np1,d1,s1\n\n# spare\np1/d2\nAbCd1234\n";
        let expected = [
            Target::keys("p1", "d1"),
            Target::keys("p1", "d2"),
            Target::asset("AbCd1234"),
        ];
        assert_eq!(targets(text).unwrap(), expected);
    }

    #[test]
    fn a_line_that_names_no_device_is_told() {
        assert_eq!(targets("p1/d1\n,d2\n").unwrap_err(), "line 2: expected PRODUCT,DEVICE");
    }
}
