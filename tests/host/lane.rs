//! One direction of one HTTP context: which callbacks Envoy makes, what it holds back while the
//! filter pauses and what it passes on when the filter continues.
//!
//! With `allow_on_headers_stop_iteration`: a pause in the headers callback holds the headers only,
//! body callbacks still come, and the first that continues releases everything; a pause in a body
//! callback buffers, and the next callback sees the whole buffer.

use proxy_wasm::types::{Action, MapType};

use super::headers::Headers;
use super::vm::{enter, vm};

unsafe extern "C" {
    safe fn proxy_on_request_headers(context: u32, count: usize, end: bool) -> Action;
    safe fn proxy_on_request_body(context: u32, size: usize, end: bool) -> Action;
    safe fn proxy_on_request_trailers(context: u32, count: usize) -> Action;
    safe fn proxy_on_response_headers(context: u32, count: usize, end: bool) -> Action;
    safe fn proxy_on_response_body(context: u32, size: usize, end: bool) -> Action;
    safe fn proxy_on_response_trailers(context: u32, count: usize) -> Action;
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Headers, and whether they are all there is.
    Headers(Headers, bool),
    /// Some of the body, and whether it is the last.
    Data(Vec<u8>, bool),
    /// Trailers, which end the message.
    Trailers(Headers),
}

impl Piece {
    /// Whether the message ends with it.
    pub fn ends(&self) -> bool {
        match self {
            Self::Headers(_, end) | Self::Data(_, end) => *end,
            Self::Trailers(_) => true,
        }
    }
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Towards the provider.
    Request,
    /// Towards the client.
    Response,
}

/// One direction of one context.
pub struct Lane {
    context: u32,
    way: Way,
    paused: bool,
    buffering: bool,
    ended: bool,
}

impl Lane {
    /// A lane nothing has gone through.
    pub fn new(context: u32, way: Way) -> Self {
        Self { context, way, paused: false, buffering: false, ended: false }
    }

    /// Whether something is held back.
    pub fn holds(&self) -> bool {
        self.paused
    }

    /// Sends a piece through the filter; returns what comes out.
    pub fn send(&mut self, piece: Piece) -> Vec<Piece> {
        self.ended = piece.ends();
        match self.callback(piece) {
            Action::Continue => self.resume(),
            _ => {
                self.paused = true;
                Vec::new()
            }
        }
    }

    fn callback(&mut self, piece: Piece) -> Action {
        let (way, context, end) = (self.way, self.context, piece.ends());
        match piece {
            Piece::Headers(headers, _) => {
                let count = headers.len();
                self.lend(self.headers(), headers);
                match way {
                    Way::Request => enter(context, "on_http_request_headers", |id| proxy_on_request_headers(id, count, end)),
                    Way::Response => enter(context, "on_http_response_headers", |id| proxy_on_response_headers(id, count, end)),
                }
            }
            Piece::Data(bytes, _) => {
                let size = self.buffer(bytes);
                let action = match way {
                    Way::Request => enter(context, "on_http_request_body", |id| proxy_on_request_body(id, size, end)),
                    Way::Response => enter(context, "on_http_response_body", |id| proxy_on_response_body(id, size, end)),
                };
                self.buffering = action == Action::Pause;
                action
            }
            Piece::Trailers(trailers) => {
                let count = trailers.len();
                self.lend(self.trailers(), trailers);
                match way {
                    Way::Request => enter(context, "on_http_request_trailers", |id| proxy_on_request_trailers(id, count)),
                    Way::Response => enter(context, "on_http_response_trailers", |id| proxy_on_response_trailers(id, count)),
                }
            }
        }
    }

    /// Everything that was held back, in order.
    pub fn resume(&mut self) -> Vec<Piece> {
        self.paused = false;
        self.buffering = false;
        let (headers, trailers) = (self.take(self.headers()), self.take(self.trailers()));
        let body = vm(|vm| vm.streams.get_mut(&self.context).and_then(|stream| stream.body[self.way as usize].take()));
        let mut pieces = Vec::new();
        if let Some(headers) = headers {
            pieces.push(Piece::Headers(headers, self.ended && body.is_none() && trailers.is_none()));
        }
        if let Some(body) = body.filter(|body| !body.is_empty() || trailers.is_none()) {
            pieces.push(Piece::Data(body, self.ended && trailers.is_none()));
        }
        pieces.extend(trailers.map(Piece::Trailers));
        pieces
    }

    /// The headers if they are still held: a later attempt starts from them.
    pub fn reclaim(&mut self) -> Option<Headers> {
        self.take(self.headers())
    }

    fn headers(&self) -> MapType {
        if self.way == Way::Request { MapType::HttpRequestHeaders } else { MapType::HttpResponseHeaders }
    }

    fn trailers(&self) -> MapType {
        if self.way == Way::Request { MapType::HttpRequestTrailers } else { MapType::HttpResponseTrailers }
    }

    fn lend(&self, which: MapType, headers: Headers) {
        vm(|vm| vm.streams.get_mut(&self.context).expect("the context is alive").maps[which as usize] = Some(headers));
    }

    fn take(&self, which: MapType) -> Option<Headers> {
        vm(|vm| vm.streams.get_mut(&self.context).and_then(|stream| stream.maps[which as usize].take()))
    }

    /// Puts bytes where the callback finds them and returns how many that are now.
    fn buffer(&self, bytes: Vec<u8>) -> usize {
        vm(|vm| {
            let body = &mut vm.streams.get_mut(&self.context).expect("the context is alive").body[self.way as usize];
            match body {
                Some(buffered) if self.buffering => buffered.extend(bytes),
                _ => *body = Some(bytes),
            }
            body.as_ref().map_or(0, Vec::len)
        })
    }
}
