//! Devices of an import that are registered already, and its products.

use std::collections::{BTreeSet, HashSet};

use aldis_client::{Client, Error, quoted};
use aldis_core::expression::LIST_MAX;

use super::rows::Row;

/// How much of an expression lists keys; the server takes 8 KiB.
const LIST_BYTES_MAX: usize = 6 * 1024;

/// Product and key of devices.
pub(super) type Keys = HashSet<(String, String)>;

/// The rows' devices that the server has.
///
/// # Errors
/// Those of the search.
pub(super) async fn registered(client: &Client, rows: &[Row]) -> anyhow::Result<Keys> {
    let mut named: Vec<(&str, &str)> = rows
        .iter()
        .filter_map(|row| Some((&*row.device.product_key, row.device.device_key.as_deref()?)))
        .collect();
    named.sort_unstable();
    let mut found = Keys::new();
    for expression in expressions(&named) {
        let mut devices = client.devices(Some(&expression));
        while let Some(device) = devices.next().await? {
            found.insert((device.product_key, device.device_key));
        }
    }
    Ok(found)
}

/// The rows' products that the server has.
///
/// # Errors
/// The server cannot be asked.
pub(super) async fn products(client: &Client, rows: &[Row]) -> anyhow::Result<HashSet<String>> {
    let named: BTreeSet<&str> = rows.iter().map(|row| &*row.device.product_key).collect();
    let mut found = HashSet::new();
    for product in named {
        match client.get_product(product).await {
            Ok(_) => drop(found.insert(product.to_owned())),
            Err(Error::Refused { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// Expressions that together name these devices, sorted by product, each within its length.
fn expressions(named: &[(&str, &str)]) -> Vec<String> {
    let mut all = Vec::new();
    for of_product in named.chunk_by(|a, b| a.0 == b.0) {
        let product = quoted(of_product.first().map_or("", |(product, _)| product));
        let (mut list, mut listed) = (String::new(), 0);
        for (_, key) in of_product {
            let key = quoted(key);
            if !list.is_empty() && (list.len() + key.len() > LIST_BYTES_MAX || listed == LIST_MAX) {
                all.push(format!("productKey = {product} and deviceKey in ({list})"));
                list.clear();
                listed = 0;
            }
            if !list.is_empty() {
                list.push(',');
            }
            list.push_str(&key);
            listed += 1;
        }
        all.push(format!("productKey = {product} and deviceKey in ({list})"));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_keys_are_asked_for_in_several_expressions() {
        assert_eq!(
            expressions(&[("p", "a"), ("p", "b'"), ("q", "a")]),
            [
                "productKey = 'p' and deviceKey in ('a','b''')",
                "productKey = 'q' and deviceKey in ('a')"
            ]
        );
        let keys: Vec<_> = (0..5000).map(|n| format!("{n:064}")).collect();
        let named: Vec<_> = keys.iter().map(|key| ("p", &**key)).collect();
        let all = expressions(&named);
        assert!(all.iter().all(|text| text.len() < 8 * 1024), "the server takes 8 KiB");
        let listed: usize = all.iter().map(|text| text.matches(',').count() + 1).sum();
        assert_eq!(listed, 5000);
        let keys: Vec<_> = (0..2500).map(|n| format!("{n:x}")).collect();
        let named: Vec<_> = keys.iter().map(|key| ("p", &**key)).collect();
        let listed: Vec<_> = expressions(&named)
            .iter()
            .map(|text| text.matches(',').count() + 1)
            .collect();
        assert_eq!(listed.iter().sum::<usize>(), 2500);
        assert!(listed.iter().all(|listed| *listed <= LIST_MAX), "{listed:?}");
    }
}
