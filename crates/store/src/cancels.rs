//! How often a job was cancelled as a whole, and what of it is done.

/// A job's cancels. A cancel of the whole job raises `made` at once; the rows of its tasks follow in later commits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cancels {
    /// How often the job was cancelled as a whole.
    pub made: u16,
    /// The last of them that all rows have been settled under.
    pub settled: u16,
}

impl Cancels {
    /// Whether the job was ever cancelled as a whole.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.made > 0
    }

    /// Whether rows are still to be settled.
    #[must_use]
    pub const fn are_pending(&self) -> bool {
        self.made > self.settled
    }

    /// Whether no further cancel can be counted.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.made == u16::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancel_is_pending_until_its_rows_are_settled() {
        let of = |made, settled| Cancels { made, settled };
        assert_eq!(
            [(0, 0), (1, 0), (1, 1), (2, 1)].map(|(made, settled)| of(made, settled).are_pending()),
            [false, true, false, true]
        );
        assert_eq!([0, 1].map(|made| of(made, 0).any()), [false, true]);
        assert_eq!(
            [u16::MAX - 1, u16::MAX].map(|made| of(made, 0).is_full()),
            [false, true]
        );
    }
}
