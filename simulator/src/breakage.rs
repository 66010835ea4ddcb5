//! Turns a good answer into the writes that deliver it, or into the way it goes wrong.

use std::io::Write as _;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::StatusCode;
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use crate::answer::Response;
use crate::behaviour::Behaviour;
use crate::connection::SETTLE;
use crate::fault::Kind;
use crate::identity::Identity;
use crate::protocol::{Event, Part, Protocol};
use crate::script::{Plan, Step};

/// An answer before anything happens to it.
#[derive(Debug)]
pub(crate) struct Good {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
}

#[derive(Debug)]
pub(crate) enum Body {
    Json(Bytes),
    Events(Vec<Event>),
}

/// Stages an answer under a behaviour and, perhaps, a fault.
pub(crate) fn stage(good: Good, behaviour: &Behaviour, fault: Option<Kind>, protocol: &dyn Protocol, identity: &Identity) -> Response {
    let Good { mut headers, body } = good;
    let (content_type, delay) = match &body {
        Body::Json(_) => ("application/json", whole_delay(behaviour)),
        Body::Events(_) => (protocol.stream_content_type(), Duration::ZERO),
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    for (name, value) in &behaviour.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    let plan = match (fault, body) {
        (None, Body::Json(bytes)) => Plan::Whole(bytes),
        (None, Body::Events(events)) => steps(pace(&events, behaviour), None, behaviour),
        (Some(Kind::ResetMidStream { after_chunks }), body) => {
            let end = [Step::Sleep(SETTLE), Step::Reset];
            steps(begun(&body, after_chunks, &mut headers, behaviour), Some(&end), behaviour)
        }
        (Some(Kind::CloseMidStream { after_chunks }), body) => {
            let end = [Step::Sleep(SETTLE), Step::Close];
            steps(begun(&body, after_chunks, &mut headers, behaviour), Some(&end), behaviour)
        }
        (Some(Kind::EndMidStream { after_chunks }), body) => {
            let written = begun(&body, after_chunks, &mut headers, behaviour);
            headers.remove(CONTENT_LENGTH);
            steps(written, None, behaviour)
        }
        (Some(Kind::SseErrorFirst {} | Kind::SseErrorAfterPreamble {} | Kind::SseErrorMid { .. }), Body::Json(_)) => {
            let failure = protocol.failure(StatusCode::INTERNAL_SERVER_ERROR);
            Plan::Whole(protocol.refusal_body(&failure, identity))
        }
        (Some(Kind::SseErrorFirst {}), Body::Events(_)) => in_band(&[], protocol, identity, behaviour),
        (Some(Kind::SseErrorAfterPreamble {}), Body::Events(events)) => {
            let preamble = events.iter().take_while(|event| event.part == Part::Preamble).count();
            in_band(&events[..preamble], protocol, identity, behaviour)
        }
        (Some(Kind::SseErrorMid { after_chunks }), Body::Events(events)) => {
            in_band(first_chunks(&events, after_chunks), protocol, identity, behaviour)
        }
        (Some(Kind::TruncatedJson {}), Body::Json(bytes)) => Plan::Whole(bytes.slice(..bytes.len() * 2 / 3)),
        (Some(Kind::TruncatedJson {}), Body::Events(events)) => {
            let first = events.first().map_or(Bytes::new(), |event| event.bytes.clone());
            let cut = [first.slice(..first.len() * 2 / 3), Bytes::from_static(b"\n\n")].concat();
            steps(vec![Step::Sleep(behaviour.first_token()), Step::Write(cut.into())], None, behaviour)
        }
        (Some(Kind::Gzip {}), body) => {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            Plan::Whole(gzip(&flat(&body)))
        }
        (Some(Kind::Trickle { bytes, interval_ms }), body) => {
            let whole = flat(&body);
            if matches!(body, Body::Json(_)) {
                headers.insert(CONTENT_LENGTH, whole.len().into());
            }
            let interval = Duration::from_millis(interval_ms);
            let drops = (0..whole.len()).step_by(bytes.get());
            let drop_at = |at: usize| whole.slice(at..whole.len().min(at + bytes.get()));
            let first = [Step::Sleep(behaviour.first_token())].into_iter();
            let rest = drops.flat_map(|at| [Step::Write(drop_at(at)), Step::Sleep(interval)]);
            let mut written: Vec<Step> = first.chain(rest).collect();
            written.pop();
            Plan::Steps(written.into())
        }
        // Faults that replace the answer never come here; were one to, the answer stands.
        (Some(_), Body::Json(bytes)) => Plan::Whole(bytes),
        (Some(_), Body::Events(events)) => steps(pace(&events, behaviour), None, behaviour),
    };
    Response { delay, status: StatusCode::OK, headers, plan }
}

/// A JSON answer is there when the last token would have been streamed.
fn whole_delay(behaviour: &Behaviour) -> Duration {
    let intervals = u32::try_from(behaviour.chunks.saturating_sub(1)).unwrap_or(u32::MAX);
    behaviour.first_token() + behaviour.chunk_interval() * intervals
}

fn pace(events: &[Event], behaviour: &Behaviour) -> Vec<Step> {
    let mut written = Vec::with_capacity(events.len() + 1);
    if !behaviour.first_token().is_zero() {
        written.push(Step::Sleep(behaviour.first_token()));
    }
    let mut begun = false;
    for event in events {
        if event.part == Part::Content {
            if begun && !behaviour.chunk_interval().is_zero() {
                written.push(Step::Sleep(behaviour.chunk_interval()));
            }
            begun = true;
        }
        written.push(Step::Write(event.bytes.clone()));
    }
    written
}

/// The events up to the `count`-th content chunk.
fn first_chunks(events: &[Event], count: usize) -> &[Event] {
    let mut chunks = events.iter().enumerate().filter(|(_, event)| event.part == Part::Content);
    let end = match count.checked_sub(1) {
        None => chunks.next().map(|(index, _)| index),
        Some(before) => {
            let last = chunks.clone().last();
            chunks.nth(before).or(last).map(|(index, _)| index + 1)
        }
    };
    &events[..end.unwrap_or(events.len())]
}

/// The part of the answer that is written before it breaks: some chunks, or half the JSON with the length of all of it.
fn begun(body: &Body, after_chunks: usize, headers: &mut HeaderMap, behaviour: &Behaviour) -> Vec<Step> {
    match body {
        Body::Events(events) => pace(first_chunks(events, after_chunks), behaviour),
        Body::Json(bytes) => {
            headers.insert(CONTENT_LENGTH, bytes.len().into());
            vec![Step::Write(bytes.slice(..bytes.len() / 2))]
        }
    }
}

fn in_band(events: &[Event], protocol: &dyn Protocol, identity: &Identity, behaviour: &Behaviour) -> Plan {
    steps(pace(events, behaviour), Some(&[Step::Write(protocol.in_band_error(identity))]), behaviour)
}

fn steps(mut written: Vec<Step>, end: Option<&[Step]>, behaviour: &Behaviour) -> Plan {
    written.extend_from_slice(end.unwrap_or_default());
    match behaviour.split_bytes {
        Some(size) => Plan::Steps(split(written, size.get()).into()),
        None => Plan::Steps(written.into()),
    }
}

/// Cuts the writes in pieces of `size` bytes wherever that falls; a pause ends a piece early.
fn split(written: Vec<Step>, size: usize) -> Vec<Step> {
    let mut pieces = Vec::new();
    let mut pending = BytesMut::new();
    let flush = |pending: &mut BytesMut, pieces: &mut Vec<Step>, least: usize| {
        while pending.len() >= least && !pending.is_empty() {
            let piece = pending.split_to(size.min(pending.len())).freeze();
            pieces.extend([Step::Write(piece), Step::Flush]);
        }
    };
    for step in written {
        match step {
            Step::Write(bytes) => {
                pending.extend_from_slice(&bytes);
                flush(&mut pending, &mut pieces, size);
            }
            other => {
                flush(&mut pending, &mut pieces, 1);
                pieces.push(other);
            }
        }
    }
    flush(&mut pending, &mut pieces, 1);
    pieces
}

fn flat(body: &Body) -> Bytes {
    match body {
        Body::Json(bytes) => bytes.clone(),
        Body::Events(events) => events.iter().flat_map(|event| event.bytes.iter().copied()).collect(),
    }
}

fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to memory does not fail.
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.unwrap_or_default().into()
}
