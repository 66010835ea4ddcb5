//! One attempt as the provider seat sees it: its plan, its place in it, and how it ends.

use std::borrow::Cow;
use std::rc::Rc;

use super::measure;
use super::span;
use super::witness::Witness;
use crate::attempt::Outcome;
use crate::config::policy::dollars;
use crate::config::{ProviderSeat, TaskClass};
use crate::estimate;
use crate::handoff::{Candidate, End, Plan, SO_FAR, Trail, is_settled, key};
use crate::host::{self, SharedData};
use crate::ledger;
use crate::ledger::headers::headers;
use crate::meter::{Ending, Metric};
use crate::openai::{Endpoint, Fields, Usage};
use crate::provider::{Bill, Call, Class, Envelope};
use crate::retry_after;
use crate::seat::with_head;
use crate::vitals::Notebook;

/// An attempt that has begun.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) plan: Plan,
    pub(super) trail: Trail,
    pub(super) witness: Witness,
    /// Whether the call has been counted.
    pub(super) is_counted: bool,
    /// Whether a span is made of it.
    traced: bool,
    /// What translation changed or dropped.
    pub(super) adjustments: Vec<String>,
    /// Bytes of the answer from which on the access log is told again.
    told_again_at: u64,
}

/// Bytes of a streamed answer after which the access log is told how far it has come: some 128 tokens.
const TOLD_EVERY: u64 = 512;

/// Envoy's timers run on a clock of their own and have been seen to fire 3 ms early by ours.
const CLOCK_SLACK_MS: u64 = 10;

const NS_PER_MS: u64 = 1_000_000;

impl Attempt {
    /// Reads the plan, takes the next place in it, and points the route at its successor. `None`
    /// for a request that the router seat did not send here.
    pub(super) fn begin(seat: &ProviderSeat, notebook: &Rc<Notebook>) -> Option<Self> {
        let plan = host::property(&[key::PLAN]).and_then(|value| Plan::decode(&value))?;
        let mut trail = Trail::decode(host::property(&[key::TRAIL]).as_deref())?;
        let index = trail.0.len();
        let candidate = plan.candidates.get(index).filter(|c| c.provider == seat.provider)?;
        // The first begins with the call.
        let now_ns = if index == 0 { plan.started_ms.saturating_mul(NS_PER_MS) } else { host::now_ns() };
        if let Some(failed) = trail.0.last() {
            let cause = failed.error.map_or(failed.outcome.name(), Class::name);
            measure::count(Metric::Failovers, &[&failed.provider, cause]);
        }
        trail.begin(candidate, now_ns / NS_PER_MS);
        let witness = Witness::new(Rc::clone(notebook), candidate, plan.started_ms, plan.patience_ms, now_ns);
        if let Some(system) = &seat.traced_as {
            span::attempt_begins(system, candidate, index + 1);
        }
        if let Some(next) = plan.candidates.get(index + 1) {
            host::set_state(key::NEXT, next.cluster.as_bytes());
        }
        host::set_state(key::TRAIL, &trail.encode());
        Some(Self { plan, trail, witness, is_counted: false, traced: seat.traced_as.is_some(), adjustments: Vec::new(), told_again_at: 0 })
    }

    /// Whether an earlier attempt has left its headers behind.
    pub(super) fn is_retry(&self) -> bool {
        self.trail.0.len() > 1
    }

    /// Whether the client wants a stream.
    pub(super) fn stream(&self) -> bool {
        self.plan.stream
    }

    /// Whether the plan has another candidate after this one.
    pub(super) fn has_successor(&self) -> bool {
        self.plan.candidates.len() > self.trail.0.len()
    }

    /// What the client asks for.
    pub(super) fn endpoint(&self) -> Endpoint {
        self.plan.endpoint
    }

    /// Length of the body without a head.
    pub(super) fn body_len(&self) -> usize {
        self.plan.body_len
    }

    /// Bytes at the beginning of the body that stand for its opening brace.
    pub(super) fn head_len(&self) -> usize {
        self.plan.head_len
    }

    /// The body as it is without a head.
    pub(super) fn without_head<'b>(&self, body: &'b [u8]) -> Cow<'b, [u8]> {
        match body.get(self.plan.head_len..) {
            Some(rest) if self.plan.head_len > 1 => Cow::Owned([b"{", rest].concat()),
            _ => Cow::Borrowed(body),
        }
    }

    /// Whether the router seat has written this head, as it does for the first candidate if it can.
    pub(super) fn has_head(&self, head: &[u8]) -> bool {
        self.plan.head_len > 1 && self.announces(with_head(self.plan.body_len, head))
    }

    /// Whether `content-length` says so already, as the router seat has set it for the first candidate.
    pub(super) fn announces(&self, length: usize) -> bool {
        !self.is_retry() && self.plan.announced_len == length
    }

    /// What a codec may know of the call.
    pub(super) fn call(&self) -> Option<Call<'_>> {
        self.candidate().map(|candidate| self.plan.call(candidate))
    }

    /// What stands around an answer with this `routing` object.
    pub(super) fn envelope<'a>(&'a self, routing: &'a str) -> Envelope<'a> {
        Envelope {
            id: &self.plan.id,
            model: self.candidate().map_or("", |candidate| &candidate.model),
            created: self.plan.started_ms / 1000,
            routing,
            include_usage: self.plan.include_usage,
            bill: Some(self),
        }
    }

    /// The `routing` object of an answer by this attempt, should it turn out to be one now.
    pub(super) fn routing(&self, status: u16, now_ns: u64) -> String {
        let mut trail = self.trail.clone();
        trail.end(End::of(Outcome::Ok, Some(status)), now_ns / NS_PER_MS);
        crate::annotate::answered(&self.plan, &trail, &self.adjustments)
    }

    /// The provider has answered with these headers: a rate limit may be used up.
    pub(super) fn heard(&mut self, header: impl Fn(&str) -> Option<Vec<u8>>) {
        let now_ms = host::now_ms();
        self.witness.used_up(retry_after::used_up_ms(header, now_ms), now_ms);
    }

    /// Notes that the attempt ended without an answer. Only the first word counts.
    pub(super) fn end(&mut self, outcome: Outcome, status: Option<u16>) {
        self.end_at(End::of(outcome, status), host::now_ns());
    }

    /// The same, for who knows more.
    pub(super) fn end_at(&mut self, end: End, now_ns: u64) {
        if self.close(end, now_ns) {
            // An answer that stops before its first word is none, and a caller can bring that about.
            match end.outcome {
                Outcome::Malformed if self.plan.fields.meets(const { Fields::of(&["stop"]) }) => self.witness.excused(now_ns),
                _ => self.witness.ended(&end, now_ns),
            }
        }
    }

    /// The same, for an end that a caller can bring about.
    pub(super) fn end_excused(&mut self, end: End, now_ns: u64) {
        if self.close(end, now_ns) {
            self.witness.excused(now_ns);
        }
    }

    /// A stream has its first token: the attempt has ended well.
    pub(super) fn stream_begins(&mut self, status: u16) {
        let now_ns = host::now_ns();
        if self.close(End::of(Outcome::Ok, Some(status)), now_ns) {
            self.witness.stream_begins(now_ns);
            self.time(Metric::FirstToken, self.witness.stretches_ns(now_ns).0);
        }
    }

    /// A stream goes on: tells the access log from time to time, which is written before this seat hears that the client
    /// has left. `known` is what the provider has said so far, `produced` the bytes of the answer.
    pub(super) fn stream_goes_on(&mut self, known: impl FnOnce() -> Option<Usage>, produced: u64) {
        if produced >= self.told_again_at {
            self.told_again_at = produced.saturating_add(TOLD_EVERY);
            let usage = self.so_far(known(), produced);
            note_usage(&usage, self.bill_of(&usage).as_ref(), Figures::SoFar);
        }
    }

    /// A stream has come to its proper end: books it.
    pub(super) fn stream_ends(&mut self, usage: Option<Usage>, produced: u64) {
        let now_ns = host::now_ns();
        let (class, one) = self.one_answer(usage);
        self.witness.stream_ends(class, one.as_ref(), now_ns);
        self.settle(usage, produced, now_ns);
        if let Some(further) = usage.map(|usage| usage.output).filter(|output| *output > 1) {
            self.time(Metric::NextToken, self.witness.stretches_ns(now_ns).1 / (further - 1));
        }
        self.call_answered(now_ns);
    }

    /// A stream broke off after its beginning. It is not held against the provider when the client left
    /// or the call's time was up.
    pub(super) fn stream_breaks(&mut self) {
        let now_ns = host::now_ns();
        let late = self.is_late((now_ns / NS_PER_MS).saturating_add(CLOCK_SLACK_MS));
        if self.traced {
            span::stream_breaks();
        }
        if host::client_left() {
            self.call_ends(Ending::Cancelled);
        } else if late {
            self.call_ends(Ending::Overlong);
        } else {
            self.witness.stream_breaks(now_ns);
            self.call_ends(Ending::Interrupted);
        }
    }

    /// A stream broke off after its beginning by an error that the caller brought about.
    pub(super) fn stream_is_refused(&mut self) {
        self.call_ends(Ending::Refused);
    }

    /// A whole answer is there: the attempt has ended well, and is booked.
    pub(super) fn answered_whole(&mut self, status: u16, usage: Option<Usage>, produced: u64, now_ns: u64) {
        if self.close(End::of(Outcome::Ok, Some(status)), now_ns) {
            let is_prompt = self.plan.endpoint == Endpoint::Embeddings;
            let (class, one) = self.one_answer(usage);
            self.witness.answered_whole(is_prompt, class, one.as_ref(), now_ns);
        }
        self.settle(usage, produced, now_ns);
        self.call_answered(now_ns);
    }

    /// What one of the answers asked for took, and for what class that is a length: none if the caller had it cut.
    fn one_answer(&self, usage: Option<Usage>) -> (Option<TaskClass>, Option<Usage>) {
        let one = usage.map(|usage| Usage { output: usage.output.div_ceil(self.plan.choices.max(1)), ..usage });
        let cut = one.zip(self.plan.asked_output).is_some_and(|(one, most)| one.output >= most);
        (self.plan.class.filter(|_| !cut), one)
    }

    /// Writes the end into the trail, unless there is one.
    fn close(&mut self, end: End, now_ns: u64) -> bool {
        let pending = self.pending();
        if pending {
            self.trail.end(end, now_ns / NS_PER_MS);
            host::set_state(key::TRAIL, &self.trail.encode());
            if let Some(candidate) = self.candidate() {
                measure::count(Metric::Attempts, &[&candidate.model, &candidate.provider, end.outcome.name()]);
                if self.traced {
                    span::attempt_ends(candidate, &end);
                }
            }
            // The caller is told, and nobody else is asked.
            if end.outcome == Outcome::Refused {
                self.call_ends(Ending::Refused);
            }
        }
        pending
    }

    /// Whether the time of the whole call is up.
    fn is_late(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.plan.started_ms) >= u64::from(self.plan.total_ms)
    }

    /// The conversation is too long for this candidate: only those with a larger window are still
    /// worth a try. `false` if there is none.
    pub(super) fn keep_larger(&mut self) -> bool {
        let index = self.trail.0.len().saturating_sub(1);
        if !self.plan.keep_larger(index) {
            return false;
        }
        host::set_state(key::PLAN, &self.plan.encode());
        if let Some(next) = self.plan.candidates.get(index + 1) {
            host::set_state(key::NEXT, next.cluster.as_bytes());
        }
        true
    }

    /// Whether nobody has said yet how the attempt ended.
    pub(super) fn pending(&self) -> bool {
        self.trail.pending()
    }

    /// The attempt was given up without an end of its own: why? `status` is the provider's, if its
    /// headers came.
    pub(super) fn abandoned(&mut self, status: Option<u16>) {
        let now = host::now_ms().saturating_add(CLOCK_SLACK_MS);
        let since = |start: u64| now.saturating_sub(start);
        let started = self.trail.0.last().map_or(now, |attempt| attempt.latency_ms);
        let timed_out = since(started) >= u64::from(self.plan.per_try_ms) || self.is_late(now);
        let outcome = match status {
            _ if host::client_left() => Outcome::Cancelled,
            _ if timed_out => Outcome::Timeout,
            None if !self::connected() => Outcome::ConnectFailure,
            _ => Outcome::Reset,
        };
        self.end(outcome, status);
    }

    /// The provider charges for an attempt that is no answer.
    pub(super) fn bill(&mut self, usage: &Usage) {
        if let Some(bill) = self.candidate().map(|candidate| estimate::bill(&candidate.price, usage)) {
            self.trail.bill(bill);
            self.measure_usage(usage);
        }
    }

    /// Books what the call used, by this attempt and by those before it that were charged for, and
    /// tells the access log. Without a word of the provider, it is the prompt and what there is of
    /// the answer, `produced` bytes.
    fn settle(&mut self, usage: Option<Usage>, produced: u64, now_ns: u64) {
        let estimated = usage.is_none();
        self.book(usage.unwrap_or_else(|| estimate::used(self.plan.prompt_tokens, produced)), estimated, now_ns);
    }

    /// The same at the end of an attempt that nobody waits for any more. `known` is what the provider
    /// has said so far.
    pub(super) fn settle_late(&mut self, known: Option<Usage>, produced: u64) {
        let usage = self.so_far(known, produced);
        if !self.given_up() {
            self.book(usage, true, host::now_ns());
        }
    }

    /// What has been used by now, by what the provider has said and by what there is of the answer.
    fn so_far(&self, known: Option<Usage>, produced: u64) -> Usage {
        let seen = estimate::used(self.plan.prompt_tokens, produced);
        let known = known.filter(|known| known.prompt() > 0);
        known.map_or(seen, |known| Usage { output: known.output.max(seen.output), ..known })
    }

    /// Books nothing for this attempt, which was given up before it reached the provider.
    pub(super) fn settle_unsent(&mut self) {
        if !self.given_up() {
            self.book(Usage::default(), false, host::now_ns());
        }
    }

    /// Whether the router seat has settled, believing that nobody was left here.
    fn given_up(&self) -> bool {
        self.plan.booking.is_some() && is_settled(host::property(&[key::USAGE]).as_deref())
    }

    fn book(&mut self, usage: Usage, estimated: bool, now_ns: u64) {
        let bill = self.bill_of(&usage);
        note_usage(&usage, bill.as_ref(), if estimated { Figures::Estimated } else { Figures::Said });
        self.measure_usage(&usage);
        if self.traced {
            span::used(&usage, bill.as_ref());
        }
        if let Some((booking, bill)) = self.plan.booking.take().zip(bill) {
            booking.settle(&SharedData, &bill, now_ns);
        }
    }

    /// The rate-limit headers of an answer.
    pub(super) fn standing(&self) -> Vec<(&'static str, String)> {
        self.plan.standing.as_ref().map_or(Vec::new(), headers)
    }

    /// Whether the provider has been reached; while the attempt lasts.
    pub(super) fn connected(&self) -> bool {
        connected()
    }

    fn bill_of(&self, usage: &Usage) -> Option<ledger::Usage> {
        let own = estimate::bill(&self.candidate()?.price, usage);
        Some(self.trail.billed().plus(&own))
    }

    pub(super) fn candidate(&self) -> Option<&Candidate> {
        self.plan.candidates.get(self.position())
    }

    /// Which of the plan's candidates this one is.
    pub(super) fn position(&self) -> usize {
        self.trail.0.len().saturating_sub(1)
    }
}

impl Bill for Attempt {
    fn cost_usd(&self, usage: &Usage) -> String {
        self.bill_of(usage).map_or_else(|| "null".to_owned(), |bill| dollars(bill.cost))
    }
}

/// Whose figures they are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Figures {
    /// The provider's.
    Said,
    /// Estimated, if only in part.
    Estimated,
    /// Estimated while the answer is under way.
    SoFar,
}

/// Tells the access log, and, unless they are those so far, whoever else would settle that it is done.
fn note_usage(usage: &Usage, bill: Option<&ledger::Usage>, figures: Figures) {
    let mut value = Vec::with_capacity(256);
    usage.write(&mut value);
    if figures == Figures::SoFar {
        value.splice(..1, SO_FAR.iter().copied());
    }
    value.pop();
    if let Some(bill) = bill {
        value.extend_from_slice(br#","cost_usd":"#);
        value.extend_from_slice(dollars(bill.cost).as_bytes());
    }
    value.extend_from_slice(if figures == Figures::Said { b"}" } else { br#","estimated":true}"# });
    host::set_state(key::USAGE, &value);
}

fn connected() -> bool {
    host::property(&["upstream", "local_address"]).is_some_and(|address| !address.is_empty())
}
