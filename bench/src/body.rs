//! Requests as the OpenAI SDK writes them: `messages` before `model`, compact JSON, text with line
//! breaks, quotes, backslashes and letters beyond ASCII, in turns of a conversation.

use serde_json::{Value, json};

/// What the simulated model says; short, as the answer's size is not what is measured.
pub(crate) const ANSWER: &str = "Paris is the capital of France.";

const SYSTEM: &str = "You are a careful assistant. Answer briefly.";

/// About 600 bytes of the kind of text that people paste: prose, code and a log line.
const PARAGRAPH: &str = "The nightly job failed again at 03:12; its log says \"connection reset by peer\" and then nothing.\n\
    I tried:\n\n```python\nfor row in reader:\n\tprint(f\"{row['id']}: {row['name']}\")\n```\n\n\
    which works on my machine (C:\\data\\export.csv), but not on the server – perhaps the path or the encoding, \
    since „Müller“ and “naïve café” come out garbled. The table has 48,213 rows & 17 columns, <b>some</b> of them empty; \
    memory stays below 512 MB throughout, so I doubt that it is the size. Could you say what to look at first, and why? ";

/// Longest message; a document pasted into a conversation.
const MESSAGE: usize = 16 << 10;

/// A request of exactly `bytes` bytes, or the smallest possible one if that is larger.
pub(crate) fn request(bytes: usize, model: &str, stream: bool) -> Vec<u8> {
    let turns = if bytes < 4096 { 1 } else { (bytes / MESSAGE).max(8) };
    // Each turn gets its share, and what the last lacks is found by filling it up with spaces.
    let share = bytes.saturating_sub(300) / turns * 9 / 10;
    let mut messages = vec![json!({"role": "system", "content": SYSTEM})];
    for turn in 0..turns {
        let role = if (turns - turn) % 2 == 1 { "user" } else { "assistant" };
        messages.push(json!({"role": role, "content": text(turn, share)}));
    }
    let written = write(&messages, model, stream).len();
    if let Some(Value::String(content)) = messages.last_mut().map(|last| &mut last["content"]) {
        pad(content, bytes.saturating_sub(written));
    }
    write(&messages, model, stream)
}

/// Text that takes about `bytes` bytes; every turn starts elsewhere in the paragraph.
fn text(turn: usize, bytes: usize) -> String {
    let words: Vec<&str> = PARAGRAPH.split_inclusive(' ').collect();
    let mut text = String::new();
    for word in words.iter().cycle().skip(turn * 7 % words.len()) {
        if text.len() + word.len() > bytes {
            break;
        }
        text.push_str(word);
    }
    text
}

/// Words of plain letters: they take as many bytes in JSON as in memory.
fn pad(content: &mut String, bytes: usize) {
    const FILL: &str = "and so on ";
    content.extend(FILL.chars().cycle().take(bytes));
}

/// Written by hand because the order of the fields is the point.
fn write(messages: &[Value], model: &str, stream: bool) -> Vec<u8> {
    let messages: Vec<String> =
        messages.iter().map(|message| format!(r#"{{"role":{},"content":{}}}"#, message["role"], message["content"])).collect();
    let tail = if stream { r#","stream":true,"stream_options":{"include_usage":true}"# } else { "" };
    format!(r#"{{"messages":[{}],"model":"{model}","temperature":0.2{tail}}}"#, messages.join(",")).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_the_size_asked_for_and_is_valid() {
        for bytes in [1 << 10, 32 << 10, 1 << 20, 10 << 20] {
            for stream in [false, true] {
                let body = request(bytes, "gpt-4o", stream);
                assert_eq!(body.len(), bytes);
                let value: Value = serde_json::from_slice(&body).unwrap();
                assert_eq!(value["model"], "gpt-4o");
                assert_eq!(value["stream"].as_bool(), stream.then_some(true));
                let messages = value["messages"].as_array().unwrap();
                assert_eq!(messages[messages.len() - 1]["role"], "user");
            }
        }
    }

    #[test]
    fn a_request_has_messages_before_the_model_and_text_that_needs_escapes() {
        let body = String::from_utf8(request(1 << 10, "gpt-4o", false)).unwrap();
        assert!(body.find("\"messages\"") < body.find("\"model\""));
        for escape in ["\\n", "\\\"", "\\\\", "\\t", "–", "ü"] {
            assert!(body.contains(escape), "{escape}");
        }
    }
}
