//! The scrapes that a view is reckoned from: those of the last minute.

use std::collections::VecDeque;
use std::time::Duration;

use super::allowance::Allowances;
use super::scrape::Scrape;
use super::series::Span;
use super::view::View;

const MINUTE: Duration = Duration::from_secs(60);

/// Envoy brings histograms up to date every five seconds: in less than twice that there may be nothing in them.
const TOO_SHORT: Duration = Duration::from_secs(10);

/// What the line of calls shows.
const MOST_RATES: usize = 240;

/// Scrapes, the oldest first, and how the calls went.
#[derive(Debug, Default)]
pub(super) struct Track {
    scrapes: VecDeque<Scrape>,
    rates: VecDeque<f64>,
    allowances: Allowances,
}

impl Track {
    pub(super) fn new(allowances: Allowances) -> Self {
        Self { allowances, ..Self::default() }
    }

    /// Takes one more, and says what there is to see. After the first one that is no rate of anything.
    pub(super) fn add(&mut self, admin: &str, scrape: Scrape) -> View {
        let restarted = self.scrapes.back().is_some_and(|last| scrape.envoy.uptime_s < last.envoy.uptime_s);
        let last = self.scrapes.back().cloned().unwrap_or_else(|| scrape.clone());
        if restarted {
            // What was before says nothing of the new one, whose counters began at nought.
            self.scrapes.clear();
            self.scrapes.push_back(Scrape { samples: Vec::new(), envoy: scrape.envoy.clone(), ..last.clone() });
        }
        // One that is older than a minute stays, so that there is a whole minute.
        while self.scrapes.get(1).is_some_and(|second| scrape.at.duration_since(second.at) >= MINUTE) {
            self.scrapes.pop_front();
        }
        let watched = self.scrapes.front().filter(|first| scrape.at.duration_since(first.at) >= TOO_SHORT);
        let oldest = watched.cloned().unwrap_or_else(|| beginning(&scrape));
        let view = View::of(admin, Span::new(&last, &scrape), Span::new(&oldest, &scrape), &scrape, &self.allowances);
        if !self.scrapes.is_empty() {
            self.rates.push_back(view.gateway.calls_per_s);
            self.rates.drain(..self.rates.len().saturating_sub(MOST_RATES));
        }
        self.scrapes.push_back(scrape);
        view
    }

    /// Calls a second, the latest last.
    pub(super) fn rates(&self) -> impl DoubleEndedIterator<Item = f64> {
        self.rates.iter().copied()
    }

    /// Whether there is anything to compare with.
    pub(super) fn has_begun(&self) -> bool {
        !self.rates.is_empty()
    }
}

/// When Envoy began, and every counter was nought.
fn beginning(scrape: &Scrape) -> Scrape {
    let at = scrape.at.checked_sub(Duration::from_secs(scrape.envoy.uptime_s.max(1))).unwrap_or(scrape.at);
    Scrape { at, samples: Vec::new(), envoy: scrape.envoy.clone() }
}
