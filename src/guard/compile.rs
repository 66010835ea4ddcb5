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
