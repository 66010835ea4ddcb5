//! Where in a JSON text an error lies, as a path people can follow: `models[2].price.input_per_m`.
//!
//! Serde's errors know a line and a column. Walking the text up to there costs nothing until there
//! is an error, and forty kilobytes less in the module than tracking the path while reading.

/// The path of the value that is being read just before `line` and `column` (1-based, in bytes),
/// as `serde_json` counts them; `.` for the whole document.
pub fn path_at(text: &[u8], line: usize, column: usize) -> String {
    let start: usize = text.split_inclusive(|b| *b == b'\n').take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    let end = start.saturating_add(column).saturating_sub(1);
    let mut walk = Walk::default();
    for byte in text.iter().take(end) {
        walk.take(*byte);
    }
    // What is said at a closing brace is said of the object: a member is missing.
    if let (Some(b'}'), Some(Container::Object(name))) = (text.get(end), walk.containers.last_mut()) {
        *name = None;
    }
    walk.path()
}

#[derive(Default)]
struct Walk {
    containers: Vec<Container>,
    string: Option<Vec<u8>>,
    escaped: bool,
    after_colon: bool,
}

enum Container {
    Object(Option<String>),
    Array(usize),
}

impl Walk {
    fn take(&mut self, byte: u8) {
        if let Some(string) = &mut self.string {
            match byte {
                _ if core::mem::take(&mut self.escaped) => string.push(byte),
                b'\\' => self.escaped = true,
                b'"' => self.end_string(),
                _ => string.push(byte),
            }
            return;
        }
        match byte {
            b'"' => self.string = Some(Vec::new()),
            b'{' => self.open(Container::Object(None)),
            b'[' => self.open(Container::Array(0)),
            b'}' | b']' => {
                self.containers.pop();
                self.after_colon = true;
            }
            b':' => self.after_colon = true,
            b',' => match self.containers.last_mut() {
                Some(Container::Array(index)) => *index += 1,
                Some(Container::Object(_)) => self.after_colon = false,
                None => {}
            },
            _ => {}
        }
    }

    fn open(&mut self, container: Container) {
        self.containers.push(container);
        self.after_colon = false;
    }

    fn end_string(&mut self) {
        let string = self.string.take();
        if let (Some(Container::Object(name)), Some(string), false) = (self.containers.last_mut(), string, self.after_colon) {
            *name = Some(String::from_utf8_lossy(&string).into_owned());
        }
    }

    /// A name that is still being read counts as read: its last byte is the quote.
    fn path(mut self) -> String {
        if self.string.is_some() {
            self.end_string();
        }
        let mut path = String::new();
        for container in &self.containers {
            match container {
                Container::Object(Some(name)) if path.is_empty() => path.push_str(name),
                Container::Object(Some(name)) => {
                    path.push('.');
                    path.push_str(name);
                }
                Container::Object(None) => {}
                Container::Array(index) => path.push_str(&format!("[{index}]")),
            }
        }
        if path.is_empty() { ".".to_owned() } else { path }
    }
}

#[cfg(test)]
mod tests {
    use super::path_at;
    use crate::config::Document;

    fn path_of(json: &str) -> String {
        Document::from_json(json.as_bytes()).map(|_| ()).expect_err(json).path
    }

    #[test]
    fn an_error_of_serde_is_given_its_path() {
        let model = |inside: &str| format!(r#"{{"providers":{{}}, "workspaces":[], "models":[{{"id":"a"}},{{"id":"b\"]}}",{inside}}}]}}"#);
        for (json, expected) in [
            (r#"{"providers":{"p":{"protocol":5}}}"#.to_owned(), "providers.p.protocol"),
            (r#"{"providers":{"p":{"protocol":"openai","base_url":"x","key":"y"}}}"#.to_owned(), "providers.p.key"),
            (r#"{"providers":{"p":{"protocol":"openai","api_key":"literal"}}}"#.to_owned(), "providers.p.api_key"),
            (r#"{"providers":[]}"#.to_owned(), "providers"),
            (r#"{"unknown":1}"#.to_owned(), "unknown"),
            ("null".to_owned(), "."),
            ("{}".to_owned(), "."),
            ("{\n \"listen\": {\n  \"port\": 70000\n }\n}".to_owned(), "listen.port"),
            (r#"{"providers":{},"models":[{"id":"a","provider_name":"A","context_window":-1}]}"#.to_owned(), "models[0].context_window"),
            (
                r#"{"providers":{},"models":[{"id":"a","provider_name":"A","context_window":1,"price":{"input_per_m":"1"}}]}"#.to_owned(),
                "models[0].price.input_per_m",
            ),
            (model(r#""x":1"#), "models[0]"),
        ] {
            assert_eq!(path_of(&json), expected, "{json}");
        }
    }

    #[test]
    fn any_place_in_any_text_has_a_path() {
        let text = br#"{"a":[{"b\"":[1,{}]},"x"],"c":{"d":null}}"#;
        for column in 0..text.len() + 3 {
            assert!(!path_at(text, 1, column).is_empty());
        }
        assert_eq!(path_at(b"]]}}{{,,::\"\\", 9, 9), ".");
    }
}
