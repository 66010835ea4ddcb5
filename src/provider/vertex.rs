//! Vertex AI (<https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference>): models
//! of several vendors behind one address, project and location, each in its vendor's protocol.

use std::borrow::Cow;

use super::anthropic::VertexAnthropic;
use super::codec::{Answer, Call, Codec, Envelope, Failed, Fault, Place, RequestBody, StreamCodec, Treatment, Unsaid};
use super::gemini::{self, Service};
use crate::framing::Framing;
use crate::openai::{Endpoint, Needs, Usage};

/// `POST …/publishers/google/models/{model}:generateContent`.
pub struct VertexGemini;

/// The protocol in which a model is served: Anthropic's for its own models, Google's for all others.
pub fn codec(model: &str) -> &'static dyn Codec {
    if model.to_ascii_lowercase().contains("claude") { &VertexAnthropic } else { &VertexGemini }
}

/// The locations that span a continent have an address of another form
/// (<https://cloud.google.com/vertex-ai/generative-ai/docs/learn/locations>).
const CONTINENTS: [&str; 2] = ["eu", "us"];

/// Where a location is served.
pub(super) fn base_url(place: &Place<'_>) -> Result<String, Unsaid> {
    match place.location.ok_or(Unsaid("location"))? {
        "global" => Ok("https://aiplatform.googleapis.com".to_owned()),
        continent if CONTINENTS.contains(&continent) => Ok(format!("https://aiplatform.{continent}.rep.googleapis.com")),
        location => Ok(format!("https://{location}-aiplatform.googleapis.com")),
    }
}

/// What stands before the publishers and endpoints of a project, unless the base URL already says it.
pub(super) fn base_path(place: &Place<'_>) -> Result<String, Unsaid> {
    if place.path.contains("/projects/") {
        return Ok(place.path.to_owned());
    }
    let project = place.project.ok_or(Unsaid("project"))?;
    let location = place.location.ok_or(Unsaid("location"))?;
    let versioned = ["/v1", "/v1beta1"].iter().any(|version| place.path.ends_with(version));
    let version = if versioned { String::new() } else { ["/", place.api_version.unwrap_or("v1")].concat() };
    Ok([place.path, &version, "/projects/", project, "/locations/", location].concat())
}

impl Codec for VertexGemini {
    fn base_url(&self, place: &Place<'_>) -> Result<String, Unsaid> {
        base_url(place)
    }

    fn base_path(&self, place: &Place<'_>) -> Result<String, Unsaid> {
        base_path(place)
    }

    fn path(&self, _: &str, call: &Call<'_>) -> Cow<'static, str> {
        gemini::vertex_resource(call).into()
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    fn lacks(&self, needs: &Needs) -> Option<&'static str> {
        gemini::lacks(needs)
    }

    fn treatments(&self) -> &'static [(&'static str, Treatment)] {
        gemini::VERTEX_TREATMENTS
    }

    fn body(&self, _: &Call<'_>) -> RequestBody {
        RequestBody::Translate
    }

    fn request(&self, call: &Call<'_>, body: &str) -> Result<(Vec<u8>, Vec<String>), Failed> {
        gemini::request(Service::VertexAi, call, body)
    }

    fn response(&self, _: Endpoint, envelope: &Envelope<'_>, body: &[u8]) -> Result<Answer, Fault> {
        gemini::response(envelope, body)
    }

    fn billed(&self, body: &[u8]) -> Option<Usage> {
        gemini::billed(body)
    }

    fn framing(&self, content_type: &str) -> Option<Framing> {
        gemini::framing(content_type)
    }

    fn stream(&self) -> Box<dyn StreamCodec> {
        gemini::stream()
    }

    fn failed(&self, status: u16, body: &[u8]) -> Failed {
        gemini::failed(status, body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_made_from_the_location() {
        let at = |location| codec("gemini-2.5-pro").base_url(&Place { location, ..Place::default() });
        for (location, expected) in [
            (Some("europe-west4"), Ok("https://europe-west4-aiplatform.googleapis.com")),
            (Some("global"), Ok("https://aiplatform.googleapis.com")),
            (Some("eu"), Ok("https://aiplatform.eu.rep.googleapis.com")),
            (None, Err(Unsaid("location"))),
        ] {
            assert_eq!(at(location), expected.map(str::to_owned), "{location:?}");
        }
    }

    #[test]
    fn paths_begin_with_project_and_location() {
        let place = Place { project: Some("p-1"), location: Some("us-central1"), ..Place::default() };
        for (place, expected) in [
            (place, Ok("/v1/projects/p-1/locations/us-central1")),
            (Place { path: "/proxy", ..place }, Ok("/proxy/v1/projects/p-1/locations/us-central1")),
            (Place { path: "/v1beta1", ..place }, Ok("/v1beta1/projects/p-1/locations/us-central1")),
            (Place { api_version: Some("v1beta1"), ..place }, Ok("/v1beta1/projects/p-1/locations/us-central1")),
            (Place { path: "/v1/projects/q/locations/global", project: None, ..place }, Ok("/v1/projects/q/locations/global")),
            (Place { project: None, ..place }, Err(Unsaid("project"))),
            (Place { location: None, ..place }, Err(Unsaid("location"))),
        ] {
            assert_eq!(codec("").base_path(&place), expected.map(str::to_owned), "{place:?}");
        }
    }
}
