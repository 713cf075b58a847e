//! How many may be there with a product's secret: one that has leaked must not take every place.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// Integration channels of a product at a time: programs of its operator, of which there are a few.
const CHANNELS_MAX: usize = 64;
/// Activations of a product at a time. Each takes a second, of some libraries a minute; who finds no place tries again.
const ACTIVATIONS_MAX: usize = 256;

/// The purpose of a connection with a product's secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Activation,
    Channel,
}

impl Kind {
    const fn most(self) -> usize {
        match self {
            Self::Activation => ACTIVATIONS_MAX,
            Self::Channel => CHANNELS_MAX,
        }
    }
}

/// Who is there, by product key.
#[derive(Debug, Default)]
pub(super) struct Visitors(Mutex<HashMap<(String, Kind), usize>>);

/// A place of one visitor, until it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    visitors: Arc<Visitors>,
    of: (String, Kind),
}

impl Visitors {
    /// A place; `None` if the product's are taken.
    pub(super) fn seat(self: &Arc<Self>, product: &str, kind: Kind) -> Option<Seat> {
        let of = (product.to_owned(), kind);
        let mut seats = self.0.lock();
        let taken = seats.entry(of.clone()).or_default();
        if *taken >= kind.most() {
            return None;
        }
        *taken += 1;
        drop(seats);
        Some(Seat {
            visitors: Arc::clone(self),
            of,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.visitors.0.lock();
        if let Some(taken) = seats.get_mut(&self.of) {
            *taken = taken.saturating_sub(1);
            if *taken == 0 {
                seats.remove(&self.of);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_has_so_many_places_and_no_other_products() {
        let visitors = Arc::new(Visitors::default());
        for kind in [Kind::Channel, Kind::Activation] {
            let mut seats: Vec<Seat> = std::iter::from_fn(|| visitors.seat("pump", kind)).collect();
            assert_eq!(seats.len(), kind.most());
            assert!(visitors.seat("other", kind).is_some());
            seats.pop();
            assert!(visitors.seat("pump", kind).is_some());
        }
        assert!(
            visitors.0.lock().is_empty(),
            "a visitor that has gone is not remembered"
        );
    }
}
