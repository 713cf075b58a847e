//! Something about each of many keys that is kept in memory, and not of ever more of them.

use std::collections::HashMap;
use std::hash::Hash;

/// Devices in one of the two halves that are remembered: when it is full, the older half is forgotten.
pub const DEVICES_HALF_MAX: usize = 50_000;

/// What is remembered of keys, at least of the `HALF_MAX` that something was noted of last, and of twice as many at
/// most.
pub struct Remembered<K, T, const HALF_MAX: usize = DEVICES_HALF_MAX> {
    newer: HashMap<K, T>,
    older: HashMap<K, T>,
}

impl<K, T, const HALF_MAX: usize> Default for Remembered<K, T, HALF_MAX> {
    fn default() -> Self {
        Self {
            newer: HashMap::new(),
            older: HashMap::new(),
        }
    }
}

impl<K: Copy + Eq + Hash, T, const HALF_MAX: usize> Remembered<K, T, HALF_MAX> {
    /// What is known of a key, to note something more.
    pub fn of_mut(&mut self, key: K) -> &mut T
    where
        T: Default,
    {
        self.of_mut_or(key, T::default)
    }

    /// What is known of a key, to note something more; `first` if nothing is.
    pub fn of_mut_or(&mut self, key: K, first: impl FnOnce() -> T) -> &mut T {
        if !self.newer.contains_key(&key) && self.newer.len() >= HALF_MAX {
            self.older = std::mem::take(&mut self.newer);
        }
        let older = &mut self.older;
        self.newer
            .entry(key)
            .or_insert_with(|| older.remove(&key).unwrap_or_else(first))
    }

    /// What is known of a key.
    pub fn of(&self, key: K) -> Option<&T> {
        self.newer.get(&key).or_else(|| self.older.get(&key))
    }

    /// Forgets a key; what was known of it.
    pub fn forget(&mut self, key: K) -> Option<T> {
        self.newer.remove(&key).or_else(|| self.older.remove(&key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF_MAX: usize = 50;

    #[test]
    fn keys_noted_last_are_remembered_and_memory_is_bounded() {
        let mut all = Remembered::<u64, u32, HALF_MAX>::default();
        for key in 10..10 + 3 * HALF_MAX as u64 {
            *all.of_mut(key) += 1;
            if key.is_multiple_of(10) {
                *all.of_mut(1) += 1;
            }
        }
        assert_eq!(all.of(1), Some(&15));
        assert_eq!(all.of(10), None);
        assert!(all.newer.len() + all.older.len() <= 2 * HALF_MAX);
    }

    #[test]
    fn a_key_that_is_forgotten_begins_anew_from_either_half() {
        let mut all = Remembered::<u64, u32, HALF_MAX>::default();
        *all.of_mut(1) = 7;
        for key in 2..2 + HALF_MAX as u64 {
            *all.of_mut(key) = 1;
        }
        assert_eq!((all.forget(1), all.forget(2), all.forget(1)), (Some(7), Some(1), None));
        assert_eq!(*all.of_mut_or(1, || 3), 3);
    }
}
