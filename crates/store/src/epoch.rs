//! Which writer a commit comes from.

/// The number of a writer's term. A store that several processes can open gives each new writer a larger epoch, so that
/// a writer that was replaced and does not know it yet cannot commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch of every writer of a store that one process at a time can open: its lock, not the epoch, keeps a
    /// second writer out.
    pub const SOLE: Self = Self(0);
}
