//! What a table would change in a catalogue, and what it leaves to the reader.

use std::fmt;

use neural_router::config::catalog::{Kind, Model};
use neural_router::config::document;

use super::decimal::Decimal;
use super::offer::{Offer, Offers, offers};
use super::table::Table;
use crate::load::Loaded;

/// What to change, and what to know about it.
#[derive(Debug, Default)]
pub(super) struct Review {
    pub(super) changes: Vec<Change>,
    pub(super) notes: Vec<String>,
}

/// A figure that the table says otherwise.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    /// Place of the scalar in the file.
    pub(super) path: String,
    /// As the file means it.
    pub(super) old: Decimal,
    /// What to write there.
    pub(super) new: Written,
}

/// A figure and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// USD per million tokens.
    Price(Decimal),
    /// Number of tokens or dimensions.
    Count(u64),
    /// In the place of the word `free`.
    Whole(Prices),
}

/// Input and output, and what the provider's cache costs.
pub(super) type Prices = [Option<Decimal>; 4];

/// Their names in the file.
const PRICES: [&str; 4] = ["input_per_m", "output_per_m", "cached_input_per_m", "cache_write_per_m"];

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Price(price) => write!(f, "{price}"),
            Self::Count(count) => write!(f, "{count}"),
            Self::Whole(prices) => {
                let members = PRICES.iter().zip(prices).filter_map(|(name, price)| Some(format!("{name}: {}", (*price)?)));
                write!(f, "{{{}}}", members.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

impl Written {
    fn value(self) -> Decimal {
        match self {
            Self::Price(price) => price,
            Self::Count(count) => Decimal::from(count),
            Self::Whole([price, ..]) => price.unwrap_or_else(|| Decimal::from(0)),
        }
    }
}

/// What the user asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wishes {
    /// Change what is `free` too.
    pub(super) include_free: bool,
    /// Change figures by more than tenfold too.
    pub(super) allow_large: bool,
}

/// Compares a catalogue with a table.
pub(super) fn review(loaded: &Loaded, table: &Table<'_>, wishes: Wishes) -> Review {
    let mut review = Review::default();
    let models = loaded.document.models.iter().zip(loaded.config.catalog.models());
    for (i, (written, (_, model))) in models.enumerate() {
        let path = format!("models[{i}]");
        if matches!(written.price, document::Price::Free) && !wishes.include_free {
            review.notes.push(format!("{path}.price: `{}` is free and left alone; --include-free has it looked up", model.id));
            continue;
        }
        let offers = offers(&path, &loaded.config.catalog, model, table, &mut review.notes);
        let mut changes = prices(&path, written, model, &offers, &mut review.notes);
        changes.append(&mut sizes(&path, written, &offers, &mut review.notes));
        hold_back(model, &mut changes, wishes, &mut review.notes);
        review.changes.append(&mut changes);
    }
    review
}

fn prices(path: &str, written: &document::Model, model: &Model, offers: &Offers, notes: &mut Vec<String>) -> Vec<Change> {
    let offered = [&offers.input, &offers.output, &offers.cached_input, &offers.cache_write];
    let document::Price::PerMillion(figures) = &written.price else {
        let agreed = offered.map(Offer::agreed);
        let [input, output, ..] = agreed;
        if input.is_some() && (output.is_some() || model.kind == Kind::Embedding) {
            return vec![Change { path: format!("{path}.price"), old: Decimal::from(0), new: Written::Whole(agreed) }];
        }
        if !offers.input.is_empty() {
            notes.push(format!("{path}.price: the table has no one price for `{}`", model.id));
        }
        return Vec::new();
    };
    let current = [Some(figures.input_per_m), figures.output_per_m, figures.cached_input_per_m, figures.cache_write_per_m];
    let mut changes = Vec::new();
    for ((name, current), offer) in PRICES.iter().zip(current).zip(offered) {
        let current = current.and_then(|usd| Decimal::parse(&usd.to_string()));
        // Without a price of its own what concerns the cache costs as much as any prompt.
        let is_default = offer.agreed().is_some() && offer.agreed() == offers.input.agreed();
        changes.extend(offer.against(&format!("{path}.price.{name}"), current, is_default, Written::Price, notes));
    }
    changes
}

fn sizes(path: &str, written: &document::Model, offers: &Offers, notes: &mut Vec<String>) -> Vec<Change> {
    let (window, longest) = (u64::from(written.context_window), written.max_output_tokens.map(u64::from));
    let counts = [
        ("context_window", Some(window), offers.windows(window)),
        ("max_output_tokens", longest, offers.max_output.clone()),
        ("dimensions", written.dimensions.map(u64::from), offers.dimensions.clone()),
    ];
    let mut changes: Vec<Change> = Vec::new();
    for (name, current, offer) in counts {
        // Without a bound of its own an answer may fill the window.
        let is_default = name == "max_output_tokens" && offer.agreed().is_none_or(|most| most >= window);
        let offer = offer.map(Decimal::from);
        changes.extend(offer.against(&format!("{path}.{name}"), current.map(Decimal::from), is_default, count, notes));
    }
    let after = |name: &str, current: u64| {
        let change = changes.iter().find(|change| change.path.ends_with(name));
        change.map_or(current, |change| if let Written::Count(count) = change.new { count } else { current })
    };
    let (window, longest) = (after("context_window", window), after("max_output_tokens", longest.unwrap_or(1)));
    if longest > window {
        notes.push(format!("{path}: an answer of {longest} tokens does not fit a window of {window}; both are left as they are"));
        changes.retain(|change| change.path.ends_with("dimensions"));
    }
    changes
}

/// A model of which a figure changes by more than tenfold may be another model of the same name.
fn hold_back(model: &Model, changes: &mut Vec<Change>, wishes: Wishes, notes: &mut Vec<String>) {
    if wishes.allow_large {
        return;
    }
    let is_large = |change: &&Change| {
        let (old, new) = (change.old.approximate(), change.new.value().approximate());
        let asked_for = matches!(change.new, Written::Whole(_));
        !asked_for && (new > old * LARGE || new * LARGE < old)
    };
    if let Some(large) = changes.iter().find(is_large) {
        notes.push(format!(
            "{}: from {} to {} is more than tenfold, so nothing of `{}` is changed; if it is right, say --allow-large",
            large.path, large.old, large.new, model.id
        ));
        changes.clear();
    }
}

/// A slip of a decimal point, or of a unit, is at least as much; no price list moves so far.
const LARGE: f64 = 10.0;

fn count(value: Decimal) -> Written {
    Written::Count(value.approximate().round() as u64)
}
