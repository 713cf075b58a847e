//! Bytes that are nearly right: a corpus of valid and nasty samples, and what is made of them by seeded chance.
//!
//! No coverage guides it and nothing but a stable compiler is needed: a run is repeated by its seed.
//! `ALDIS_FUZZ_SECONDS` makes it longer, `ALDIS_FUZZ_SEED` another one. Crates below this one include the file by its
//! path.

use std::path::Path;
use std::time::{Duration, Instant};

/// Looks at the clock only so often.
const BATCH: u32 = 64;
/// Samples do not grow beyond this.
const LENGTH_MAX: usize = 64 * 1024;
/// Bytes that mean something to one parser or another, or to none.
const NASTY: &[&[u8]] = &[
    b"\0",
    b"\xff\xfe",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    "\u{feff}".as_bytes(),
    "\u{202e}泵😀".as_bytes(),
    b"'",
    b"\"",
    b"\\",
    b"\\u",
    b"\\ud800",
    b"null",
    b"true",
    b"-",
    b"1e999",
    b"-0",
    b"9223372036854775808",
    b"0.1e-400",
    b"[",
    b"{",
    b"]",
    b"}",
    b",",
    b":",
    b"(",
    b")",
    b" and ",
    b" or ",
    b"not ",
    b" in (",
    b" like '",
    b"/",
    b"//",
    b"+",
    b"#",
    b"_reply",
    b"\n",
    b"\r\n\r\n",
];

/// The same numbers for the same seed (SplitMix64).
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// Starts from a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, 0 if there is none.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.number() % end).unwrap_or(0)
    }

    /// Any byte.
    pub fn byte(&mut self) -> u8 {
        self.number().to_le_bytes()[0]
    }

    /// One of them.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Every file below `corpus`, in the order of their names.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn corpus(directory: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = std::fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.expect("a readable directory").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no samples in {}", directory.display());
    paths
        .iter()
        .map(|path| std::fs::read(path).expect("a readable sample"))
        .collect()
}

/// Calls `check` with every sample, and then with a number of mutated ones, or as many as fit into
/// `ALDIS_FUZZ_SECONDS`; gives how many.
pub fn run(samples: &[Vec<u8>], times: u32, mut check: impl FnMut(&[u8])) -> u64 {
    samples.iter().for_each(|sample| check(sample));
    let setting = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let mut rng = Rng::new(setting("ALDIS_FUZZ_SEED").unwrap_or(1));
    let until = setting("ALDIS_FUZZ_SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut done = 0_u64;
    loop {
        for _ in 0..BATCH {
            check(&mutated(&mut rng, samples));
        }
        done += u64::from(BATCH);
        let over = match until {
            Some(until) => Instant::now() >= until,
            None => done >= u64::from(times),
        };
        if over {
            return done;
        }
    }
}

/// A sample with a few changes.
pub fn mutated(rng: &mut Rng, samples: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = rng.pick(samples).clone();
    for _ in 0..=rng.below(4) {
        change(rng, &mut bytes, samples);
    }
    bytes.truncate(LENGTH_MAX);
    bytes
}

fn change(rng: &mut Rng, bytes: &mut Vec<u8>, samples: &[Vec<u8>]) {
    let at = rng.below(bytes.len() + 1);
    let to = at + rng.below((bytes.len() - at + 1).min(64));
    match rng.below(8) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..to)),
        2 => drop(bytes.splice(at..to, rng.pick(NASTY).iter().copied())),
        3 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << rng.below(8);
            }
        }
        4 => {
            let piece = bytes[at..to].repeat(1 + rng.below(100));
            drop(bytes.splice(at..at, piece));
        }
        5 => {
            let other = rng.pick(samples);
            let from = rng.below(other.len() + 1);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        6 => drop(bytes.splice(
            at..to,
            std::iter::repeat_with(|| rng.byte()).take(4).collect::<Vec<_>>(),
        )),
        _ => drop(bytes.splice(at..at, rng.pick(NASTY).iter().copied())),
    }
}
