//! What the table says of a model, from each of its deployments.

use neural_router::config::Catalog;
use neural_router::config::catalog::{Deployment, Kind, Model};

use super::decimal::Decimal;
use super::review::{Change, Written};
use super::table::{Figures, Table};
use super::vendor::Vendor;

/// A figure and the entries that say it.
#[derive(Debug, Clone)]
pub(super) struct Offer<T>(Vec<(String, T)>);

impl<T> Default for Offer<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// The figures of a model.
#[derive(Debug, Default)]
pub(super) struct Offers {
    pub(super) input: Offer<Decimal>,
    pub(super) output: Offer<Decimal>,
    pub(super) cached_input: Offer<Decimal>,
    pub(super) cache_write: Offer<Decimal>,
    pub(super) max_output: Offer<u64>,
    pub(super) dimensions: Offer<u64>,
    /// Longest prompt, and longest answer.
    prompts: Offer<(u64, u64)>,
}

impl<T: Copy + PartialEq> Offer<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The figure, if all say the same.
    pub(super) fn agreed(&self) -> Option<T> {
        let (_, first) = self.0.first()?;
        self.0.iter().all(|(_, other)| other == first).then_some(*first)
    }

    pub(super) fn map<U>(self, f: impl Fn(T) -> U) -> Offer<U> {
        Offer(self.0.into_iter().map(|(name, figure)| (name, f(figure))).collect())
    }

    fn add(&mut self, name: &str, figure: Option<T>) {
        self.0.extend(figure.map(|figure| (name.to_owned(), figure)));
    }
}

impl Offer<Decimal> {
    /// What becomes of a figure of the file. One that is not there is not added, since leaving it out
    /// means something (`is_default`: the same); where entries differ the file's stays.
    pub(super) fn against(
        &self,
        path: &str,
        current: Option<Decimal>,
        is_default: bool,
        write: fn(Decimal) -> Written,
        notes: &mut Vec<String>,
    ) -> Option<Change> {
        match (current, self.agreed()) {
            (_, None) if self.is_empty() => None,
            (Some(old), Some(new)) => (old != new).then(|| Change { path: path.to_owned(), old, new: write(new) }),
            (None, Some(_)) if is_default => None,
            (None, Some(new)) => {
                notes.push(format!("{path}: not in the file; the table has {}", write(new)));
                None
            }
            (current, None) => {
                let all: Vec<String> = self.0.iter().map(|(name, figure)| format!("{} ({name})", write(*figure))).collect();
                let kept = current.map_or("not in the file".to_owned(), |current| format!("{} stays", write(current)));
                notes.push(format!("{path}: {kept}; the entries of its deployments differ: {}", all.join(", ")));
                None
            }
        }
    }
}

impl Offers {
    /// Context windows, prompt and answer together. The table has the longest prompt and the longest
    /// answer but not whether both fit at once: at most vendors they share the window, at some the answer
    /// comes on top. So a window between the two is right, and another one becomes the smaller: the
    /// longest prompt, or the longest answer where that is longer.
    pub(super) fn windows(&self, current: u64) -> Offer<u64> {
        self.prompts.clone().map(|(prompt, answer)| {
            let least = prompt.max(answer);
            if (least..=prompt.saturating_add(answer)).contains(&current) { current } else { least }
        })
    }
}

/// Looks a model up under each of its deployments. What is not found is noted.
pub(super) fn offers(path: &str, catalog: &Catalog, model: &Model, table: &Table<'_>, notes: &mut Vec<String>) -> Offers {
    let mut offers = Offers::default();
    let mut found: Vec<(String, Figures)> = Vec::new();
    for (d, deployment) in model.deployments.iter().enumerate() {
        match entries(catalog, deployment, model.kind, table) {
            Err(why) => notes.push(format!("{path}.deployments[{d}]: `{}` is not found: {why}", deployment.model)),
            Ok(entries) => found.extend(entries),
        }
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found.dedup_by(|(a, _), (b, _)| a == b);
    for (name, figures) in &found {
        offers.add(name, figures);
    }
    if let Some((name, _)) = found.iter().find(|(_, figures)| figures.tiers) {
        notes.push(format!("{path}.price: long prompts cost more at `{name}`; a catalogue has the price of short ones only"));
    }
    offers
}

impl Offers {
    fn add(&mut self, name: &str, figures: &Figures) {
        self.input.add(name, figures.input);
        self.output.add(name, figures.output);
        self.cached_input.add(name, figures.cached_input);
        self.cache_write.add(name, figures.cache_write);
        self.max_output.add(name, figures.max_output);
        self.dimensions.add(name, figures.dimensions);
        self.prompts.add(name, figures.max_input.map(|prompt| (prompt, figures.max_output.unwrap_or(0))));
    }
}

/// The table's entries for a deployment; the error says why there is none.
fn entries(catalog: &Catalog, deployment: &Deployment, kind: Kind, table: &Table<'_>) -> Result<Vec<(String, Figures)>, String> {
    let provider = catalog.provider(deployment).ok_or("its provider is unknown")?;
    let vendor = Vendor::of(provider)?;
    let groups = vendor.names(provider, &deployment.model);
    let find = |name: &String| {
        let entry = table.entry(name)?;
        let is_it = entry.word("litellm_provider").is_some_and(|provider| vendor.is(&provider)) && entry.is_for(kind);
        is_it.then(|| (name.clone(), entry.figures(kind)))
    };
    let found = groups.iter().map(|names| names.iter().filter_map(find).collect::<Vec<_>>()).find(|found| !found.is_empty());
    found.ok_or_else(|| {
        let names: Vec<String> = groups.concat().iter().map(|name| format!("`{name}`")).collect();
        format!("the table has no such model of this vendor and kind, under {}", names.join(" or "))
    })
}
