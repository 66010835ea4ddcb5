//! What metrics did between two scrapes. A counter that has become smaller began anew, with Envoy.

use std::collections::BTreeMap;

use super::exposition::Sample;
use super::scrape::Scrape;

/// Two scrapes, and the time between them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span<'s> {
    from: &'s Scrape,
    to: &'s Scrape,
}

/// A histogram's observations by upper bound, each with those below it.
pub(super) type Buckets = Vec<(f64, f64)>;

impl<'s> Span<'s> {
    pub(super) fn new(from: &'s Scrape, to: &'s Scrape) -> Self {
        Self { from, to }
    }

    /// How long it is.
    pub(super) fn seconds(&self) -> f64 {
        self.to.at.duration_since(self.from.at).as_secs_f64()
    }

    /// By how much each series of a counter grew.
    pub(super) fn growth(&self, name: &str) -> Vec<(&'s Sample, f64)> {
        // A series that was not there was nought: it is made when it is first counted.
        let before: BTreeMap<_, f64> =
            if self.restarted() { BTreeMap::new() } else { of(self.from, name).map(|s| (&s.labels, s.value)).collect() };
        let grown = |sample: &'s Sample| match before.get(&sample.labels) {
            Some(before) if *before <= sample.value => sample.value - before,
            _ => sample.value,
        };
        of(self.to, name).map(|sample| (sample, grown(sample))).collect()
    }

    /// How much all series together grew in a second.
    pub(super) fn rate(&self, name: &str, wanted: impl Fn(&Sample) -> bool) -> f64 {
        let grown: f64 = self.growth(name).iter().filter(|(sample, _)| wanted(sample)).map(|(_, grown)| grown).sum();
        per(grown, self.seconds())
    }

    /// What a histogram saw.
    pub(super) fn observed(&self, name: &str, wanted: impl Fn(&Sample) -> bool) -> Buckets {
        let mut buckets: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
        for (sample, grown) in self.growth(&[name, "_bucket"].concat()).into_iter().filter(|(sample, _)| wanted(sample)) {
            if let Ok(bound) = sample.label("le").parse::<f64>() {
                buckets.entry(bound.to_bits()).or_insert((bound, 0.0)).1 += grown;
            }
        }
        buckets.into_values().collect()
    }

    /// Whether Envoy has begun anew meanwhile.
    pub(super) fn restarted(&self) -> bool {
        self.to.envoy.uptime_s < self.from.envoy.uptime_s
    }
}

/// The series of a name.
pub(super) fn of<'s>(scrape: &'s Scrape, name: &str) -> impl Iterator<Item = &'s Sample> {
    scrape.samples.iter().filter(move |sample| sample.name == name)
}

/// So much in so many seconds; nothing in no time.
pub(super) fn per(amount: f64, seconds: f64) -> f64 {
    if seconds > 0.0 { amount / seconds } else { 0.0 }
}

/// The value that a share of the observations is below, supposing that they are spread evenly within a bucket; what
/// is beyond the last bound is put there. `None` without observations.
pub(super) fn quantile(buckets: &Buckets, share: f64) -> Option<f64> {
    let all = buckets.last().map(|(_, count)| *count).filter(|count| *count > 0.0)?;
    let rank = share * all;
    let (mut low, mut below) = (0.0, 0.0);
    for (bound, count) in buckets {
        if *count >= rank {
            let within = (count - below).max(f64::MIN_POSITIVE);
            return Some(if bound.is_finite() { low + (bound - low) * (rank - below) / within } else { low });
        }
        (low, below) = (*bound, *count);
    }
    Some(low)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::top::exposition::samples;
    use crate::top::scrape::Envoy;

    fn two(before: (&str, u64), after: (&str, u64)) -> (Scrape, Scrape) {
        let at = Instant::now();
        let scrape =
            |(text, uptime_s): (&str, u64), at| Scrape { at, envoy: Envoy { uptime_s, ..Envoy::default() }, samples: samples(text) };
        (scrape(before, at), scrape(after, at + Duration::from_secs(2)))
    }

    #[test]
    fn a_rate_is_the_difference_by_the_time() {
        for (before, after, rate) in [
            (("a{x=\"1\"} 10", 10), ("a{x=\"1\"} 30", 12), 10.0),
            (("", 10), ("a{x=\"1\"} 30", 12), 15.0),
            (("a{x=\"1\"} 10\na{x=\"2\"} 5", 10), ("a{x=\"1\"} 12\na{x=\"2\"} 7", 12), 2.0),
            // Envoy has begun anew: all that there is came since.
            (("a{x=\"1\"} 10", 10), ("a{x=\"1\"} 6", 1), 3.0),
            (("a{x=\"1\"} 10", 10), ("a{x=\"1\"} 16", 1), 8.0),
            (("a{x=\"1\"} 10", 10), ("", 12), 0.0),
        ] {
            let (before, after) = two(before, after);
            assert_eq!(Span::new(&before, &after).rate("a", |_| true), rate);
        }
    }

    #[test]
    fn a_quantile_lies_within_its_bucket() {
        let buckets = vec![(1.0, 0.0), (2.0, 10.0), (4.0, 20.0), (f64::INFINITY, 20.0)];
        for (share, expected) in [(0.25, 1.5), (0.5, 2.0), (0.75, 3.0), (1.0, 4.0)] {
            assert_eq!(quantile(&buckets, share), Some(expected), "{share}");
        }
        assert_eq!(quantile(&vec![(1.0, 5.0), (f64::INFINITY, 10.0)], 0.95), Some(1.0), "beyond the last bound");
        assert_eq!(quantile(&vec![(1.0, 0.0)], 0.5), None);
        assert_eq!(quantile(&Vec::new(), 0.5), None);
    }

    #[test]
    fn buckets_of_several_series_are_added() {
        let (before, after) = two(
            ("h_bucket{le=\"1\",m=\"a\"} 1\nh_bucket{le=\"+Inf\",m=\"a\"} 2", 1),
            (
                "h_bucket{le=\"1\",m=\"a\"} 3\nh_bucket{le=\"+Inf\",m=\"a\"} 4\nh_bucket{le=\"1\",m=\"b\"} 5\nh_bucket{le=\"+Inf\",m=\"b\"} 5",
                3,
            ),
        );
        assert_eq!(Span::new(&before, &after).observed("h", |_| true), [(1.0, 7.0), (f64::INFINITY, 7.0)]);
    }
}
