//! The two keys that name a device.

const BEGIN: &str = "/sys/";

/// A device's keys, as the beginning of all its own topics.
pub(super) struct Keys {
    /// `/sys/{product key}/{device key}/`.
    root: Box<str>,
    product_bytes: usize,
}

impl Keys {
    pub(super) fn new(product_key: &str, device_key: &str) -> Self {
        Self {
            root: format!("{BEGIN}{product_key}/{device_key}/").into(),
            product_bytes: product_key.len(),
        }
    }

    /// What all topics of the device begin with.
    pub(super) fn root(&self) -> &str {
        &self.root
    }

    pub(super) fn product(&self) -> &str {
        &self.root[BEGIN.len()..][..self.product_bytes]
    }

    pub(super) fn device(&self) -> &str {
        &self.root[BEGIN.len() + self.product_bytes + 1..self.root.len() - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_come_back() {
        for (product, device) in [("pk", "dk"), ("p", "泵"), ("", "")] {
            let keys = Keys::new(product, device);
            assert_eq!((keys.product(), keys.device()), (product, device));
        }
        assert_eq!(Keys::new("pk", "dk").root(), "/sys/pk/dk/");
    }
}
