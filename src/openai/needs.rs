//! What a request asks of a model, and the names it has in the access log.

use super::parameters::Fields;

/// What a request asks of a model beyond text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// It has tools or functions.
    pub tools: bool,
    /// It says `parallel_tool_calls: true`.
    pub parallel_tools: bool,
    /// It has images.
    pub vision: bool,
    /// `response_format` is `json_object`.
    pub json_object: bool,
    /// `response_format` is `json_schema`.
    pub json_schema: bool,
    /// It says `reasoning_effort`, other than `none`.
    pub reasoning: bool,
    /// `n` is not 1.
    pub several_choices: bool,
    /// It has `functions`, which `tools` replaced in 2023.
    pub functions: bool,
    /// It asks for embeddings.
    pub embeddings: bool,
    /// It has images that are addresses of the web, which a provider has to fetch.
    pub remote_images: bool,
    /// It has parts with audio.
    pub audio: bool,
    /// It has parts with files.
    pub files: bool,
    /// It has files that are not in it themselves as a PDF, which few others than OpenAI can read.
    pub uploads: bool,
    /// It has tools that are not functions.
    pub custom_tools: bool,
    /// The documented members that ask for something: without those whose value says what would happen
    /// anyway.
    pub asked: Fields,
}

/// Where a need is kept.
type Need = fn(&mut Needs) -> &mut bool;

const NAMED: [(&str, Need); 14] = [
    ("tools", |needs| &mut needs.tools),
    ("parallel_tools", |needs| &mut needs.parallel_tools),
    ("vision", |needs| &mut needs.vision),
    ("json_object", |needs| &mut needs.json_object),
    ("json_schema", |needs| &mut needs.json_schema),
    ("reasoning", |needs| &mut needs.reasoning),
    ("several_choices", |needs| &mut needs.several_choices),
    ("functions", |needs| &mut needs.functions),
    ("embeddings", |needs| &mut needs.embeddings),
    ("remote_images", |needs| &mut needs.remote_images),
    ("audio", |needs| &mut needs.audio),
    ("files", |needs| &mut needs.files),
    ("uploads", |needs| &mut needs.uploads),
    ("custom_tools", |needs| &mut needs.custom_tools),
];

impl Needs {
    /// The needs by name, but for the single members.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        let mut own = *self;
        NAMED.into_iter().filter(move |(_, need)| *need(&mut own)).map(|(name, _)| name)
    }

    /// Adds the need with one of these names; `false` if there is none.
    pub fn add(&mut self, name: &str) -> bool {
        let found = NAMED.iter().find(|(known, _)| *known == name);
        if let Some((_, need)) = found {
            *need(self) = true;
        }
        found.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_survive_a_round_trip_by_name() {
        let some = Needs { vision: true, several_choices: true, remote_images: true, ..Needs::default() };
        assert_eq!(some.names().collect::<Vec<_>>(), ["vision", "several_choices", "remote_images"]);
        let mut all = Needs::default();
        for (name, _) in NAMED {
            let mut one = Needs::default();
            assert!(one.add(name) && all.add(name), "{name}");
            assert_eq!(one.names().collect::<Vec<_>>(), [name]);
        }
        assert_eq!(all.names().collect::<Vec<_>>(), NAMED.map(|(name, _)| name));
        let mut none = Needs::default();
        assert!(!none.add("telepathy") && !none.add("") && none == Needs::default());
    }
}
