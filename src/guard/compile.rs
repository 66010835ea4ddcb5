//! From what an operator states to what is searched for.

use super::detect::Detector;
use super::rules::Rules;
use super::{Action, Bounds, Counts, Spec};

/// The rules of one workspace, compiled.
#[derive(Debug, Default)]
pub struct Guard {
    input: Option<Rules>,
    output: Option<Rules>,
    bounds: Vec<(String, Bounds)>,
}

/// A rule that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Which rule, from 0.
    pub rule: usize,
    /// Which of its members.
    pub member: &'static str,
    /// What is wrong with it.
    pub message: String,
}

/// A name is part of errors and placeholders.
const MAX_NAME_BYTES: usize = 64;

/// Of one workspace; the automaton has an entry for each, and each VM has an automaton.
const MAX_RULES: usize = 256;

/// A stream may have to hold back so much of an answer.
const MAX_TERM_BYTES: usize = 256;

/// Of one workspace.
const MAX_TERMS: usize = 10_000;

/// Of one workspace: the automaton takes up to 50 bytes for each of them while it is built.
const MAX_TERMS_BYTES: usize = 1 << 20;

impl Guard {
    /// Checks and compiles the rules of a workspace.
    pub fn compile(specs: &[Spec]) -> Result<Self, Refused> {
        check_sizes(specs)?;
        for (rule, spec) in specs.iter().enumerate() {
            check(spec).map_err(|(member, message)| Refused { rule, member, message })?;
        }
        let side = |on: fn(&Spec) -> bool| {
            let specs: Vec<&Spec> = specs.iter().filter(|spec| on(spec) && searches(spec)).collect();
            (!specs.is_empty()).then(|| Rules::compile(&specs))
        };
        let bounds = specs.iter().filter(|spec| spec.limit != Bounds::default()).map(|spec| (spec.name.clone(), spec.limit)).collect();
        Ok(Self { input: side(|spec| spec.input), output: side(|spec| spec.output), bounds })
    }

    /// Rules for the text of requests; `None` if no rule looks at it.
    pub fn input(&self) -> Option<&Rules> {
        self.input.as_ref()
    }

    /// Rules for the text of answers; `None` if no rule looks at it.
    pub fn output(&self) -> Option<&Rules> {
        self.output.as_ref()
    }

    /// Whether any rule bounds requests: without one there is no need to count.
    pub fn has_bounds(&self) -> bool {
        !self.bounds.is_empty()
    }

    /// The first bound that a request is above, and whose it is.
    pub fn exceeds(&self, counts: &Counts) -> Option<Exceeded<'_>> {
        self.bounds.iter().find_map(|(rule, bounds)| {
            let each = [
                ("prompt_bytes", bounds.prompt_bytes, counts.prompt_bytes),
                ("messages", bounds.messages, counts.messages),
                ("tools", bounds.tools, counts.tools),
                ("n", bounds.n, counts.n),
                ("max_tokens", bounds.max_tokens, counts.max_tokens.unwrap_or(u64::MAX)),
            ];
            let (bound, most) = each.into_iter().find_map(|(name, most, count)| Some((name, most.filter(|most| count > *most)?)))?;
            Some(Exceeded { rule, bound, most })
        })
    }
}

/// A bound that a request is above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded<'a> {
    /// Name of the rule.
    pub rule: &'a str,
    /// Name of the bound, as in [`Bounds`].
    pub bound: &'static str,
    /// What it allows.
    pub most: u64,
}

/// Whether a rule looks for something in a text.
fn searches(spec: &Spec) -> bool {
    !spec.detect.is_empty() || !spec.terms.is_empty() || !spec.patterns.is_empty()
}

/// What only all rules together can have too much of.
fn check_sizes(specs: &[Spec]) -> Result<(), Refused> {
    let (mut terms, mut bytes) = (0, 0);
    for (rule, spec) in specs.iter().enumerate() {
        let refused = |member, message| Err(Refused { rule, member, message });
        terms += spec.terms.len();
        bytes += spec.terms.iter().map(String::len).sum::<usize>();
        if rule >= MAX_RULES {
            return refused("name", format!("a workspace has at most {MAX_RULES} rules"));
        }
        if terms > MAX_TERMS {
            return refused("terms", format!("the rules of a workspace have at most {MAX_TERMS} terms"));
        }
        if bytes > MAX_TERMS_BYTES {
            return refused("terms", format!("the terms of a workspace have at most {MAX_TERMS_BYTES} bytes together"));
        }
    }
    Ok(())
}

fn check(spec: &Spec) -> Result<(), (&'static str, String)> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if spec.name.is_empty() || spec.name.len() > MAX_NAME_BYTES || !spec.name.bytes().all(fits) {
        return Err(("name", format!("has to be 1 to {MAX_NAME_BYTES} letters, digits, `-`, `_` or `.`")));
    }
    let bounds = spec.limit != Bounds::default();
    if !searches(spec) && !bounds {
        return Err(("name", format!("`{}` looks for nothing: give it detect, terms, patterns or limit", spec.name)));
    }
    if !spec.input && !spec.output {
        return Err(("on", "has to name input, output or both".to_owned()));
    }
    for name in &spec.detect {
        if Detector::ALL.iter().all(|detector| detector.name() != name) {
            let names: Vec<&str> = Detector::ALL.iter().map(|detector| detector.name()).collect();
            return Err(("detect", format!("there is no detector `{}`; there are {}", shown(name), names.join(", "))));
        }
    }
    for (at, term) in spec.terms.iter().enumerate() {
        if term.is_empty() {
            return Err(("terms", format!("term {at} is empty")));
        }
        if term.len() > MAX_TERM_BYTES {
            return Err(("terms", format!("term {at} has {} bytes; at most {MAX_TERM_BYTES} are allowed", term.len())));
        }
    }
    if bounds && spec.action != Action::Block {
        return Err(("limit", "is only possible with the action block".to_owned()));
    }
    if bounds && !spec.input {
        return Err(("limit", "bounds requests: it needs on: [input]".to_owned()));
    }
    if bounds && spec.output && !searches(spec) {
        return Err(("on", "a rule that has only a limit cannot be on output".to_owned()));
    }
    super::patterns::check(&spec.patterns).map_err(|message| ("patterns", message))
}

/// What somebody wrote in a configuration, short enough for a message.
fn shown(text: &str) -> String {
    text.chars().take(MAX_NAME_BYTES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> Spec {
        Spec { name: "rule".to_owned(), terms: vec!["x".to_owned()], input: true, ..Spec::default() }
    }

    fn limit() -> Spec {
        Spec { terms: Vec::new(), limit: Bounds { n: Some(1), ..Bounds::default() }, ..spec() }
    }

    #[test]
    fn refuses_rules_that_cannot_be_kept() {
        let strings = |strings: &[&str]| strings.iter().map(|&string| string.to_owned()).collect::<Vec<_>>();
        let at_most = "has to be 1 to 64 letters, digits, `-`, `_` or `.`";
        let detectors = "there is no detector `ssn`; there are api_key, credit_card, email, iban, ipv4, phone";
        for (member, message, spec) in [
            ("name", at_most, Spec { name: String::new(), ..spec() }),
            ("name", at_most, Spec { name: "a".repeat(65), ..spec() }),
            ("name", at_most, Spec { name: "a b".to_owned(), ..spec() }),
            ("name", at_most, Spec { name: "ä".to_owned(), ..spec() }),
            ("name", "`rule` looks for nothing: give it detect, terms, patterns or limit", Spec { terms: Vec::new(), ..spec() }),
            ("on", "has to name input, output or both", Spec { input: false, ..spec() }),
            ("detect", detectors, Spec { detect: strings(&["email", "ssn"]), ..spec() }),
            ("terms", "term 1 is empty", Spec { terms: strings(&["a", ""]), ..spec() }),
            ("terms", "term 0 has 257 bytes; at most 256 are allowed", Spec { terms: vec!["a".repeat(257)], ..spec() }),
            ("limit", "is only possible with the action block", Spec { action: Action::Redact, ..limit() }),
            ("limit", "bounds requests: it needs on: [input]", Spec { input: false, output: true, ..limit() }),
            ("on", "a rule that has only a limit cannot be on output", Spec { output: true, ..limit() }),
        ] {
            let refused = Guard::compile(&[self::spec(), spec]).expect_err(message);
            assert_eq!((refused.rule, refused.member, refused.message.as_str()), (1, member, message));
        }
    }

    #[test]
    fn refuses_too_much() {
        let refused = |specs: &[Spec]| Guard::compile(specs).map_or_else(|refused| (refused.rule, refused.member), |_| (0, "accepted"));
        let terms = |count: usize, bytes: usize| Spec { terms: vec!["a".repeat(bytes); count], ..spec() };
        assert_eq!(refused(&[terms(9_999, 3), spec()]), (0, "accepted"));
        assert_eq!(refused(&[terms(10_000, 3), spec()]), (1, "terms"));
        assert_eq!(refused(&[terms(4_000, 256), terms(97, 256)]), (1, "terms"));
        assert_eq!(refused(&vec![spec(); 256]), (0, "accepted"));
        assert_eq!(refused(&vec![spec(); 257]), (256, "name"));
    }

    #[cfg(not(feature = "regex"))]
    #[test]
    fn refuses_patterns_without_the_feature() {
        let refused = Guard::compile(&[Spec { patterns: vec!["a".to_owned()], ..spec() }]).expect_err("no feature");
        assert_eq!((refused.rule, refused.member), (0, "patterns"));
        assert!(refused.message.contains("cargo feature `regex`"), "{}", refused.message);
    }

    #[test]
    fn each_side_has_the_rules_that_look_at_it() {
        let guard = Guard::compile(&[
            Spec { name: "both".to_owned(), output: true, action: Action::Redact, ..spec() },
            limit(),
            Spec { name: "output".to_owned(), input: false, output: true, ..spec() },
        ]);
        let guard = guard.expect("valid rules");
        let names = |rules: &Rules| {
            let mut names = Vec::new();
            rules.find("x", |found| names.push(rules.rule(found.rule).expect("a rule").name.clone()));
            names
        };
        assert_eq!(guard.input().map(names), Some(vec!["both".to_owned()]));
        assert_eq!(guard.output().map(names), Some(vec!["both".to_owned(), "output".to_owned()]));
        let guard = Guard::compile(&[limit()]).expect("valid rules");
        assert!(guard.input().is_none() && guard.output().is_none() && guard.has_bounds());
        assert!(!Guard::compile(&[]).expect("no rules").has_bounds());
    }

    #[test]
    fn the_first_rule_with_a_bound_that_is_exceeded_is_named() {
        let bounded = |name: &str, limit: Bounds| Spec { name: name.to_owned(), limit, ..self::limit() };
        let none = Bounds::default();
        let rules = [
            bounded("bytes", Bounds { prompt_bytes: Some(10), ..none }),
            bounded("messages", Bounds { messages: Some(2), ..none }),
            bounded("tools", Bounds { tools: Some(0), ..none }),
            bounded("n", Bounds { n: Some(1), ..none }),
            bounded("tokens", Bounds { max_tokens: Some(100), ..none }),
        ];
        let guard = Guard::compile(&rules).expect("valid rules");
        let within = Counts { prompt_bytes: 10, messages: 2, tools: 0, n: 1, max_tokens: Some(100) };
        assert_eq!(guard.exceeds(&within), None);
        for (name, counts) in [
            ("bytes", Counts { prompt_bytes: 11, n: 2, ..within }),
            ("messages", Counts { messages: 3, ..within }),
            ("tools", Counts { tools: 1, ..within }),
            ("n", Counts { n: 2, ..within }),
            ("tokens", Counts { max_tokens: Some(101), ..within }),
            ("tokens", Counts { max_tokens: None, ..within }),
        ] {
            assert_eq!(guard.exceeds(&counts).map(|exceeded| exceeded.rule), Some(name));
        }
    }
}
