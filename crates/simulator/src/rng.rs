//! A small generator of pseudo-random numbers, so that a seed reproduces a behaviour on every machine and in every
//! release. It is no source of secrets.

use std::ops::RangeInclusive;

/// A stream of numbers that its seed determines completely (the splitmix64 sequence).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rng {
    state: u64,
}

const STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;

impl Rng {
    /// The stream of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The stream of this seed that belongs to these texts and this number, whatever other streams were drawn before.
    /// So a device's fate does not depend on the order in which devices happen to be served.
    #[must_use]
    pub fn for_case(seed: u64, texts: [&str; 2], number: u64) -> Self {
        let mut mixed = scramble(seed.wrapping_add(STRIDE));
        for text in texts {
            mixed = text.bytes().fold(mixed, |sum, byte| {
                (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
            mixed = scramble(mixed.wrapping_add(STRIDE));
        }
        Self::new(scramble(mixed ^ number.wrapping_mul(STRIDE)))
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STRIDE);
        scramble(self.state)
    }

    /// Whether something of this probability happens; 0 never does, 1 always does.
    pub fn happens(&mut self, probability: f64) -> bool {
        self.fraction() < probability
    }

    /// A number from the range, all of them about equally likely. A range that contains nothing gives its start.
    pub fn within(&mut self, range: &RangeInclusive<u64>) -> u64 {
        let drawn = self.draw();
        let span = range.end().saturating_sub(*range.start());
        range.start() + span.checked_add(1).map_or(drawn, |count| drawn % count)
    }

    /// One of the elements; `None` if there are none.
    pub fn pick<'e, T>(&mut self, elements: &'e [T]) -> Option<&'e T> {
        let last = u64::try_from(elements.len()).unwrap_or(u64::MAX).saturating_sub(1);
        let index = usize::try_from(self.within(&(0..=last))).unwrap_or(0);
        elements.get(index)
    }

    fn fraction(&mut self) -> f64 {
        let upper = u32::try_from(self.draw() >> 32).expect("32 bits are left");
        f64::from(upper) / (f64::from(u32::MAX) + 1.0)
    }
}

const fn scramble(mut mixed: u64) -> u64 {
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_reproduces_its_stream() {
        let mut first = Rng::new(0);
        assert_eq!(first.draw(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(first.draw(), 0x6e78_9e6a_a1b9_65f4);
        assert_ne!(Rng::new(1).draw(), Rng::new(2).draw());
    }

    #[test]
    fn cases_have_streams_of_their_own() {
        let draw = |seed, texts, number| Rng::for_case(seed, texts, number).draw();
        let one = draw(7, ["pk", "dk"], 0);
        assert_eq!(one, draw(7, ["pk", "dk"], 0));
        for other in [
            draw(8, ["pk", "dk"], 0),
            draw(7, ["pk", "dk"], 1),
            draw(7, ["p", "kdk"], 0),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn probabilities_are_met() {
        let mut rng = Rng::new(3);
        let hits = (0..10_000).filter(|_| rng.happens(0.3)).count();
        assert!((2_800..3_200).contains(&hits), "{hits}");
        assert!((0..10_000).all(|_| rng.happens(1.0)));
        assert!(!(0..10_000).any(|_| rng.happens(0.0)));
    }

    #[test]
    fn numbers_stay_within_their_range_and_reach_both_ends() {
        let mut rng = Rng::new(4);
        let drawn: Vec<u64> = (0..200).map(|_| rng.within(&(5..=8))).collect();
        assert_eq!((drawn.iter().min(), drawn.iter().max()), (Some(&5), Some(&8)));
        assert_eq!(rng.within(&(9..=9)), 9);
        rng.within(&(0..=u64::MAX));
        assert_eq!(rng.pick::<u8>(&[]), None);
        assert_eq!(rng.pick(&[1]), Some(&1));
    }
}
