//! Why an answer ended (<https://ai.google.dev/api/generate-content#FinishReason>), and what that makes
//! of an answer without a word.

use crate::openai::members::encode;
use crate::provider::Fault;
use crate::provider::translate::json::Object;
use crate::provider::{error_name, scrub};

/// What an ending is to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The model was done.
    Stop,
    /// Out of tokens.
    Length,
    /// Withheld for what is in it.
    Filter,
    /// The model or the provider has failed.
    Failure,
}

fn kind(reason: &str) -> Kind {
    match reason {
        "MAX_TOKENS" | "CONTINUATION" => Kind::Length,
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "MODEL_ARMOR"
        | "JAILBREAK"
        | "ESCALATION" => Kind::Filter,
        "OTHER"
        | "MALFORMED_FUNCTION_CALL"
        | "MALFORMED_RESPONSE"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "MISSING_THOUGHT_SIGNATURE"
        | "PUP_LIMITED_DISABLED"
        | "NO_IMAGE"
        | "IMAGE_OTHER" => Kind::Failure,
        // STOP, and what is invented tomorrow.
        _ => Kind::Stop,
    }
}

/// The end of an answer, from its candidate or from the feedback on its prompt.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Ending {
    /// The last `finishReason`: earlier models say `STOP` in every event.
    finish: Option<String>,
    /// `promptFeedback.blockReason`.
    blocked: Option<String>,
}

impl Ending {
    /// Notes what a candidate says.
    pub(super) fn note_candidate(&mut self, candidate: &Object<'_>) {
        let reason = candidate.text("finishReason").filter(|reason| reason != "FINISH_REASON_UNSPECIFIED" && !reason.is_empty());
        if let Some(reason) = reason {
            self.finish = Some(reason.into_owned());
        }
    }

    /// Notes what the answer says of its prompt.
    pub(super) fn note_prompt(&mut self, answer: &Object<'_>) {
        let feedback = answer.object("promptFeedback");
        let reason = feedback.and_then(|feedback| feedback.text("blockReason").map(|reason| reason.into_owned()));
        // The Gemini API and Vertex AI differ in what they call none.
        if let Some(reason) = reason.filter(|reason| !reason.is_empty() && !reason.ends_with("_UNSPECIFIED")) {
            self.blocked = Some(reason);
        }
    }

    /// OpenAI's `finish_reason`; `None` if the answer has not ended.
    pub(super) fn finish_reason(&self, has_calls: bool) -> Option<&'static str> {
        if self.blocked.is_some() {
            return Some("content_filter");
        }
        Some(match kind(self.finish.as_deref()?) {
            Kind::Length => "length",
            Kind::Filter => "content_filter",
            // Clients look for calls when, and only when, they are told so.
            Kind::Stop | Kind::Failure if has_calls => "tool_calls",
            Kind::Stop | Kind::Failure => "stop",
        })
    }

    /// What an answer without a word is: a refusal, as a literal; nothing, all tokens having gone into
    /// thinking; or a failure, where another candidate may do better.
    pub(super) fn without_content(&self) -> Result<Option<Vec<u8>>, Fault> {
        let (what, reason) = match (&self.blocked, &self.finish) {
            (Some(reason), _) => ("prompt", reason),
            (None, Some(reason)) => match kind(reason) {
                Kind::Stop => return Err(Fault::Malformed),
                Kind::Length => return Ok(None),
                Kind::Failure => return Err(Fault::InBand(error_name(reason))),
                Kind::Filter => ("answer", reason),
            },
            (None, None) => return Err(Fault::Malformed),
        };
        let mut refusal = Vec::new();
        encode(&format!("The provider has blocked the {what}: {}", scrub(reason)), &mut refusal);
        Ok(Some(refusal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_reason_has_its_ending() {
        let fault = |reason: &str| Err(Fault::InBand(reason.to_owned()));
        for (reason, said, called, empty) in [
            ("STOP", "stop", "tool_calls", Err(Fault::Malformed)),
            ("MAX_TOKENS", "length", "length", Ok(false)),
            ("CONTINUATION", "length", "length", Ok(false)),
            ("SAFETY", "content_filter", "content_filter", Ok(true)),
            ("RECITATION", "content_filter", "content_filter", Ok(true)),
            ("LANGUAGE", "content_filter", "content_filter", Ok(true)),
            ("OTHER", "stop", "tool_calls", fault("OTHER")),
            ("BLOCKLIST", "content_filter", "content_filter", Ok(true)),
            ("PROHIBITED_CONTENT", "content_filter", "content_filter", Ok(true)),
            ("SPII", "content_filter", "content_filter", Ok(true)),
            ("MALFORMED_FUNCTION_CALL", "stop", "tool_calls", fault("MALFORMED_FUNCTION_CALL")),
            ("IMAGE_SAFETY", "content_filter", "content_filter", Ok(true)),
            ("IMAGE_PROHIBITED_CONTENT", "content_filter", "content_filter", Ok(true)),
            ("IMAGE_OTHER", "stop", "tool_calls", fault("IMAGE_OTHER")),
            ("NO_IMAGE", "stop", "tool_calls", fault("NO_IMAGE")),
            ("IMAGE_RECITATION", "content_filter", "content_filter", Ok(true)),
            ("UNEXPECTED_TOOL_CALL", "stop", "tool_calls", fault("UNEXPECTED_TOOL_CALL")),
            ("TOO_MANY_TOOL_CALLS", "stop", "tool_calls", fault("TOO_MANY_TOOL_CALLS")),
            ("MISSING_THOUGHT_SIGNATURE", "stop", "tool_calls", fault("MISSING_THOUGHT_SIGNATURE")),
            ("MALFORMED_RESPONSE", "stop", "tool_calls", fault("MALFORMED_RESPONSE")),
            ("ESCALATION", "content_filter", "content_filter", Ok(true)),
            ("PUP_LIMITED_DISABLED", "stop", "tool_calls", fault("PUP_LIMITED_DISABLED")),
            ("MODEL_ARMOR", "content_filter", "content_filter", Ok(true)),
            ("TOMORROW", "stop", "tool_calls", Err(Fault::Malformed)),
        ] {
            let ending = Ending { finish: Some(reason.to_owned()), blocked: None };
            assert_eq!((ending.finish_reason(false), ending.finish_reason(true)), (Some(said), Some(called)), "{reason}");
            assert_eq!(ending.without_content().map(|refusal| refusal.is_some()), empty, "{reason}");
        }
        assert_eq!(Ending::default().finish_reason(true), None);
        assert_eq!(Ending::default().without_content(), Err(Fault::Malformed));
    }

    #[test]
    fn a_prompt_that_is_blocked_for_no_reason_is_not_blocked() {
        for reason in ["BLOCK_REASON_UNSPECIFIED", "BLOCKED_REASON_UNSPECIFIED", ""] {
            let mut ending = Ending { finish: Some("STOP".into()), blocked: None };
            let answer = format!(r#"{{"promptFeedback":{{"blockReason":"{reason}"}}}}"#);
            ending.note_prompt(&Object::read(&answer).expect("an object"));
            assert_eq!(ending.finish_reason(false), Some("stop"), "{reason}");
        }
    }

    #[test]
    fn a_blocked_prompt_is_a_refusal_whatever_else_is_said() {
        let mut ending = Ending { finish: Some("STOP".into()), blocked: None };
        ending.note_prompt(&Object::read(r#"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}}"#).expect("an object"));
        ending.note_prompt(&Object::read(r#"{"promptFeedback":{"blockReason":""}}"#).expect("an object"));
        assert_eq!(ending.finish_reason(true), Some("content_filter"));
        assert_eq!(ending.without_content(), Ok(Some(br#""The provider has blocked the prompt: PROHIBITED_CONTENT""#.to_vec())));
    }
}
