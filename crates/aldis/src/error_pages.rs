//! The pages about the codes of the API: docs/errors, embedded by the build script.

/// The codes that have a page, and the pages.
pub(crate) const PAGES: &[(i64, &str)] = include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// The page about a code.
pub(crate) fn page(code: i64) -> Option<&'static str> {
    let found = PAGES.iter().find(|(known, _)| *known == code);
    found.map(|(_, page)| *page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_about_its_code() {
        assert!(PAGES.iter().any(|(code, _)| *code == 24404));
        for (code, page) in PAGES {
            assert!(page.starts_with(&format!("# {code}")), "{code}");
        }
    }
}
