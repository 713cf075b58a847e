//! How much work the connected devices get, and how they answer.

use std::ops::RangeInclusive;

use clap::Args;

/// The part of a plan that scenarios with connected devices have in common.
#[derive(Debug, Clone, Args)]
pub(super) struct Answers {
    /// Milliseconds until a device answers: 50, or 0..200 at random
    #[arg(long, value_name = "MS", default_value = "0", value_parser = pause)]
    pub(super) pause: RangeInclusive<u64>,
    /// The share of commands that devices answer with a failure; they are retried at once, up to ten times
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub(super) failing: f64,
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            pause: 0..=0,
            failing: 0.0,
        }
    }
}

pub(super) fn pause(text: &str) -> Result<RangeInclusive<u64>, String> {
    let number = |text: &str| {
        text.parse::<u64>()
            .map_err(|error| format!("expected milliseconds such as 50 or 0..200: {error}"))
    };
    let (first, last) = match text.split_once("..") {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(text)?, number(text)?),
    };
    if first > last {
        return Err("the range ends before it starts".to_owned());
    }
    Ok(first..=last)
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if (0.0..1.0).contains(&share) {
        Ok(share)
    } else {
        Err("expected a share from 0 to less than 1".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_a_number_or_a_range() {
        assert_eq!(pause("50"), Ok(50..=50));
        assert_eq!(pause("0..200"), Ok(0..=200));
        for wrong in ["", "x", "5..1", "1..x"] {
            pause(wrong).unwrap_err();
        }
        assert_eq!(share("0.3"), Ok(0.3));
        share("1").unwrap_err();
    }
}
