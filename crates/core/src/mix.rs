//! A fixed hash of two numbers: the same on every machine and in every release, because stored orders depend on it.

/// Mixes two numbers into one whose 64 bits look random (the finalizer of SplitMix64, applied to both in turn).
#[must_use]
pub(crate) const fn mix(first: u64, second: u64) -> u64 {
    finalize(finalize(first).wrapping_add(second))
}

const fn finalize(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mix_known_numbers_gives_the_stored_values() {
        // The first output of SplitMix64 with seed 0 is public.
        assert_eq!(finalize(0), 0xe220_a839_7b1d_cdaf);
        assert_ne!(mix(1, 2), mix(2, 1));
        assert_eq!(mix(0, 0), finalize(0xe220_a839_7b1d_cdaf));
    }
}
