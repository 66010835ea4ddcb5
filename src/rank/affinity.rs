//! What keeps a conversation where it is: its prompt is in one provider's cache, which answers faster and charges
//! less, and its signatures are of use nowhere else.
//!
//! Nothing is stored. Every turn repeats the opening, so every turn can tell where the conversation began, as long as
//! the figures are the same.

use crate::config::catalog::{Deployment, Price, Provider};
use crate::task::Task;

/// The opening of a conversation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Begun {
    /// The same for every turn, and another for every opening and workspace.
    pub name: u64,
    /// What kind of work it was at first; `None` before the first answer.
    pub task: Option<Task>,
    /// Prompt tokens of the first turn, about: its opening and the tools.
    pub prompt_tokens: u64,
    /// Tokens that the turn before had in its prompt already.
    pub cached_tokens: u64,
}

/// How often a provider still has what it had a turn ago, in tenths.
const HITS_IN_TEN: u64 = 9;

/// What the cache of a provider is expected to save on a prompt of which so many tokens are old, in nano-dollars.
pub(super) fn saving(price: &Price, cached_tokens: u64) -> u64 {
    price.input.saturating_sub(price.cached_input).saturating_mul(cached_tokens).saturating_mul(HITS_IN_TEN) / 10
}

/// Most of a text that names a conversation.
const MAX_BYTES: usize = 1024;

/// The name of a conversation: of its workspace and the beginnings of its first texts.
pub(super) fn name(workspace: &str, system: Option<&str>, opening: &str) -> u64 {
    let mut name = Mix::default();
    for text in [workspace, system.unwrap_or_default(), opening] {
        name.add(text.as_bytes().get(..MAX_BYTES).unwrap_or(text.as_bytes()));
    }
    name.finish()
}

/// Which deployment of equals a conversation belongs to: the one with the largest weight. One more or less moves only
/// those conversations that belong to it (Thaler and Ravishankar, 1998: rendezvous hashing).
pub(super) fn weight(name: u64, provider: &Provider, deployment: &Deployment) -> u64 {
    let mut weight = Mix(name);
    weight.add(provider.name.as_bytes());
    weight.add(deployment.model.as_bytes());
    weight.finish()
}

/// Spreads well, no more: who makes two openings collide only sends them to the same place.
struct Mix(u64);

impl Default for Mix {
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }
}

impl Mix {
    fn add(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        let mut last = [0; 8];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        for word in words.iter().copied().chain([last, (bytes.len() as u64).to_le_bytes()]) {
            self.0 = (self.0 ^ u64::from_le_bytes(word)).wrapping_mul(0xff51_afd7_ed55_8ccd).rotate_left(29);
        }
    }

    fn finish(self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        mixed ^ (mixed >> 33)
    }
}

/// A number from 0 up to 1, from a name that nobody chose.
pub fn lot(name: &str) -> f64 {
    let mut mix = Mix::default();
    mix.add(name.as_bytes());
    // As many bits as a double has.
    (mix.finish() >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_depends_on_every_text_and_on_where_it_ends() {
        let names = [
            name("a", None, "hello"),
            name("b", None, "hello"),
            name("a", Some("hello"), ""),
            name("a", None, "hello!"),
            name("ah", None, "ello"),
            name("a", None, "hello\0"),
        ];
        for (i, one) in names.iter().enumerate() {
            assert!(names.iter().skip(i + 1).all(|other| other != one), "{i}");
        }
        assert_eq!(name("a", None, "hello"), names[0]);
    }

    #[test]
    fn a_long_opening_is_named_by_its_beginning() {
        let long = "x".repeat(MAX_BYTES);
        assert_eq!(name("a", None, &long), name("a", None, &(long.clone() + "y")));
        assert_eq!(name("a", None, &"ü".repeat(4000)), name("a", None, &"ü".repeat(5000)));
    }

    #[test]
    fn lots_are_spread_evenly() {
        let mut tenths = [0_u32; 10];
        for n in 0..10_000 {
            tenths[(lot(&format!("nrc_{n}")) * 10.0) as usize] += 1;
        }
        assert!(tenths.iter().all(|count| (850..1150).contains(count)), "{tenths:?}");
    }

    #[test]
    fn a_cache_saves_the_difference_of_the_prices_nine_times_in_ten() {
        let price = Price { input: 3000, output: 15000, cached_input: 300, cache_write: 3750 };
        assert_eq!(saving(&price, 1000), 2_430_000);
        assert_eq!(saving(&Price { cached_input: 9000, ..price }, 1000), 0);
    }
}
