//! The order in which a job releases its devices.

use std::collections::HashMap;
use std::hash::Hash;

use crate::ids::DeviceNo;
use crate::mix::mix;

/// Most strata of one job; devices of further ones share one.
pub const STRATA_MAX: u32 = 10_000;

/// How the devices of a job are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As they are listed, otherwise by registration.
    AsListed,
    /// By a hash of seed and device.
    Random,
}

/// The group to which a device belongs in a stratified order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stratum(u32);

/// Numbers the distinct values of the fields in `spreadBy`, in the order in which they are met.
#[derive(Debug)]
pub struct Strata<V> {
    numbers: HashMap<V, u32>,
}

impl<V> Default for Strata<V> {
    fn default() -> Self {
        Self {
            numbers: HashMap::new(),
        }
    }
}

impl<V: Hash + Eq> Strata<V> {
    /// The stratum of these values. All values beyond [`STRATA_MAX`] share the last one.
    pub fn of(&mut self, values: V) -> Stratum {
        let next = u32::try_from(self.numbers.len()).unwrap_or(STRATA_MAX);
        match self.numbers.get(&values) {
            Some(number) => Stratum(*number),
            None if next + 1 < STRATA_MAX => {
                self.numbers.insert(values, next);
                Stratum(next)
            }
            None => Stratum(STRATA_MAX - 1),
        }
    }
}

/// Sorts devices by hash(seed, device): the same seed and the same devices give the same order.
pub fn shuffle(seed: u64, devices: &mut [DeviceNo]) {
    devices.sort_unstable_by_key(|device| place(seed, *device));
}

/// Orders devices so that every prefix is a stratified sample.
///
/// Within a stratum of n devices, ordered by hash, the k-th (from 0) gets the key k/n. Devices are sorted by key, then
/// by hash: the first ones are one of each stratum, and at key x each stratum has given ⌈x·n⌉ devices.
#[must_use]
pub fn spread(seed: u64, mut members: Vec<(DeviceNo, Stratum)>) -> Vec<DeviceNo> {
    members.sort_unstable_by_key(|(device, stratum)| (*stratum, place(seed, *device)));
    let strata = members.chunk_by(|(_, left), (_, right)| left == right);
    let mut keyed: Vec<(u128, (u64, u64), DeviceNo)> = Vec::with_capacity(members.len());
    for stratum in strata {
        let devices = stratum.iter().zip(0_u128..);
        keyed.extend(devices.map(|((device, _), k)| (fraction(k, stratum.len()), place(seed, *device), *device)));
    }
    keyed.sort_unstable();
    keyed.into_iter().map(|(.., device)| device).collect()
}

/// k/n in steps of 2^-64: equal fractions are equal, and fractions with n below 2^32 keep their order.
fn fraction(k: u128, n: usize) -> u128 {
    let n = u128::try_from(n).unwrap_or(u128::MAX).max(1);
    (k << 64) / n
}

/// The device number makes the order total even where two hashes are equal.
fn place(seed: u64, device: DeviceNo) -> (u64, u64) {
    (mix(seed, device.0), device.0)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shuffle_known_seed_gives_the_stored_order() {
        let mut devices: Vec<DeviceNo> = (1..=8).map(DeviceNo).collect();
        shuffle(42, &mut devices);
        let order: Vec<u64> = devices.iter().map(|device| device.0).collect();
        assert_eq!(order, GOLDEN_ORDER);
    }
    const GOLDEN_ORDER: [u64; 8] = [3, 2, 4, 5, 6, 8, 1, 7];

    #[test]
    fn spread_canary_of_one_percent_always_meets_the_rarest_firmware() {
        // 20 firmwares over 10,000 devices; the last one has 0.1 % of them.
        let firmware = |device: u64| if device < 10 { 19 } else { device % 19 };
        for seed in 0..50 {
            let mut strata = Strata::default();
            let members = (0..10_000).map(|device| (DeviceNo(device), strata.of(firmware(device))));
            let order = spread(seed, members.collect());
            let canary = &order[..100];
            let rarest = canary.iter().filter(|device| firmware(device.0) == 19).count();
            assert!(rarest >= 1, "seed {seed}");
            let first: std::collections::HashSet<u64> = order[..20].iter().map(|device| firmware(device.0)).collect();
            assert_eq!(
                first.len(),
                20,
                "seed {seed}: the first devices are one of each firmware"
            );
        }
    }

    #[test]
    fn strata_beyond_the_limit_share_one() {
        let mut strata = Strata::default();
        for value in 0..STRATA_MAX + 10 {
            strata.of(value);
        }
        assert_eq!(strata.of(STRATA_MAX + 3), Stratum(STRATA_MAX - 1));
        assert_eq!(strata.of(7), Stratum(7));
    }

    proptest! {
        #[test]
        fn spread_prefix_has_given_each_stratum_its_share(
            strata in prop::collection::vec(0_u32..12, 1..300),
            seed: u64,
        ) {
            let members: Vec<_> = (0_u64..).map(DeviceNo).zip(strata.iter().copied().map(Stratum)).collect();
            let of: HashMap<DeviceNo, Stratum> = members.iter().copied().collect();
            let size = |stratum: Stratum| strata.iter().filter(|other| **other == stratum.0).count();
            let order = spread(seed, members);
            prop_assert_eq!(order.len(), strata.len());
            // A device at key k/n comes only after every stratum has given all devices with smaller keys.
            let mut given: HashMap<Stratum, usize> = HashMap::new();
            for device in order {
                let stratum = of[&device];
                let k = *given.get(&stratum).unwrap_or(&0);
                let n = size(stratum);
                for other in (0..12).map(Stratum) {
                    let m = size(other);
                    let owed = (k * m).div_ceil(n);
                    prop_assert!(*given.get(&other).unwrap_or(&0) >= owed.min(m));
                }
                *given.entry(stratum).or_default() += 1;
            }
        }
    }
}
