//! Devices as a job names them, from flags and files.

use aldis_client::{DeviceRef, Target};

use crate::command::device::device_ref;
use crate::sheet::unmarked;

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
/// `productKey,deviceKey,deviceSecret`, further columns, empty lines and remarks are passed over. A remark goes from a
/// `#` at the begin of a line or after a blank to the line's end; elsewhere `#` is part of a key.
pub(super) fn targets(text: &str) -> Result<Vec<Target>, String> {
    let lines = text.lines().enumerate();
    let lines = lines.map(|(index, line)| (index + 1, without_remark(line).trim()));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with("productKey,"))
        .map(|(number, line)| target_of_line(line).map_err(|wrong| format!("line {number}: {wrong}")))
        .collect()
}

fn without_remark(line: &str) -> &str {
    let mut before = None;
    let start = line.char_indices().find(|(_, c)| {
        let begins = *c == '#' && before.is_none_or(char::is_whitespace);
        before = Some(*c);
        begins
    });
    start.map_or(line, |(at, _)| &line[..at])
}

fn target_of_line(line: &str) -> Result<Target, String> {
    let mut cells = line.split(',').map(|cell| unmarked(cell.trim()));
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
    fn a_remark_begins_at_the_line_or_after_a_blank() {
        let text = "p1/d1 # spare\np1,d2\t# spare\np1/d#3\n  # nothing\n#p1/d4\np1,#5\n";
        let expected = ["d1", "d2", "d#3", "#5"].map(|key| Target::keys("p1", key));
        assert_eq!(targets(text).unwrap(), expected);
    }

    #[test]
    fn a_line_that_names_no_device_is_told() {
        assert_eq!(targets("p1/d1\n,d2\n").unwrap_err(), "line 2: expected PRODUCT,DEVICE");
    }
}
