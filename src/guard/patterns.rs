//! Regular expressions, in a build with the cargo feature `regex`: an engine for them would be more than the
//! rest of the module (docs/decisions/0012).

pub(super) use imp::{Patterns, check};

#[cfg(not(feature = "regex"))]
mod imp {
    use crate::guard::rules::RuleIndex;
    use core::ops::Range;

    /// None.
    #[derive(Debug)]
    pub(in crate::guard) struct Patterns;

    /// Whether they can be compiled.
    pub(in crate::guard) fn check(patterns: &[String]) -> Result<(), String> {
        if patterns.is_empty() {
            Ok(())
        } else {
            Err("regular expressions need a filter that was built with the cargo feature `regex`".to_owned())
        }
    }

    impl Patterns {
        pub(in crate::guard) fn new<'a>(_: impl Iterator<Item = (RuleIndex, &'a str)>) -> Self {
            Self
        }

        pub(in crate::guard) fn is_empty(&self) -> bool {
            true
        }

        pub(in crate::guard) fn longest_held(&self) -> usize {
            0
        }

        pub(in crate::guard) fn scan(&self, text: &str, _: usize, _: bool, _: impl FnMut(RuleIndex, Range<usize>)) -> usize {
            text.len()
        }
    }
}

#[cfg(feature = "regex")]
mod imp {
    use crate::guard::rules::RuleIndex;
    use core::ops::Range;
    use regex::{Regex, RegexBuilder};

    /// Regular expressions.
    #[derive(Debug)]
    pub(in crate::guard) struct Patterns {
        patterns: Vec<(RuleIndex, Regex)>,
        window: usize,
    }

    /// Of one rule. Each is a search of its own.
    const MAX_PATTERNS: usize = 32;

    /// A pattern's program can be a thousand times as long.
    const MAX_PATTERN_BYTES: usize = 1024;

    /// Of a pattern's program, and of the tables that are made of it while a text is searched.
    const MAX_PROGRAM_BYTES: usize = 1 << 20;

    /// A stream holds back so much at most. Longer matches are found in a stream if they come in
    /// one piece, or their first bytes are enough for a match.
    const MAX_WINDOW: usize = 256;

    /// Whether they can be compiled.
    pub(in crate::guard) fn check(patterns: &[String]) -> Result<(), String> {
        if patterns.len() > MAX_PATTERNS {
            return Err(format!("a rule has at most {MAX_PATTERNS} patterns"));
        }
        patterns
            .iter()
            .enumerate()
            .try_for_each(|(at, pattern)| compile(pattern).map(drop).map_err(|error| format!("pattern {at} {error}")))
    }

    /// With the bytes of its longest match.
    fn compile(pattern: &str) -> Result<(Regex, Option<usize>), String> {
        if pattern.len() > MAX_PATTERN_BYTES {
            return Err(format!("has {} bytes; at most {MAX_PATTERN_BYTES} are allowed", pattern.len()));
        }
        let syntax = regex_syntax::parse(pattern).map_err(|error| format!("cannot be read: {error}"))?;
        if syntax.properties().minimum_len().is_none_or(|length| length == 0) {
            return Err("has to match one character at least".to_owned());
        }
        let regex = RegexBuilder::new(pattern).size_limit(MAX_PROGRAM_BYTES).dfa_size_limit(MAX_PROGRAM_BYTES).build();
        let regex = regex.map_err(|error| format!("cannot be compiled: {error}"))?;
        Ok((regex, syntax.properties().maximum_len()))
    }

    impl Patterns {
        /// Of patterns that have been checked.
        pub(in crate::guard) fn new<'a>(patterns: impl Iterator<Item = (RuleIndex, &'a str)>) -> Self {
            let mut window = 0;
            let compiled = patterns.filter_map(|(rule, pattern)| {
                let (regex, longest) = compile(pattern).ok()?;
                window = window.max(longest.unwrap_or(MAX_WINDOW).min(MAX_WINDOW));
                Some((rule, regex))
            });
            Self { patterns: compiled.collect(), window }
        }

        pub(in crate::guard) fn is_empty(&self) -> bool {
            self.patterns.is_empty()
        }

        /// The longest match that a stream waits for, the character behind it, and what a cut character has too few.
        pub(in crate::guard) fn longest_held(&self) -> usize {
            if self.is_empty() { 0 } else { self.window + 4 + 3 }
        }

        /// Reports what begins at `from` or behind it, and returns from where on what follows the text may decide.
        pub(in crate::guard) fn scan(&self, text: &str, from: usize, last: bool, mut each: impl FnMut(RuleIndex, Range<usize>)) -> usize {
            // A character behind a match can be what makes it one.
            let held = if last || self.is_empty() { 0 } else { self.window + 4 };
            let open = (0..=text.len().saturating_sub(held)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0).max(from);
            for (rule, regex) in &self.patterns {
                let mut at = from;
                while let Some(found) = regex.find_at(text, at).filter(|found| last || found.start() < open) {
                    each(*rule, found.range());
                    at = found.end();
                }
            }
            open
        }
    }
}
