//! A plan as bytes: every number is eight of them, every text its length and itself, what may be absent
//! has a byte before it that says so, all in the order of the fields (docs/decisions/0014).

use super::{Candidate, Plan};
use crate::config::TaskClass;
use crate::config::catalog::Price;
use crate::config::sharing::Kind;
use crate::fleet::{Booking, Claim};
use crate::ledger::account;
use crate::ledger::{Gauge, Hold, Standing};
use crate::openai::{Endpoint, Fields};

/// First byte. Another order of fields gets another number: while a filter is being updated, one seat
/// may be older than the other.
const LAYOUT: u8 = 4;

/// Room for a plan with two candidates, so that it is mostly allocated once.
const USUAL_BYTES: usize = 768;

pub(super) fn encode(plan: &Plan) -> Vec<u8> {
    let mut out = Writer(Vec::with_capacity(USUAL_BYTES));
    out.0.push(LAYOUT);
    out.text(&plan.id);
    out.text(&plan.workspace);
    out.flag(plan.is_watched);
    out.number(plan.started_ms);
    out.text(&plan.objective);
    out.text(&plan.reason);
    out.maybe(plan.class, |out, class| out.0.push(class as u8));
    out.text(&plan.policy);
    out.number(plan.estimated_nano_usd);
    out.maybe(plan.propensity_ppm, Writer::number);
    out.maybe(plan.table.as_deref(), Writer::text);
    out.number(plan.considered as u64);
    out.flag(plan.stream);
    out.flag(plan.include_usage);
    out.maybe(plan.stream_options.as_deref(), Writer::text);
    out.numbers([plan.body_len as u64, plan.head_len as u64, plan.announced_len as u64]);
    out.flag(plan.endpoint == Endpoint::Embeddings);
    out.numbers([plan.fields.bits(), plan.prompt_tokens, plan.choices]);
    out.maybe(plan.asked_output, Writer::number);
    out.list(&plan.adjustments, |out, note| out.text(note));
    out.maybe(plan.booking.as_ref(), |out, booking| {
        out.list(&booking.local.0, |out, (key, hold)| {
            let Hold { tokens, nano_usd, expires_s, request_ns, due_ns } = *hold;
            out.text(key);
            out.numbers([tokens, nano_usd, expires_s, request_ns, due_ns]);
        });
        out.list(&booking.claims, |out, claim| {
            out.text(&claim.key);
            out.numbers([claim.kind as u64, claim.window_s, claim.amount]);
        });
    });
    out.maybe(plan.standing.as_ref(), |out, standing| {
        // What headers show, no more.
        for gauge in [&standing.requests, &standing.tokens] {
            out.maybe(gauge.as_ref(), |out, gauge| out.numbers([gauge.limit, gauge.remaining, gauge.reset_ms]));
        }
    });
    out.numbers([plan.per_try_ms.into(), plan.total_ms.into(), plan.patience_ms.into()]);
    out.list(&plan.candidates, |out, candidate| {
        let Candidate { provider, cluster, model, deployment, max_output, window, price } = candidate;
        [provider, cluster, model, deployment].into_iter().for_each(|name| out.text(name));
        let Price { input, output, cached_input, cache_write } = *price;
        out.numbers([*max_output, *window, input, output, cached_input, cache_write]);
    });
    out.0
}

pub(super) fn decode(value: &[u8]) -> Option<Plan> {
    let mut from = Reader(value.strip_prefix(&[LAYOUT])?);
    let plan = Plan {
        id: from.text()?,
        workspace: from.text()?,
        is_watched: from.flag()?,
        started_ms: from.number()?,
        objective: from.text()?,
        reason: from.text()?,
        class: from.maybe(class)?,
        policy: from.text()?,
        estimated_nano_usd: from.number()?,
        propensity_ppm: from.maybe(Reader::number)?,
        table: from.maybe(Reader::text)?,
        considered: from.length()?,
        stream: from.flag()?,
        include_usage: from.flag()?,
        stream_options: from.maybe(Reader::text)?,
        body_len: from.length()?,
        head_len: from.length()?,
        announced_len: from.length()?,
        endpoint: if from.flag()? { Endpoint::Embeddings } else { Endpoint::Chat },
        fields: Fields::from_bits(from.number()?),
        prompt_tokens: from.number()?,
        choices: from.number()?,
        asked_output: from.maybe(Reader::number)?,
        adjustments: from.list(Reader::text)?,
        booking: from.maybe(|from| Some(Booking { local: account::Booking(from.list(booked)?), claims: from.list(claim)? }))?,
        standing: from.maybe(|from| Some(Standing { requests: from.maybe(gauge)?, tokens: from.maybe(gauge)?, budget: None }))?,
        per_try_ms: from.number()?.try_into().ok()?,
        total_ms: from.number()?.try_into().ok()?,
        patience_ms: from.number()?.try_into().ok()?,
        candidates: from.list(candidate)?,
    };
    from.0.is_empty().then_some(plan)
}

fn class(from: &mut Reader<'_>) -> Option<TaskClass> {
    let (index, rest) = from.0.split_first()?;
    from.0 = rest;
    TaskClass::ALL.get(usize::from(*index)).copied()
}

fn booked(from: &mut Reader<'_>) -> Option<(String, Hold)> {
    let key = from.text()?;
    let [tokens, nano_usd, expires_s, request_ns, due_ns] = from.numbers()?;
    Some((key, Hold { tokens, nano_usd, expires_s, request_ns, due_ns }))
}

fn claim(from: &mut Reader<'_>) -> Option<Claim> {
    let key = from.text()?;
    let [kind, window_s, amount] = from.numbers()?;
    let kind = Kind::ALL.into_iter().find(|one| *one as u64 == kind)?;
    Some(Claim { key, kind, window_s, amount })
}

fn gauge(from: &mut Reader<'_>) -> Option<Gauge> {
    let [limit, remaining, reset_ms] = from.numbers()?;
    Some(Gauge { limit, remaining, reset_ms, used: 0, reserved: 0 })
}

fn candidate(from: &mut Reader<'_>) -> Option<Candidate> {
    let (provider, cluster, model, deployment) = (from.text()?, from.text()?, from.text()?, from.text()?);
    let [max_output, window, input, output, cached_input, cache_write] = from.numbers()?;
    let price = Price { input, output, cached_input, cache_write };
    Some(Candidate { provider, cluster, model, deployment, max_output, window, price })
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn numbers<const N: usize>(&mut self, numbers: [u64; N]) {
        self.0.extend_from_slice(numbers.map(u64::to_le_bytes).as_flattened());
    }

    fn flag(&mut self, flag: bool) {
        self.0.push(flag.into());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    fn maybe<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn list<T>(&mut self, items: &[T], write: impl Fn(&mut Self, &T)) {
        self.number(items.len() as u64);
        items.iter().for_each(|item| write(self, item));
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number(&mut self) -> Option<u64> {
        self.numbers().map(|[number]| number)
    }

    fn numbers<const N: usize>(&mut self) -> Option<[u64; N]> {
        let mut numbers = [0; N];
        for number in &mut numbers {
            let (bytes, rest) = self.0.split_first_chunk()?;
            *number = u64::from_le_bytes(*bytes);
            self.0 = rest;
        }
        Some(numbers)
    }

    fn length(&mut self) -> Option<usize> {
        self.number()?.try_into().ok()
    }

    fn flag(&mut self) -> Option<bool> {
        let (flag, rest) = self.0.split_first()?;
        self.0 = rest;
        (*flag < 2).then_some(*flag == 1)
    }

    fn text(&mut self) -> Option<String> {
        let length = self.length()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        core::str::from_utf8(text).ok().map(str::to_owned)
    }

    #[expect(clippy::option_option, reason = "what cannot be read, and what is absent")]
    fn maybe<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.flag()? { read(self).map(Some) } else { Some(None) }
    }

    /// Takes no room for what the length promises: every item takes bytes, and they end.
    fn list<T>(&mut self, read: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        (0..self.number()?).map(|_| read(self)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let name = |prefix: &str, index: u64| format!("{prefix}-{index}-ü");
        let candidate = |index: u64| Candidate {
            provider: name("provider", index),
            cluster: name("cluster", index),
            model: name("model", index),
            deployment: String::new(),
            max_output: index,
            window: index + 9,
            price: Price { input: index + 1, output: index + 2, cached_input: index + 3, cache_write: u64::MAX - index },
        };
        let hold = |index: u64| Hold { tokens: index, nano_usd: index + 1, expires_s: index + 2, request_ns: index + 3, due_ns: u64::MAX };
        Plan {
            id: "nrc_1".to_owned(),
            workspace: "acme".to_owned(),
            is_watched: true,
            started_ms: 1_700_000_000_123,
            objective: "cost".to_owned(),
            reason: "cheapest".to_owned(),
            class: Some(TaskClass::Tools),
            policy: "0a1b2c".to_owned(),
            estimated_nano_usd: 82_500,
            propensity_ppm: Some(10_000),
            table: Some("[]".to_owned()),
            considered: 7,
            stream: true,
            include_usage: false,
            stream_options: Some(r#"{"include_usage":true}"#.to_owned()),
            body_len: 1 << 20,
            head_len: 1 << 9,
            announced_len: 1 << 21,
            endpoint: Endpoint::Embeddings,
            fields: Fields::of(&["model", "seed"]),
            prompt_tokens: 262_144,
            choices: 2,
            asked_output: Some(1_000),
            adjustments: vec!["one".to_owned(), "two".to_owned()],
            booking: Some(Booking {
                local: account::Booking(vec![("nr.ledger.a/b".to_owned(), hold(3)), ("nr.ledger.a".to_owned(), hold(9))]),
                claims: vec![Claim { key: "nr.fleet.a.budget".to_owned(), kind: Kind::Budget, window_s: 5, amount: u64::MAX }],
            }),
            standing: Some(Standing {
                requests: Some(Gauge { limit: 600, remaining: 599, reset_ms: 100, used: 0, reserved: 0 }),
                ..Standing::default()
            }),
            per_try_ms: 4_000,
            total_ms: u32::MAX,
            patience_ms: 8_000,
            candidates: vec![candidate(1), candidate(2)],
        }
    }

    fn poor() -> Plan {
        let (adjustments, candidates) = (Vec::new(), Vec::new());
        Plan {
            class: None,
            propensity_ppm: None,
            asked_output: None,
            table: None,
            stream_options: None,
            booking: None,
            standing: None,
            endpoint: Endpoint::Chat,
            adjustments,
            candidates,
            ..plan()
        }
    }

    #[test]
    fn survives_a_round_trip() {
        for plan in [plan(), poor()] {
            assert_eq!(decode(&encode(&plan)).as_ref(), Some(&plan));
        }
    }

    #[test]
    fn what_is_cut_anywhere_or_longer_is_no_plan() {
        for plan in [plan(), poor()] {
            let bytes = encode(&plan);
            for upto in 0..bytes.len() {
                assert_eq!(decode(&bytes[..upto]), None, "{upto} of {} bytes", bytes.len());
            }
            assert_eq!(decode(&[bytes, vec![0]].concat()), None, "one byte more");
        }
    }

    #[test]
    fn what_is_changed_anywhere_is_another_plan_or_none() {
        let (plan, bytes) = (plan(), encode(&plan()));
        for at in 0..bytes.len() {
            for change in [1, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[at] ^= change;
                assert_ne!(decode(&changed).as_ref(), Some(&plan), "byte {at}");
            }
        }
    }
}
