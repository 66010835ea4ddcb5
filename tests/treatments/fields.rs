//! The set of members of a request, held to their names: what a name sets, nothing else does.

use neural_router::openai::{ChatRequest, Fields};

use super::sample::Sample;

fn fields(body: &str) -> Fields {
    ChatRequest::parse(body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error:?}")).fields
}

/// Those that have a value of their own to be tried with.
fn tried() -> impl Iterator<Item = &'static str> {
    super::names().into_iter().filter(|name| Fields::documented().any(|documented| documented == *name))
}

/// The names of a set, by asking for each.
fn named(fields: Fields) -> Vec<&'static str> {
    Fields::documented().filter(|name| fields.meets(Fields::of(&[name]))).collect()
}

#[test]
fn every_name_has_a_place_and_no_two_share_one() {
    let all: Vec<&str> = Fields::documented().collect();
    assert!(all.len() > 30, "{all:?}");
    for name in &all {
        assert_eq!(named(Fields::of(&[name])), [*name]);
        assert_eq!(Fields::of(&all).first_common(Fields::of(&[name])), Some(*name));
        let others: Vec<&str> = all.iter().filter(|other| *other != name).copied().collect();
        assert_eq!(Fields::of(&others).first_common(Fields::of(&[name])), None, "{name}");
    }
    assert_eq!(named(Fields::of(&all)), all);
}

#[test]
fn a_name_that_is_nearly_one_is_none() {
    for name in Fields::documented() {
        let nearly = [
            name.to_uppercase(),
            format!("{name} "),
            format!("{name}\0"),
            format!("x{name}"),
            format!("{name}.x"),
            name.chars().skip(1).collect(),
            name.chars().rev().skip(1).collect::<Vec<char>>().into_iter().rev().collect(),
        ];
        for wrong in nearly.iter().filter(|wrong| Fields::documented().all(|documented| documented != **wrong)) {
            assert_eq!(Fields::of(&[wrong]), Fields::default(), "{wrong:?}");
            let written = serde_json::to_string(wrong).expect("JSON");
            let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],{written}:[[{{"a":null}}]]}}"#);
            assert_eq!(named(fields(&body)), ["model", "messages"], "{wrong:?}");
        }
    }
}

#[test]
fn a_request_has_the_members_it_has() {
    for name in tried() {
        let Sample { with, without, .. } = Sample::of(name);
        let (with, without) = (named(fields(&with)), named(fields(&without)));
        assert!(with.contains(&name) && !without.contains(&name), "{name}: {with:?}, {without:?}");
        assert_eq!(with.iter().filter(|member| **member != name).copied().collect::<Vec<_>>(), without);
    }
}

#[test]
fn nothing_is_said_by_null_and_an_escape_says_the_same() {
    for name in tried() {
        let messages = r#""messages":[{"role":"user","content":"hi"}]"#;
        let null = format!(r#"{{"{name}":null,"model":"m",{messages}}}"#);
        assert_eq!(named(fields(&null)), ["model", "messages"], "{name}");
        let escaped: String = name.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
        let sample = Sample::of(name).with;
        let written = sample.replacen(&format!("\"{name}\":"), &format!("\"{escaped}\":"), 1);
        assert_ne!(written, sample, "{name}");
        assert_eq!(fields(&written), fields(&sample), "{name}");
    }
}
