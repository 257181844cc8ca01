//! What polars prints by itself. Text that is cast to dates and times makes it say, once for each batch of rows, that version 2 will have
//! another name for that; this version has none that takes the same texts.
//!
//! It refuses to be silent about anything else. Invariant: all other warnings go where they went before, to a function that the program has set
//! too.

use std::sync::{Once, OnceLock};

use polars::error::{PolarsWarning, get_warning_function, set_warning_function};

static BEFORE: OnceLock<fn(&str, PolarsWarning)> = OnceLock::new();

/// From now on polars says nothing when text is cast to dates and times. A program that sets a function for polars' warnings later is told again.
pub fn quiet_casts() {
    static SET: Once = Once::new();
    // First who is told, so that no warning in between is lost.
    BEFORE.get_or_init(get_warning_function);
    SET.call_once(|| set_warning_function(all_others));
}

fn all_others(text: &str, warning: PolarsWarning) {
    if let Some(before) = BEFORE.get().filter(|_| !is_of_cast(text, &warning)) {
        before(text, warning);
    }
}

fn is_of_cast(text: &str, warning: &PolarsWarning) -> bool {
    matches!(warning, PolarsWarning::Deprecation) && text.starts_with("Casting from String to Date")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_casts_of_text_are_left_out() {
        let deprecated = |text: &str| is_of_cast(text, &PolarsWarning::Deprecation);
        assert!(deprecated("Casting from String to Date is deprecated and will be removed"));
        assert!(deprecated("Casting from String to DateTime is deprecated and will be removed"));
        assert!(!deprecated("casting from Int64 to Enum is deprecated"));
        assert!(!is_of_cast("Casting from String to Date", &PolarsWarning::UserWarning));
    }
}
