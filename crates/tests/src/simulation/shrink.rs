//! Makes a failing history short: leaves out whatever is not needed for it to fail.

use super::operation::Operation;

/// The shortest part of `operations` found that still `fails`. Leaves out halves, then quarters, down to single
/// operations.
pub fn shrink(operations: &[Operation], mut fails: impl FnMut(&[Operation]) -> bool) -> Vec<Operation> {
    let mut kept = operations.to_vec();
    let mut size = kept.len().div_ceil(2).max(1);
    loop {
        let mut start = 0;
        let mut shorter = false;
        while start < kept.len() {
            let end = (start + size).min(kept.len());
            let mut without = kept[..start].to_vec();
            without.extend_from_slice(&kept[end..]);
            if fails(&without) {
                kept = without;
                shorter = true;
            } else {
                start = end;
            }
        }
        if size > 1 {
            size = size.div_ceil(2);
        } else if !shorter {
            return kept;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_needed_is_left_out() {
        let operations: Vec<Operation> = (0..100).map(Operation::Wait).collect();
        let fails = |part: &[Operation]| part.contains(&Operation::Wait(17)) && part.contains(&Operation::Wait(71));
        assert_eq!(shrink(&operations, fails), [Operation::Wait(17), Operation::Wait(71)]);
    }
}
