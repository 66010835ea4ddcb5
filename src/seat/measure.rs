//! The metrics of this VM, as the seats tell them.
//!
//! A call is counted once, by the seat that knows how it ended. That is the provider seat for what it has delivered, an
//! answer or a refusal of the provider's; and the router seat for everything else, and for answers that it watches.

use crate::attempt::Outcome;
use crate::handoff::key;
use crate::host::{self, Statistics};
use crate::meter::{Ending, Meter, Metric};
use crate::openai::Endpoint;
use crate::openai::members::{encode, encode_number};

/// `gen_ai.token.type` of what was sent.
pub(super) const INPUT: &str = "input";
/// `gen_ai.token.type` of what came.
pub(super) const OUTPUT: &str = "output";

thread_local! {
    static METER: Meter = Meter::default();
}

/// How many series this VM may have; 0 where nothing is measured.
pub(super) fn bound(series: u32) {
    METER.with(|meter| meter.bound(series));
}

/// Counts one.
pub(super) fn count(metric: Metric, values: &[&str]) {
    METER.with(|meter| meter.count(&Statistics, metric, values));
}

/// Adds to a counter or a histogram, or sets a gauge.
pub(super) fn tell(metric: Metric, values: &[&str], number: u64) {
    METER.with(|meter| meter.tell(&Statistics, metric, values, number));
}

/// A call begins: what it will be counted under if all goes well is there from now on, so that another build of the
/// filter, which may be the only one left when it ends, finds it (docs/decisions/0033).
pub(super) fn expect(workspace: &str, model: &str, provider: &str, endpoint: Endpoint) {
    METER.with(|meter| {
        let expect = |metric, values: &[&str]| meter.expect(&Statistics, metric, values);
        let (ok, answered) = (Ending::Ok, Outcome::Ok);
        // The others came with it.
        if !expect(Metric::Calls, &[workspace, model, provider, ok.name(), ok.fault().name()]) {
            return;
        }
        expect(Metric::Attempts, &[model, provider, answered.name()]);
        expect(Metric::Cost, &[workspace, model, provider]);
        expect(Metric::Duration, &[endpoint.operation(), provider, model]);
        expect(Metric::Tokens, &[workspace, provider, model, INPUT]);
        if endpoint == Endpoint::Chat {
            expect(Metric::Tokens, &[workspace, provider, model, OUTPUT]);
            expect(Metric::FirstToken, &[provider, model]);
            expect(Metric::NextToken, &[provider, model]);
        }
    });
}

/// A call that is over.
pub(super) struct Call<'a> {
    /// Whose it was; of a call without a key, [`NONE`](crate::meter::NONE).
    pub(super) workspace: &'a str,
    /// Who was asked last; [`NONE`](crate::meter::NONE), if nobody.
    pub(super) model: &'a str,
    /// Where.
    pub(super) provider: &'a str,
    /// How it ended.
    pub(super) ending: Ending,
    /// The code of the error, if there was one.
    pub(super) code: Option<&'a str>,
    /// Milliseconds from the beginning of the attempt to the first token, of a stream.
    pub(super) first_token_ms: Option<u64>,
}

impl Call<'_> {
    /// Counts it.
    pub(super) fn count(&self) {
        let Self { workspace, model, provider, ending, .. } = *self;
        count(Metric::Calls, &[workspace, model, provider, ending.name(), ending.fault().name()]);
    }

    /// Tells the access log.
    pub(super) fn log(&self) {
        let mut out = Vec::with_capacity(USUAL_BYTES);
        out.extend_from_slice(br#"{"outcome":"#);
        encode(self.ending.name(), &mut out);
        for (name, value) in [("fault", self.ending.fault().name()), ("model", self.model), ("provider", self.provider)] {
            member(name, &mut out);
            encode(value, &mut out);
        }
        if let Some(code) = self.code {
            member("code", &mut out);
            encode(code, &mut out);
        }
        if let Some(ms) = self.first_token_ms {
            member("first_token_ms", &mut out);
            encode_number(ms, &mut out);
        }
        out.push(b'}');
        host::set_state(key::END, &out);
    }
}

const USUAL_BYTES: usize = 160;

fn member(name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// How the provider seat says the call ended; `None` if it has said nothing.
pub(super) fn said() -> Option<Ending> {
    let end = host::property(&[key::END])?;
    let rest = end.strip_prefix(br#"{"outcome":""#)?;
    let name = rest.split(|byte| *byte == b'"').next()?;
    Ending::ALL.iter().copied().find(|ending| ending.name().as_bytes() == name)
}
