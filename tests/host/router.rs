//! A call on its way through Envoy: the connection manager around the downstream seat, the router
//! behind it, an upstream seat for each attempt.
//!
//! The order of callbacks is Envoy's: a failed attempt is done and deleted before the next begins
//! or the client hears of it; an attempt that answered is done before the last piece reaches the
//! downstream seat; when the client leaves, the downstream seat is first.

use core::ops::ControlFlow::{self, Break, Continue};
use std::collections::BTreeMap;

use super::bare::Bare;
use super::headers::Headers;
use super::lane::Piece;
use super::message::{Answer, End, Finish, Leaves, Message, Received, Reply, Request};
use super::vm::{Effect, FilterState, effects, vm};
use super::{Gateway, now_ms};

/// Every reply to the client ends the call; whatever ends it is a `Break`.
pub(super) type Flow = ControlFlow<Finish>;

/// The only status that the rendered route retries.
const RETRIABLE: &str = "503";

/// A call under way.
pub(super) struct Call<'g> {
    gateway: &'g mut Gateway,
    pub(super) client: Bare,
    pub(super) provider: Option<Bare>,
    pub(super) state: FilterState,
    pub(super) answer: Answer,
    pub(super) leaves: Leaves,
    /// The request headers, which each attempt edits for the next.
    headers: Headers,
    pub(super) response_begun: bool,
    attempts: u64,
    retries: u64,
    per_try_ms: Option<u64>,
    deadline_ms: Option<u64>,
    try_began_ms: u64,
}

/// How an attempt can fail before its answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Failure {
    Connect,
    Reset,
    PerTryTimeout,
    CallTimeout,
}

impl Failure {
    /// Envoy's response flag, status and details.
    fn envoy(self) -> (i64, u16, &'static str) {
        match self {
            Self::Connect => (0x20, 503, "upstream_reset_before_response_started{connection_failure}"),
            Self::Reset => (0x40, 503, "upstream_reset_before_response_started{connection_termination}"),
            Self::PerTryTimeout => (0x4, 504, "upstream_per_try_timeout"),
            Self::CallTimeout => (0x4, 504, "response_timeout"),
        }
    }
}

impl<'g> Call<'g> {
    pub(super) fn run(gateway: &'g mut Gateway, request: Request) -> Answer {
        let state = FilterState::default();
        let client = Bare::of(gateway.router, state.clone());
        let answer =
            Answer { headers: Headers::default(), body: Vec::new(), trailers: None, finish: Finish::Whole, state: BTreeMap::new() };
        let mut call = Self {
            gateway,
            client,
            provider: None,
            state,
            answer,
            leaves: request.leaves,
            headers: request.headers.clone(),
            response_begun: false,
            attempts: 0,
            retries: 0,
            per_try_ms: None,
            deadline_ms: None,
            try_began_ms: 0,
        };
        let Break(finish) = call.serve(request) else { panic!("a call ends") };
        call.end(finish)
    }

    fn serve(&mut self, request: Request) -> Flow {
        let mut sent = Vec::new();
        for piece in message(request.headers, request.body, request.trailers) {
            if self.leaves == Leaves::Uploading && piece.ends() {
                return Break(Finish::Left);
            }
            sent.extend(self.client.request.send(piece));
            for effect in effects() {
                match effect {
                    Effect::LocalReply { status, headers, body } => return self.filters_reply(status, headers, body),
                    Effect::Resume => sent.extend(self.client.request.resume()),
                    Effect::Reset => return Break(Finish::Torn),
                }
            }
        }
        assert!(!self.client.request.holds(), "the downstream seat holds a request that has ended: the call hangs");
        self.route(sent)
    }

    /// The router: takes its own headers out and tries candidates.
    fn route(&mut self, mut pieces: Vec<Piece>) -> Flow {
        let Some(Piece::Headers(headers, _)) = pieces.first_mut() else { panic!("a request begins with headers") };
        let mut number = |name: &str| {
            headers.remove(name.as_bytes()).map(|value| {
                core::str::from_utf8(&value)
                    .ok()
                    .and_then(|value| value.parse::<u64>().ok())
                    .unwrap_or_else(|| panic!("{name} is a number"))
            })
        };
        self.retries = number("x-envoy-max-retries").unwrap_or(16);
        self.per_try_ms = number("x-envoy-upstream-rq-per-try-timeout-ms");
        self.deadline_ms = number("x-envoy-upstream-rq-timeout-ms").map(|ms| now_ms() + ms);
        // The route's own policy names no failure: without this header there is no retry.
        if headers.remove(b"x-envoy-retry-on").is_none_or(|conditions| conditions.is_empty()) {
            self.retries = 0;
        }
        self.headers = headers.clone();
        let mut pointer = vm(|vm| vm.streams[&self.client.id].cluster.clone());
        loop {
            let cluster = String::from_utf8(pointer.unwrap_or_default()).expect("the pointer is text");
            if !self.gateway.clusters.contains_key(&cluster) {
                return self.envoys_reply(503, "cluster_not_found");
            }
            self.attempt(&cluster, pieces.clone())?;
            pieces = replayed(pieces);
            // `refresh_cluster_on_retry`.
            pointer = self.state.borrow().get(b"nr_next".as_slice()).cloned();
            vm(|vm| vm.now += 1_000_000);
        }
    }

    /// One attempt; continues if another is to follow.
    fn attempt(&mut self, name: &str, pieces: Vec<Piece>) -> Flow {
        self.attempts += 1;
        self.try_began_ms = now_ms();
        let cluster = self.gateway.clusters.get_mut(name).expect("known");
        let (provider, (header, key)) = (cluster.provider.clone(), cluster.credential.clone());
        let Some(reply) = cluster.replies.pop_front() else { panic!("{provider} was asked, but the test says nothing of an answer") };
        let mut seat = Bare::of(cluster.root, self.state.clone());
        seat.property("xds\0cluster_name", name.as_bytes().to_vec());
        seat.property("upstream\0request_attempt_count", self.attempts.to_le_bytes().to_vec());
        let mut received = Received { provider, headers: Headers::default(), body: Vec::new(), trailers: None, whole: false };
        let mut asked_for = Vec::new();
        for piece in pieces {
            let piece = if let Piece::Headers(_, end) = piece { Piece::Headers(self.headers.clone(), end) } else { piece };
            let mut passed = seat.request.send(piece);
            for effect in effects() {
                match effect {
                    Effect::Resume => passed.extend(seat.request.resume()),
                    other => asked_for.push(other),
                }
            }
            if !asked_for.is_empty() {
                break;
            }
            for piece in passed {
                received.whole = piece.ends();
                match piece {
                    Piece::Headers(mut headers, _) => {
                        // The credential injector, which does not overwrite.
                        if headers.bytes(header).is_none() {
                            headers.add(header.as_bytes(), key.as_bytes());
                        }
                        self.headers = headers.clone();
                        received.headers = headers;
                    }
                    Piece::Data(bytes, _) => received.body.extend(bytes),
                    Piece::Trailers(trailers) => received.trailers = Some(trailers),
                }
            }
        }
        if let Some(headers) = seat.request.reclaim() {
            self.headers = headers;
        }
        let reached = !matches!(reply, Reply::Refuses) && received.headers.len() > 0;
        if reached {
            seat.property("upstream\0local_address", b"127.0.0.1:40000".to_vec());
        }
        let whole = received.whole;
        if reached {
            self.gateway.received.push(received);
        }
        self.provider = Some(seat);
        match asked_for.into_iter().next() {
            Some(Effect::LocalReply { status, headers, body }) => return self.filters_reply(status, headers, body),
            Some(_) => return self.fail(Failure::Reset),
            None => {}
        }
        match reply {
            _ if !whole => self.silence(),
            Reply::Refuses => self.fail(Failure::Connect),
            Reply::Resets => self.fail(Failure::Reset),
            Reply::Silent => self.silence(),
            Reply::Answers(message) => self.answered(message),
        }
    }

    /// The provider answers.
    fn answered(&mut self, reply: Message) -> Flow {
        self.wait(reply.after_ms)?;
        if self.provider.is_none() {
            return Continue(());
        }
        let clean = reply.end == End::Clean;
        let mut pieces = message(reply.headers, reply.body, reply.trailers);
        if !clean && let Some(last) = pieces.last_mut() {
            match last {
                Piece::Headers(_, end) | Piece::Data(_, end) => *end = false,
                Piece::Trailers(_) => panic!("trailers end a message"),
            }
        }
        for piece in pieces {
            if matches!(piece, Piece::Data(..)) {
                self.wait(reply.pace_ms)?;
            }
            let Some(seat) = &mut self.provider else { return Continue(()) };
            let mut passed = seat.response.send(piece);
            for effect in effects() {
                match effect {
                    Effect::Resume => passed.extend(seat.response.resume()),
                    Effect::LocalReply { status, headers, body } => return self.filters_reply(status, headers, body),
                    Effect::Reset => return self.fail(Failure::Reset),
                }
            }
            for piece in passed {
                if self.provider.is_none() {
                    return Continue(());
                }
                self.router_gets(piece)?;
            }
        }
        match reply.end {
            _ if self.provider.is_none() => Continue(()),
            End::Reset => self.fail(Failure::Reset),
            End::Clean | End::Silence => self.silence(),
        }
    }

    /// What the upstream seat let pass arrives at the router.
    fn router_gets(&mut self, piece: Piece) -> Flow {
        if let Piece::Headers(headers, _) = &piece {
            if headers.text(":status") == Some(RETRIABLE) && self.attempts <= self.retries {
                self.dismiss();
                return Continue(());
            }
            self.client.property("response\0code_details", b"via_upstream".to_vec());
        }
        if piece.ends() {
            self.dismiss();
        }
        self.client_gets(piece)
    }

    /// Nothing more comes: a timeout ends the attempt or the call.
    fn silence(&mut self) -> Flow {
        self.wait(u64::MAX)
    }

    /// Lets time pass; the nearest timeout that falls into it strikes.
    fn wait(&mut self, ms: u64) -> Flow {
        let now = now_ms();
        let per_try = self.per_try_ms.filter(|_| !self.response_begun).map(|ms| (self.try_began_ms + ms, Failure::PerTryTimeout));
        let call = self.deadline_ms.map(|at| (at, Failure::CallTimeout));
        let timeout =
            [call, per_try].into_iter().flatten().min_by_key(|(at, _)| *at).filter(|(at, _)| at.saturating_sub(now) <= ms && ms > 0);
        let Some((at, failure)) = timeout else {
            assert_ne!(ms, u64::MAX, "nothing bounds the wait: the call hangs");
            vm(|vm| vm.now += ms * 1_000_000);
            return Continue(());
        };
        vm(|vm| vm.now += at.saturating_sub(now) * 1_000_000);
        self.fail(failure)
    }

    fn fail(&mut self, failure: Failure) -> Flow {
        let (flag, status, details) = failure.envoy();
        if let Some(seat) = &self.provider {
            seat.property("response\0flags", flag.to_le_bytes().to_vec());
        }
        self.dismiss();
        if self.response_begun {
            return Break(Finish::Torn);
        }
        if failure != Failure::CallTimeout && self.attempts <= self.retries {
            return Continue(());
        }
        self.client.property("response\0flags", flag.to_le_bytes().to_vec());
        self.envoys_reply(status, details)
    }

    /// An attempt is over.
    fn dismiss(&mut self) {
        if let Some(seat) = self.provider.take() {
            seat.done();
            seat.delete();
        }
    }
}

/// A message as its codec hands it on: the end comes with the last piece.
fn message(headers: Headers, body: Vec<Vec<u8>>, trailers: Option<Headers>) -> Vec<Piece> {
    let bodies = body.len();
    let mut pieces = vec![Piece::Headers(headers, bodies == 0 && trailers.is_none())];
    pieces.extend(body.into_iter().enumerate().map(|(i, bytes)| Piece::Data(bytes, i + 1 == bodies && trailers.is_none())));
    pieces.extend(trailers.map(Piece::Trailers));
    pieces
}

/// A request as a later attempt gets it: the body in one piece.
fn replayed(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut replayed: Vec<Piece> = Vec::new();
    for piece in pieces {
        match (replayed.last_mut(), piece) {
            (Some(Piece::Data(body, end)), Piece::Data(bytes, last)) => {
                body.extend(bytes);
                *end = last;
            }
            (_, piece) => replayed.push(piece),
        }
    }
    replayed
}
