//! Maps whose keys are numbers that the store gave out: clients cannot choose them so that they collide, hence a fast
//! hash.

use std::collections::HashMap;

use foldhash::fast::FixedState;

/// A map by number.
pub(super) type Map<K, V> = HashMap<K, V, FixedState>;
