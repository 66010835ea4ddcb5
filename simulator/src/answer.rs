//! One request, from its head to the answer: received, recorded, checked, answered or broken.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, StatusCode, Version};

use crate::behaviour::Behaviour;
use crate::breakage::{self, Body, Good};
use crate::completion;
use crate::connection::Connection;
use crate::fault::Kind;
use crate::identity::Identity;
use crate::protocol::{Endpoint, Refusal};
use crate::provider::{Likeness, Provider};
use crate::quick;
use crate::record::Ticket;
use crate::script::{Busy, Performance, Plan, Step};

/// A response that is ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    /// The wait before its headers.
    pub(crate) delay: Duration,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) plan: Plan,
}

/// Hyper's service function.
pub(crate) async fn serve(
    provider: Arc<Provider>,
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Result<hyper::Response<Performance>, Infallible> {
    let busy = Busy::new(&connection);
    let (parts, body) = request.into_parts();
    let recording = provider.record.enabled.load(Ordering::Relaxed);
    // HTTP/2 has no head as text; what the wire kept of it, if anything, is the connection's preface.
    let textual = parts.version != Version::HTTP_2;
    let head = if recording { connection.take_head().filter(|_| textual) } else { None };
    let ticket = provider.record.open(&parts, head, connection.id);
    let response = match receive(body, ticket.as_ref()).await {
        Some(body) => {
            if textual {
                connection.expect_head();
            }
            if let Some(ticket) = &ticket {
                ticket.answering();
            }
            respond(&provider, &connection, &parts, &body).await
        }
        // The client went away amid the body; hyper drops the connection with this answer unsent.
        None => return Ok(bare(StatusCode::BAD_REQUEST, Performance::new(Plan::Whole(Bytes::new()), busy, None))),
    };
    if !response.delay.is_zero() {
        tokio::time::sleep(response.delay).await;
    }
    let mut sent = bare(response.status, Performance::new(response.plan, busy, ticket));
    *sent.headers_mut() = response.headers;
    Ok(sent)
}

fn bare(status: StatusCode, body: Performance) -> hyper::Response<Performance> {
    let mut response = hyper::Response::new(body);
    *response.status_mut() = status;
    response
}

async fn receive(mut body: Incoming, ticket: Option<&Ticket>) -> Option<Vec<Bytes>> {
    let mut pieces = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(piece) = frame.ok()?.into_data() {
            if let Some(ticket) = ticket {
                ticket.body(&piece);
            }
            pieces.push(piece);
        }
    }
    Some(pieces)
}

async fn respond(provider: &Provider, connection: &Connection, parts: &Parts, body: &[Bytes]) -> Response {
    if let Some(kind) = provider.take_fault(|kind| !kind.spoils_an_answer()) {
        return instead(kind, provider, connection, parts, body).await;
    }
    let behaviour = provider.behaviour();
    match compose(provider, &behaviour, parts, body) {
        Ok(response) => response,
        Err(refusal) => refuse(provider, &refusal, &Identity::issue()),
    }
}

/// The good answer, spoilt if a fault says so.
fn compose(provider: &Provider, behaviour: &Arc<Behaviour>, parts: &Parts, body: &[Bytes]) -> Result<Response, Refusal> {
    let protocol = provider.protocol;
    let endpoint = protocol.endpoint(&parts.method, parts.uri.path())?;
    protocol.query(parts.uri.query().unwrap_or_default())?;
    if let Some(expected) = &behaviour.api_key {
        protocol.authenticate(&parts.headers, expected)?;
    }
    let mut likeness = None;
    let ask = match endpoint {
        Endpoint::Document(document) => return Ok(plain(provider, &Behaviour::default(), document)),
        Endpoint::Embeddings => {
            let embeddings = protocol.embeddings(&parts.headers, &join(body), behaviour)?;
            return Ok(plain(provider, behaviour, embeddings));
        }
        Endpoint::Completion if behaviour.validate => protocol.read(parts.uri.path(), &parts.headers, &join(body))?,
        Endpoint::Completion => {
            let mut ask = quick::scan(body);
            ask.stream |= protocol.streams(parts.uri.path());
            let (stream, include_usage) = (ask.stream, ask.include_usage);
            let alike = Likeness { model: ask.model.clone(), stream, include_usage, length: ask.prompt_chars };
            if let Some(prepared) = provider.prepared(&alike) {
                return Ok(Response::clone(&prepared));
            }
            likeness = Some(alike);
            ask
        }
    };
    let identity = Identity::issue();
    let completion = completion::complete(&ask, behaviour);
    let content = if ask.stream {
        Body::Events(protocol.events(&ask, &completion, &identity))
    } else {
        Body::Json(protocol.whole(&ask, &completion, &identity))
    };
    let good = Good { headers: protocol.headers(&identity), body: content };
    let fault = provider.take_fault(Kind::spoils_an_answer);
    let spoilt = fault.is_some();
    let response = breakage::stage(good, behaviour, fault, protocol, &identity);
    if let Some(likeness) = likeness.filter(|_| !spoilt) {
        provider.prepare(likeness, behaviour, &Arc::new(response.clone()));
    }
    Ok(response)
}

/// A JSON answer that has no other form.
fn plain(provider: &Provider, behaviour: &Behaviour, document: Bytes) -> Response {
    let identity = Identity::issue();
    let good = Good { headers: provider.protocol.headers(&identity), body: Body::Json(document) };
    let fault = provider.take_fault(Kind::spoils_an_answer);
    breakage::stage(good, behaviour, fault, provider.protocol, &identity)
}

fn join(body: &[Bytes]) -> Bytes {
    match body {
        [whole] => whole.clone(),
        pieces => pieces.concat().into(),
    }
}

fn refuse(provider: &Provider, refusal: &Refusal, identity: &Identity) -> Response {
    let mut headers = provider.protocol.headers(identity);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    provider.protocol.refusal_headers(refusal, &mut headers);
    let body = provider.protocol.refusal_body(refusal, identity);
    Response { delay: Duration::ZERO, status: refusal.status, headers, plan: Plan::Whole(body) }
}

/// A fault that takes the place of whatever the answer would have been.
async fn instead(kind: Kind, provider: &Provider, connection: &Connection, parts: &Parts, body: &[Bytes]) -> Response {
    let identity = Identity::issue();
    let mut headers = provider.protocol.headers(&identity);
    let stream = quick::scan(body).stream || provider.protocol.streams(parts.uri.path());
    let content_type = if stream { provider.protocol.stream_content_type() } else { "application/json" };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    let ok = |headers, plan| Response { delay: Duration::ZERO, status: StatusCode::OK, headers, plan };
    match kind {
        Kind::Status { status, retry_after, body } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut response = refuse(provider, &provider.protocol.failure(status), &identity);
            response.status = status;
            if let Some(after) = retry_after {
                let text = after.as_str().map_or_else(|| after.to_string(), str::to_owned);
                if let Ok(value) = HeaderValue::from_str(&text) {
                    response.headers.insert("retry-after", value);
                }
            }
            if let Some(body) = body {
                let text = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
                if text.starts_with('<') {
                    response.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
                }
                response.plan = Plan::Whole(text.into());
            }
            response
        }
        Kind::Html {} => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=UTF-8"));
            ok(headers, Plan::Whole(Bytes::from_static(PAGE)))
        }
        Kind::EmptyBody {} => ok(headers, Plan::Whole(Bytes::new())),
        Kind::HeadersThenSilence {} => ok(headers, Plan::Steps([Step::Silence].into())),
        Kind::ResetBeforeHeaders {} => {
            connection.reset();
            std::future::pending().await
        }
        Kind::ResetMidHeaders {} => {
            let cut: &[u8] = if parts.version == Version::HTTP_2 { HTTP2_CUT } else { HTTP1_CUT };
            connection.write_raw(cut).await;
            connection.reset();
            std::future::pending().await
        }
        // `refuse` lets requests under way end; one that slipped in before its connection closed gets no answer.
        _ => std::future::pending().await,
    }
}

const HTTP1_CUT: &[u8] = b"HTTP/1.1 200 OK\r\nserver: cloudflare\r\ncontent-type: applicat";
/// The frame header of a 100-byte HEADERS frame on stream 1, and its first byte (`:status: 200`).
const HTTP2_CUT: &[u8] = &[0, 0, 100, 1, 4, 0, 0, 0, 1, 0x88];

const PAGE: &[u8] = b"<!DOCTYPE html>\n<html><head><title>Just a moment...</title></head>\n\
    <body><h1>502 Bad Gateway</h1><p>The web server reported a bad gateway error.</p><hr>cloudflare</body></html>\n";
