//! OpenAI's own protocol, and every vendor that speaks it: the call passes through but for what the vendor's
//! dialect has no words for, and the answer gets our id, the served model and `routing` spliced in. What vendors
//! answer otherwise than OpenAI is mended the same for all, since a vendor may do tomorrow what another does today.

mod azure;
mod calls;
mod choices;
mod dialect;
pub(super) mod dialects;
mod failure;
mod messages;
mod patch;
mod request;
mod response;
mod stream;

use std::borrow::Cow;
use std::sync::LazyLock;

use self::dialect::Dialect;
use super::codec::{Answer, Call, Codec, Envelope, Failed, Fault, Place, RequestBody, StreamCodec, Treatment, Unsaid};
use crate::openai::members::{Members, encode};
use crate::openai::{Endpoint, Needs, Usage};

/// `POST /chat/completions` and `POST /embeddings` (<https://platform.openai.com/docs/api-reference>), as one
/// vendor has them.
pub struct OpenAi {
    dialect: Dialect,
    /// What becomes of every member, for the documentation.
    treatments: &'static LazyLock<Vec<(&'static str, Treatment)>>,
}

impl OpenAi {
    /// The same vendor, for one of its models.
    pub(super) fn of_model(&'static self, model: &str) -> &'static Self {
        (self.dialect.of_model)(model).unwrap_or(self)
    }

    fn dialect(&self, model: &str) -> &Dialect {
        (self.dialect.of_model)(model).map_or(&self.dialect, |codec| &codec.dialect)
    }
}

impl Codec for OpenAi {
    fn base_path(&self, place: &Place<'_>) -> Result<String, Unsaid> {
        Ok(if self.dialect.deployments { azure::base_path(place) } else { place.path.to_owned() })
    }

    fn path(&self, base_path: &str, call: &Call<'_>) -> Cow<'static, str> {
        if self.dialect.deployments { azure::path(base_path, call.endpoint, call.model) } else { Cow::Borrowed(call.endpoint.path()) }
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    fn lacks(&self, needs: &Needs) -> Option<&'static str> {
        self.dialect.lacks(needs)
    }

    fn treatments(&self) -> &'static [(&'static str, Treatment)] {
        self.treatments
    }

    fn body(&self, call: &Call<'_>) -> RequestBody {
        let dialect = self.dialect(call.model);
        if call.endpoint == Endpoint::Chat && dialect.touches(call.fields) {
            return RequestBody::Translate;
        }
        RequestBody::Head(request::head(dialect, call))
    }

    fn request(&self, call: &Call<'_>, body: &str) -> Result<(Vec<u8>, Vec<String>), Failed> {
        request::translate(self.dialect(call.model), call, body)
    }

    fn response(&self, endpoint: Endpoint, envelope: &Envelope<'_>, body: &[u8]) -> Result<Answer, Fault> {
        response::translate(endpoint, envelope, body)
    }

    fn billed(&self, body: &[u8]) -> Option<Usage> {
        let members = Members::read(core::str::from_utf8(body).ok()?).ok()?;
        Usage::parse(members.find("usage")?.value)
    }

    fn stream(&self) -> Box<dyn StreamCodec> {
        Box::new(stream::Stream::default())
    }

    fn failed(&self, status: u16, body: &[u8]) -> Failed {
        failure::read(status, body)
    }
}

/// Appends the object with our id and model, `object` saying what it is, and these members set. Embeddings have no
/// id and no time, but for those of some vendors; Azure tells neither of its filters.
fn rewrite(members: &Members<'_>, object: &'static str, envelope: &Envelope<'_>, more: &[(&str, &str)], out: &mut Vec<u8>) {
    let (id, model, created) = (quoted(envelope.id), quoted(envelope.model), envelope.created.to_string());
    let value = |name: &str| members.find(name).map(|member| member.value);
    let chat = object != LIST;
    let mut values = vec![("model", model.as_str())];
    if chat || value("id").is_some() {
        values.insert(0, ("id", id.as_str()));
    }
    if value("object") != Some(object) {
        values.push(("object", object));
    }
    if chat && matches!(value("created"), None | Some("null" | "0")) {
        values.push(("created", &created));
    }
    values.extend_from_slice(more);
    members.rewrite(&values, out);
}

/// What an answer, a chunk and a list of embeddings are called, as string literals.
const COMPLETION: &str = r#""chat.completion""#;
const CHUNK: &str = r#""chat.completion.chunk""#;
const LIST: &str = r#""list""#;

fn quoted(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    encode(text, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests;
