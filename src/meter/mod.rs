//! What is counted and timed, and where: metrics with labels, kept by Envoy.
//!
//! A metric with its labels' values is one *series*. Envoy is told of a series once in a VM's life and gives it a
//! number; afterwards telling it something is a look into a map and one host call. Labels travel inside the name of
//! Envoy's statistic, from which the bootstrap takes them apart again when the statistic is made, not when it is
//! counted ([`name_of`], docs/decisions/0025).
//!
//! Every value of a label is an id of the operator's file or a word of this program, so that no caller can make a
//! series. What the file alone could multiply to is bounded as well: beyond [`Meter::bound`] series in a VM the ids
//! become [`OTHER`].

mod ending;
mod metric;

use core::cell::{Cell, RefCell};

use hashbrown::HashMap;

pub use ending::{Ending, Fault};
pub use metric::{Kind, LABELS, Metric, Row, TABLE, is_id};

/// Where series are kept: Envoy, or a test.
pub trait Registry {
    /// The number of a series, which is made if there is none of this name.
    fn define(&self, kind: Kind, name: &str) -> Option<u32>;
    /// Adds to a counter.
    fn add(&self, series: u32, by: u64);
    /// Sets a gauge, or adds a value to a histogram.
    fn record(&self, series: u32, value: u64);
}

/// Stands for every id in the series beyond the bound.
pub const OTHER: &str = "_other";

/// Stands for an id that a call did not come to have: one that was refused has no model.
pub const NONE: &str = "none";

/// Series in a VM, unless the operator says otherwise: some 20 workspaces with 20 deployments in every outcome.
pub const USUAL_BOUND: u32 = 10_000;

/// The series of one VM. It outlives the configuration it was made for: a series is defined once.
#[derive(Debug, Default)]
pub struct Meter {
    bound: Cell<u32>,
    series: RefCell<Known>,
}

#[derive(Debug, Default)]
struct Known {
    numbers: HashMap<Box<[u8]>, u32>,
    /// Room to write a key in.
    key: Vec<u8>,
}

impl Meter {
    /// How many series the VM may have; with 0 nothing is measured.
    pub fn bound(&self, series: u32) {
        self.bound.set(series);
    }

    /// Whether anything is measured.
    pub fn is_on(&self) -> bool {
        self.bound.get() > 0
    }

    /// Counts one.
    pub fn count(&self, registry: &dyn Registry, metric: Metric, values: &[&str]) {
        self.tell(registry, metric, values, 1);
    }

    /// Makes a series before there is something to tell it, unless it would be beyond the bound. Whether it was new.
    pub fn expect(&self, registry: &dyn Registry, metric: Metric, values: &[&str]) -> bool {
        if !self.is_on() {
            return false;
        }
        let Ok(mut known) = self.series.try_borrow_mut() else { return false };
        let bound = self.bound.get();
        let is_new = known.find(metric, values).is_none() && known.numbers.len() < bound as usize;
        is_new && known.define(registry, metric, values, bound).is_some()
    }

    /// Adds `number` to a counter or a histogram, or sets a gauge to it. `values` are those of the metric's labels,
    /// in their order.
    pub fn tell(&self, registry: &dyn Registry, metric: Metric, values: &[&str], number: u64) {
        if !self.is_on() {
            return;
        }
        // A host call does not come back into the VM, so nobody else is at it.
        let Ok(mut known) = self.series.try_borrow_mut() else { return };
        if let Some(series) = known.find(metric, values).or_else(|| known.define(registry, metric, values, self.bound.get())) {
            match metric.row().kind {
                Kind::Counter => registry.add(series, number),
                Kind::Gauge | Kind::Histogram => registry.record(series, number),
            }
        }
    }
}

impl Known {
    fn find(&mut self, metric: Metric, values: &[&str]) -> Option<u32> {
        self.key.clear();
        self.key.push(metric as u8);
        for value in values {
            self.key.extend_from_slice(value.as_bytes());
            self.key.push(0);
        }
        self.numbers.get(self.key.as_slice()).copied()
    }

    /// The key is that of the latest [`find`](Self::find).
    fn define(&mut self, registry: &dyn Registry, metric: Metric, values: &[&str], bound: u32) -> Option<u32> {
        let labels = metric.row().labels;
        if self.numbers.len() < bound as usize {
            let key = self.key.as_slice().into();
            let number = registry.define(metric.row().kind, &name_of(metric, values))?;
            self.numbers.insert(key, number);
            return Some(number);
        }
        if metric != Metric::Folded {
            let number = self.find(Metric::Folded, &[]).or_else(|| self.keep(registry, Metric::Folded, &[]))?;
            registry.add(number, 1);
        }
        let folded: Vec<&str> = labels.iter().zip(values).map(|(label, value)| if is_id(label) { OTHER } else { *value }).collect();
        self.find(metric, &folded).or_else(|| self.keep(registry, metric, &folded))
    }

    /// Defines a series beyond the bound: what is left of its labels are words of this program, of which there are few.
    fn keep(&mut self, registry: &dyn Registry, metric: Metric, values: &[&str]) -> Option<u32> {
        let number = registry.define(metric.row().kind, &name_of(metric, values))?;
        self.numbers.insert(self.key.as_slice().into(), number);
        Some(number)
    }
}

/// The name of Envoy's statistic: that of the metric and behind it `.label=value;` for each label. Dots keep it cheap,
/// since Envoy stores what lies between two of them once.
pub fn name_of(metric: Metric, values: &[&str]) -> String {
    let row = metric.row();
    let mut name = row.name.to_owned();
    for (label, value) in row.labels.iter().zip(values) {
        name.push('.');
        name.push_str(label);
        name.push('=');
        name.extend(value.chars().map(|c| if may_stand(c) { c } else { '_' }));
        name.push(';');
    }
    name
}

/// An equals sign and a semicolon stand around a value; quotes and backslashes would have to be escaped by whoever prints it.
fn may_stand(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, '=' | ';' | '"' | '\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Book {
        names: RefCell<Vec<String>>,
        told: RefCell<Vec<(u32, u64)>>,
    }

    impl Registry for Book {
        fn define(&self, _: Kind, name: &str) -> Option<u32> {
            let mut names = self.names.borrow_mut();
            names.push(name.to_owned());
            Some(names.len() as u32 - 1)
        }
        fn add(&self, series: u32, by: u64) {
            self.told.borrow_mut().push((series, by));
        }
        fn record(&self, series: u32, value: u64) {
            self.add(series, value);
        }
    }

    fn meter(bound: u32) -> Meter {
        let meter = Meter::default();
        meter.bound(bound);
        meter
    }

    #[test]
    fn a_series_is_defined_once_and_told_by_its_number() {
        let (meter, book) = (meter(10), Book::default());
        for _ in 0..3 {
            meter.count(&book, Metric::Attempts, &["gpt-4.1", "openai", "ok"]);
        }
        meter.tell(&book, Metric::Cooling, &["gpt-4.1", "openai"], 0);
        let names = ["nr_attempts_total.model=gpt-4.1;.provider=openai;.outcome=ok;", "nr_cooling.model=gpt-4.1;.provider=openai;"];
        assert_eq!(*book.names.borrow(), names);
        assert_eq!(*book.told.borrow(), [(0, 1), (0, 1), (0, 1), (1, 0)]);
    }

    #[test]
    fn what_is_expected_is_defined_once_and_told_nothing() {
        let (meter, book) = (meter(10), Book::default());
        let values = ["gpt-4.1", "openai", "ok"];
        assert_eq!([(); 2].map(|()| meter.expect(&book, Metric::Attempts, &values)), [true, false]);
        assert_eq!(book.told.borrow().len(), 0);
        meter.count(&book, Metric::Attempts, &values);
        assert_eq!((book.names.borrow().len(), book.told.borrow().as_slice()), (1, [(0, 1)].as_slice()));
        meter.bound(1);
        assert!(!meter.expect(&book, Metric::Attempts, &["gpt-4.1", "openai", "timeout"]));
        assert_eq!((book.names.borrow().len(), book.told.borrow().len()), (1, 1), "beyond the bound nothing is expected");
    }

    #[test]
    fn an_id_cannot_break_out_of_its_label() {
        assert_eq!(name_of(Metric::Cooling, &["a;.provider=b\"\\\n", "p"]), "nr_cooling.model=a_.provider_b___;.provider=p;");
    }

    #[test]
    fn beyond_the_bound_ids_are_folded_and_words_are_not() {
        let (meter, book) = (meter(1), Book::default());
        for model in ["a", "b", "c"] {
            for outcome in ["ok", "timeout"] {
                meter.count(&book, Metric::Attempts, &[model, "p", outcome]);
            }
        }
        let names = book.names.borrow();
        let expected = [
            "nr_attempts_total.model=a;.provider=p;.outcome=ok;",
            "nr_folded_total",
            "nr_attempts_total.model=_other;.provider=_other;.outcome=timeout;",
            "nr_attempts_total.model=_other;.provider=_other;.outcome=ok;",
        ];
        assert_eq!(*names, expected);
        let told = |series| book.told.borrow().iter().filter(|(number, _)| *number == series).count();
        assert_eq!((told(0), told(1), told(2), told(3)), (1, 5, 3, 2), "nothing is lost, and it is known how much was folded");
    }

    #[test]
    fn with_a_bound_of_0_nothing_is_measured() {
        let (meter, book) = (meter(0), Book::default());
        meter.count(&book, Metric::Attempts, &["m", "p", "ok"]);
        assert!(book.names.borrow().is_empty() && book.told.borrow().is_empty());
    }
}
