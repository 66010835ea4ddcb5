//! A rate-limit service in memory, of both kinds that there are.

use std::collections::HashMap;

use prost::Message;

/// What becomes of hits that are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Like {
    /// They are not counted, and nothing is said of what is left.
    Limitador,
    /// They are counted, and what is left is said.
    Envoyproxy,
}

/// Counters by descriptor.
pub struct Service {
    pub like: Like,
    /// Of every counter.
    pub limit: u64,
    pub counters: HashMap<String, u64>,
    /// Requests that have been answered.
    pub asked: usize,
}

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(string, tag = "1")]
    domain: String,
    #[prost(message, repeated, tag = "2")]
    descriptors: Vec<Descriptor>,
    #[prost(uint32, tag = "3")]
    hits_addend: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Descriptor {
    #[prost(message, repeated, tag = "1")]
    entries: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(uint32, tag = "1")]
    overall_code: u32,
    #[prost(message, repeated, tag = "2")]
    statuses: Vec<Status>,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(uint32, tag = "1")]
    code: u32,
    #[prost(message, optional, tag = "2")]
    current_limit: Option<Limit>,
    #[prost(uint32, tag = "3")]
    limit_remaining: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Limit {
    #[prost(uint32, tag = "1")]
    requests_per_unit: u32,
}

impl Service {
    pub fn new(like: Like, limit: u64) -> Self {
        Self { like, limit, counters: HashMap::new(), asked: 0 }
    }

    /// Hits counted of one limit, in all windows.
    pub fn counted(&self, limit: &str) -> u64 {
        self.counters.iter().filter(|(name, _)| name.contains(limit)).map(|(_, hits)| *hits).sum()
    }

    /// Counts a request and answers it.
    pub fn answer(&mut self, message: &[u8]) -> Vec<u8> {
        let request = Request::decode(message).expect("a request");
        let [descriptor] = request.descriptors.as_slice() else { panic!("one descriptor") };
        let entries: Vec<String> = descriptor.entries.iter().map(|entry| format!("{}={}", entry.key, entry.value)).collect();
        let counter = self.counters.entry(format!("{} {}", request.domain, entries.join(" "))).or_default();
        let hits = u64::from(request.hits_addend);
        let fits = *counter + hits <= self.limit;
        if fits || self.like == Like::Envoyproxy {
            *counter += hits;
        }
        self.asked += 1;
        let code = if fits { 1 } else { 2 };
        let limit_remaining = u32::try_from(self.limit.saturating_sub(*counter)).expect("32 bits");
        let status = Status { code, current_limit: Some(Limit { requests_per_unit: 1 }), limit_remaining };
        let statuses = if self.like == Like::Envoyproxy { vec![status] } else { Vec::new() };
        Response { overall_code: code, statuses }.encode_to_vec()
    }
}
