//! Log probabilities (<https://ai.google.dev/api/generate-content#LogprobsResult>) in OpenAI's form.

use crate::provider::translate::json::{Object, elements, inner};

/// More tokens than any answer has.
const MAX_TOKENS: usize = 65_536;

/// OpenAI's `logprobs` object; `None` if nothing can be read.
pub(super) fn write(candidate: &Object<'_>) -> Option<Vec<u8>> {
    let result = candidate.object("logprobsResult")?;
    let mut tops = Vec::new();
    if let Some(top) = result.find("topCandidates") {
        let visit = |_, step: Object<'_>| {
            tops.push(step.find("candidates").map_or_else(|| Some(Vec::new()), alternatives).ok_or(())?);
            Ok::<_, ()>(())
        };
        elements(top, MAX_TOKENS, visit).ok()?;
    }
    let mut out = br#"{"content":["#.to_vec();
    let mut tops = tops.into_iter();
    let visit = |index, chosen: Object<'_>| {
        if index > 0 {
            out.push(b',');
        }
        token(&chosen, &mut out).ok_or(())?;
        out.extend_from_slice(br#","top_logprobs":["#);
        out.extend_from_slice(&tops.next().unwrap_or_default());
        out.extend_from_slice(b"]}");
        Ok::<_, ()>(())
    };
    elements(result.find("chosenCandidates")?, MAX_TOKENS, visit).ok()?;
    out.extend_from_slice(br#"],"refusal":null}"#);
    Some(out)
}

/// The tokens of one step, separated by commas.
fn alternatives(candidates: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let visit = |index, candidate: Object<'_>| {
        if index > 0 {
            out.push(b',');
        }
        token(&candidate, &mut out).ok_or(())?;
        out.push(b'}');
        Ok::<_, ()>(())
    };
    elements(candidates, MAX_TOKENS, visit).ok()?;
    Some(out)
}

/// Appends `{"token", "logprob", "bytes"` and leaves the object open.
fn token(candidate: &Object<'_>, out: &mut Vec<u8>) -> Option<()> {
    let token = candidate.find("token").unwrap_or(r#""""#);
    inner(token)?;
    // A probability of one is left out, as zeros are in this form of JSON.
    let logprob = candidate.find("logProbability").unwrap_or("0");
    logprob.parse::<f64>().ok()?;
    for piece in [r#"{"token":"#, token, r#","logprob":"#, logprob, r#","bytes":null"#] {
        out.extend_from_slice(piece.as_bytes());
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_stand_beside_their_alternatives() {
        let written = |result: &str| {
            let candidate = format!(r#"{{"logprobsResult":{result}}}"#);
            Object::read(&candidate).as_ref().and_then(write).map(|out| String::from_utf8(out).expect("UTF-8"))
        };
        let whole = r#"{"topCandidates":[{"candidates":[{"token":"A","tokenId":1,"logProbability":-0.1},{"token":"\n","logProbability":-2.5}]},{}],"chosenCandidates":[{"token":"A","tokenId":1,"logProbability":-0.1},{"token":"B"}]}"#;
        let expected = r#"{"content":[{"token":"A","logprob":-0.1,"bytes":null,"top_logprobs":[{"token":"A","logprob":-0.1,"bytes":null},{"token":"\n","logprob":-2.5,"bytes":null}]},{"token":"B","logprob":0,"bytes":null,"top_logprobs":[]}],"refusal":null}"#;
        assert_eq!(written(whole).as_deref(), Some(expected));
        for wrong in [
            "{}",
            "7",
            r#"{"chosenCandidates":7}"#,
            r#"{"chosenCandidates":[{"token":7}]}"#,
            r#"{"chosenCandidates":[{"token":"a","logProbability":"x"}]}"#,
        ] {
            assert_eq!(written(wrong), None, "{wrong}");
        }
    }
}
