//! Regular expressions, in a build that has them.

/// Whether all can be compiled.
pub(super) fn check(patterns: &[String]) -> Result<(), String> {
    if patterns.is_empty() {
        Ok(())
    } else {
        Err("regular expressions need a build of the filter with the cargo feature `regex`".to_owned())
    }
}
