//! Prometheus' text format, as far as Envoy writes it (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
//! A line that cannot be read is left out: a monitor shows what it has.

use std::collections::BTreeMap;

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) value: f64,
}

impl Sample {
    /// A label; empty if there is none of that name.
    pub(super) fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

/// All samples of a text.
pub(super) fn samples(text: &str) -> Vec<Sample> {
    text.lines().filter_map(sample).collect()
}

fn sample(line: &str) -> Option<Sample> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let name_len = line.find(['{', ' ', '\t'])?;
    let (name, rest) = line.split_at_checked(name_len)?;
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (BTreeMap::new(), rest),
    };
    // A time may follow.
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample { name: name.to_owned(), labels, value })
}

/// What stands between the braces, and what follows them.
fn labels(mut rest: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, value) = rest.split_once("=\"")?;
        let (value, after) = quoted(value)?;
        labels.insert(name.trim().to_owned(), value);
        rest = after;
    }
}

/// A value up to its closing quote, and what follows that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                escaped => escaped,
            }),
            _ => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    type Labels = Vec<(String, String)>;

    fn read(line: &str) -> Option<(String, Labels, f64)> {
        sample(line).map(|sample| (sample.name, sample.labels.into_iter().collect(), sample.value))
    }

    #[test]
    fn a_line_is_a_name_labels_and_a_value() {
        let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        for (line, expected) in [
            ("nr_up 1", Some(("nr_up", vec![], 1.0))),
            ("nr_up{} 1 1700000000000", Some(("nr_up", vec![], 1.0))),
            (r#"a{x="1",y="two"} 2.5e3"#, Some(("a", vec![label("x", "1"), label("y", "two")], 2_500.0))),
            (r#"a{le="+Inf",} 7"#, Some(("a", vec![label("le", "+Inf")], 7.0))),
            (r#"a{x="with \"quotes\", {braces} and \\\n"} 1"#, Some(("a", vec![label("x", "with \"quotes\", {braces} and \\\n")], 1.0))),
            ("a +Inf", Some(("a", vec![], f64::INFINITY))),
            ("# TYPE a counter", None),
            ("", None),
            ("a", None),
            ("a{x=\"1\" 2", None),
            ("a{x} 2", None),
            ("a nothing", None),
        ] {
            let expected = expected.map(|(name, labels, value)| (name.to_owned(), labels, value));
            assert_eq!(read(line), expected, "{line}");
        }
    }
}
