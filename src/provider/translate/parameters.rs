//! Parameters that protocols have in common: read, checked, and written under another name.

use core::ops::RangeInclusive;

use super::json::{Halt, Object, elements, inner};
use super::{Adjustments, Path};
use crate::provider::Failed;

/// Values that say what would happen anyway: leaving them out changes nothing.
const NEUTRAL: [(&str, &[&str]); 15] = [
    ("n", &["1"]),
    ("stream", &["false"]),
    ("presence_penalty", &["0", "0.0"]),
    ("frequency_penalty", &["0", "0.0"]),
    ("logit_bias", &["{}"]),
    ("logprobs", &["false"]),
    ("top_logprobs", &["0"]),
    ("store", &["false"]),
    ("metadata", &["{}"]),
    ("modalities", &[r#"["text"]"#]),
    ("tools", &["[]"]),
    ("functions", &["[]"]),
    ("function_call", &[r#""none""#, r#""auto""#]),
    ("parallel_tool_calls", &["true"]),
    ("service_tier", &[r#""auto""#]),
];

/// Appends `,` and a member whose value is JSON.
pub(in crate::provider) fn member(name: &str, value: &str, out: &mut Vec<u8>) {
    for piece in [",\"", name, "\":", value] {
        out.extend_from_slice(piece.as_bytes());
    }
}

/// Whether a member says what happens without it.
pub(in crate::provider) fn is_neutral(name: &str, value: &str) -> bool {
    let says = |neutral: &&str| value.bytes().filter(|byte| !byte.is_ascii_whitespace()).eq(neutral.bytes());
    NEUTRAL.iter().any(|(member, values)| *member == name && values.iter().any(says))
}

/// A number within OpenAI's bounds, and as it is written.
pub(in crate::provider) fn number<'a>(
    body: &Object<'a>,
    name: &'static str,
    bounds: RangeInclusive<f64>,
) -> Result<Option<(f64, &'a str)>, Failed> {
    let Some(literal) = body.find(name) else { return Ok(None) };
    match literal.parse::<f64>() {
        Ok(number) if bounds.contains(&number) => Ok(Some((number, literal))),
        _ => Err(Path::root(name).expected(&format!("a number from {} to {}", bounds.start(), bounds.end()))),
    }
}

/// Appends a number as `to`, brought within the provider's bounds.
pub(in crate::provider) fn bounded(
    (name, to): (&'static str, &str),
    (number, literal): (f64, &str),
    bounds: RangeInclusive<f64>,
    adjustments: &mut Adjustments,
    out: &mut Vec<u8>,
) {
    if bounds.contains(&number) {
        return member(to, literal, out);
    }
    let (word, bound) = if number < *bounds.start() { ("raised", bounds.start()) } else { ("lowered", bounds.end()) };
    adjustments.note(format!("{name} {word} from {number} to {bound}"));
    member(to, &bound.to_string(), out);
}

/// A truth value.
pub(in crate::provider) fn flag(body: &Object<'_>, name: &'static str) -> Result<Option<bool>, Failed> {
    match body.find(name) {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(Path::root(name).expected("true or false")),
    }
}

/// How long the answer may be: the newer member before the older one.
pub(in crate::provider) fn max_tokens<'a>(body: &Object<'a>) -> Result<Option<&'a str>, Failed> {
    let Some((name, value)) = ["max_completion_tokens", "max_tokens"].iter().find_map(|name| body.find(name).map(|value| (*name, value)))
    else {
        return Ok(None);
    };
    let valid = value.parse::<u64>().is_ok_and(|tokens| tokens > 0);
    if valid { Ok(Some(value)) } else { Err(Path::root(name).expected("a whole number of at least 1")) }
}

/// `stop` as an array of at most so many strings; `None` if there is nothing to stop at.
pub(in crate::provider) fn stops(body: &Object<'_>, most: usize) -> Result<Option<String>, Failed> {
    let at = Path::root("stop");
    match body.find("stop") {
        None => Ok(None),
        Some(array) if array.starts_with('[') => {
            let visit = |index, literal: &str| inner(literal).map(|_| ()).ok_or(index);
            let count = elements(array, most, visit).map_err(|halt| match halt {
                Halt::NotAnArray => at.expected("a string or an array of strings"),
                Halt::Element(index) | Halt::Visitor(index) => at.index(index).expected("a string, and not so many"),
            })?;
            Ok((count > 0).then(|| array.to_owned()))
        }
        Some(literal) => {
            inner(literal).ok_or_else(|| at.expected("a string or an array of strings"))?;
            Ok(Some(["[", literal, "]"].concat()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_anyway_is_no_change() {
        for (name, value, neutral) in [
            ("n", "1", true),
            ("n", "2", false),
            ("modalities", r#"[ "text" ]"#, true),
            ("modalities", r#"["text","audio"]"#, false),
            ("future", "0", false),
        ] {
            assert_eq!(is_neutral(name, value), neutral, "{name} {value}");
        }
    }

    #[test]
    fn a_number_is_brought_within_bounds_and_says_so() {
        for (number, literal, expected, changes) in [
            (0.25, "0.250", r#","p":0.250"#, &[][..]),
            (-1.0, "-1", r#","p":0.01"#, &["top_p raised from -1 to 0.01"]),
            (1.0, "1", r#","p":0.99"#, &["top_p lowered from 1 to 0.99"]),
        ] {
            let (mut adjustments, mut out) = (Adjustments::default(), Vec::new());
            bounded(("top_p", "p"), (number, literal), 0.01..=0.99, &mut adjustments, &mut out);
            assert_eq!(
                (String::from_utf8(out).as_deref(), adjustments.into_list()),
                (Ok(expected), changes.iter().map(|c| (*c).to_owned()).collect())
            );
        }
    }

    #[test]
    fn a_stop_is_always_an_array() {
        let read = |value: &str| {
            let body = format!(r#"{{"stop":{value}}}"#);
            stops(&Object::read(&body).expect("an object"), 5).map_err(|failed| failed.param)
        };
        for (value, expected) in [
            (r#""a\n""#, Ok(Some(r#"["a\n"]"#.to_owned()))),
            (r#"["a", "b"]"#, Ok(Some(r#"["a", "b"]"#.to_owned()))),
            ("[]", Ok(None)),
            ("null", Ok(None)),
            ("7", Err(Some("stop".to_owned()))),
            (r#"["a",7]"#, Err(Some("stop[1]".to_owned()))),
            (r#"["a","b","c","d","e","f"]"#, Err(Some("stop[5]".to_owned()))),
        ] {
            assert_eq!(read(value), expected, "{value}");
        }
    }
}
