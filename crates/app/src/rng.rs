//! Where ids and secrets come from; tests put dice of their own in its place.

/// Draws random bytes that cannot be guessed.
pub trait Rng: Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRng;

impl Rng for SystemRng {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system has a random number generator");
    }
}

/// Digits and letters without those that are mistaken for each other in print (0 O, 1 l I): 57 of them.
const ALPHABET: &[u8; 57] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/// Bytes from here on would favour the first letters.
const FAIR_BYTES: u8 = 228;

impl dyn Rng + '_ {
    /// A text of `length` letters and digits.
    #[must_use]
    pub fn text(&self, length: usize) -> String {
        let mut text = String::with_capacity(length);
        let mut bytes = [0_u8; 64];
        while text.len() < length {
            self.fill(&mut bytes);
            let fair = bytes.iter().filter(|byte| **byte < FAIR_BYTES);
            text.extend(
                fair.map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]))
                    .take(length - text.len()),
            );
        }
        text
    }

    /// A random UUID (version 4).
    #[must_use]
    pub fn uuid(&self) -> String {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_texts_have_their_length_and_differ() {
        let rng: &dyn Rng = &SystemRng;
        let texts: Vec<String> = (0..50).map(|_| rng.text(32)).collect();
        for text in &texts {
            assert_eq!(text.len(), 32);
            assert!(text.bytes().all(|byte| ALPHABET.contains(&byte)));
        }
        let distinct: std::collections::HashSet<_> = texts.iter().collect();
        assert_eq!(distinct.len(), texts.len());
        assert_eq!(usize::from(FAIR_BYTES) % ALPHABET.len(), 0);
    }
}
