//! Enums whose numbers are stored.

/// Fails to compile unless each variant of an enum's `ALL` stands at its number: readers of stored numbers take the entry
/// at that index.
#[macro_export]
macro_rules! each_at_its_number {
    ($all:expr) => {
        const _: () = {
            let mut number = 0;
            while number < $all.len() {
                assert!($all[number] as usize == number);
                number += 1;
            }
        };
    };
}
