//! A cache of two generations: bounded memory for something about each of many keys.

use std::collections::HashMap;
use std::hash::Hash;

/// Devices in one generation. A full generation becomes the older one, and the older one is dropped.
pub const DEVICES_PER_GENERATION: usize = 50_000;

/// Values by key. Keeps at least the `PER_GENERATION` keys written last, and at most twice as many.
pub struct GenerationalCache<K, T, const PER_GENERATION: usize = DEVICES_PER_GENERATION> {
    newer: HashMap<K, T>,
    older: HashMap<K, T>,
}

impl<K, T, const PER_GENERATION: usize> Default for GenerationalCache<K, T, PER_GENERATION> {
    fn default() -> Self {
        Self {
            newer: HashMap::new(),
            older: HashMap::new(),
        }
    }
}

impl<K: Copy + Eq + Hash, T, const PER_GENERATION: usize> GenerationalCache<K, T, PER_GENERATION> {
    /// The value of a key, for a change.
    pub fn get_mut(&mut self, key: K) -> &mut T
    where
        T: Default,
    {
        self.get_mut_or(key, T::default)
    }

    /// The value of a key, for a change; `first` if the cache has none.
    pub fn get_mut_or(&mut self, key: K, first: impl FnOnce() -> T) -> &mut T {
        if !self.newer.contains_key(&key) && self.newer.len() >= PER_GENERATION {
            self.older = std::mem::take(&mut self.newer);
        }
        let older = &mut self.older;
        self.newer
            .entry(key)
            .or_insert_with(|| older.remove(&key).unwrap_or_else(first))
    }

    /// The value of a key.
    pub fn get(&self, key: K) -> Option<&T> {
        self.newer.get(&key).or_else(|| self.older.get(&key))
    }

    /// Removes a key; its value.
    pub fn remove(&mut self, key: K) -> Option<T> {
        self.newer.remove(&key).or_else(|| self.older.remove(&key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PER_GENERATION: usize = 50;

    #[test]
    fn keys_noted_last_are_remembered_and_memory_is_bounded() {
        let mut all = GenerationalCache::<u64, u32, PER_GENERATION>::default();
        for key in 10..10 + 3 * PER_GENERATION as u64 {
            *all.get_mut(key) += 1;
            if key.is_multiple_of(10) {
                *all.get_mut(1) += 1;
            }
        }
        assert_eq!(all.get(1), Some(&15));
        assert_eq!(all.get(10), None);
        assert!(all.newer.len() + all.older.len() <= 2 * PER_GENERATION);
    }

    #[test]
    fn a_key_that_is_forgotten_begins_anew_from_either_half() {
        let mut all = GenerationalCache::<u64, u32, PER_GENERATION>::default();
        *all.get_mut(1) = 7;
        for key in 2..2 + PER_GENERATION as u64 {
            *all.get_mut(key) = 1;
        }
        assert_eq!((all.remove(1), all.remove(2), all.remove(1)), (Some(7), Some(1), None));
        assert_eq!(*all.get_mut_or(1, || 3), 3);
    }
}
