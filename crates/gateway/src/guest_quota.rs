//! Bounds the connections with a product's secret: a secret that has leaked must not take every connection.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// Integration channels of a product at a time: programs of its operator, of which there are a few.
const CHANNELS_MAX: usize = 64;
/// Activations of a product at a time. Each takes a second, of some libraries a minute; who finds no place tries again.
const ACTIVATIONS_MAX: usize = 256;

/// The purpose of a connection with a product's secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum GuestKind {
    Activation,
    Channel,
}

impl GuestKind {
    const fn most(self) -> usize {
        match self {
            Self::Activation => ACTIVATIONS_MAX,
            Self::Channel => CHANNELS_MAX,
        }
    }
}

/// Permits in use, by product key.
#[derive(Debug, Default)]
pub(super) struct GuestQuota(Mutex<HashMap<(String, GuestKind), usize>>);

/// The permit of one connection, until it is dropped.
#[derive(Debug)]
pub(super) struct GuestPermit {
    guest_quota: Arc<GuestQuota>,
    of: (String, GuestKind),
}

impl GuestQuota {
    /// A permit; `None` if all of the product are in use.
    pub(super) fn acquire(self: &Arc<Self>, product: &str, kind: GuestKind) -> Option<GuestPermit> {
        let of = (product.to_owned(), kind);
        let mut permits = self.0.lock();
        let taken = permits.entry(of.clone()).or_default();
        if *taken >= kind.most() {
            return None;
        }
        *taken += 1;
        drop(permits);
        Some(GuestPermit {
            guest_quota: Arc::clone(self),
            of,
        })
    }
}

impl Drop for GuestPermit {
    fn drop(&mut self) {
        let mut permits = self.guest_quota.0.lock();
        if let Some(taken) = permits.get_mut(&self.of) {
            *taken = taken.saturating_sub(1);
            if *taken == 0 {
                permits.remove(&self.of);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_product_has_its_own_permits() {
        let guest_quota = Arc::new(GuestQuota::default());
        for kind in [GuestKind::Channel, GuestKind::Activation] {
            let mut permits: Vec<GuestPermit> = std::iter::from_fn(|| guest_quota.acquire("pump", kind)).collect();
            assert_eq!(permits.len(), kind.most());
            assert!(guest_quota.acquire("other", kind).is_some());
            permits.pop();
            assert!(guest_quota.acquire("pump", kind).is_some());
        }
        assert!(
            guest_quota.0.lock().is_empty(),
            "a permit that was dropped leaves nothing behind"
        );
    }
}
