//! `nr key new`: a workspace key, shown once. Only its digest is ever stored.

use sha2::{Digest, Sha256};

use crate::failure::Failure;

/// 192 bits from the operating system: nobody guesses one, so its digest needs no salt or stretching.
const RANDOM_BYTES: usize = 24;

/// A key and what the configuration holds of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) key: String,
    pub(crate) sha256: String,
}

impl Key {
    /// A new one.
    pub(crate) fn random() -> Result<Self, Failure> {
        let mut bytes = [0; RANDOM_BYTES];
        getrandom::fill(&mut bytes).map_err(|error| Failure::new(format!("the operating system gave no random numbers: {error}")))?;
        let key = ["nr-", &hex(&bytes)].concat();
        let sha256 = digest(&key);
        Ok(Self { key, sha256 })
    }
}

/// Prints a new key and its line for the configuration.
pub(crate) fn new(workspace: &str, id: Option<&str>) -> Result<(), Failure> {
    let plain = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if !plain(workspace) {
        return Err(Failure::new(format!("--workspace `{workspace}`: letters, digits, `-`, `_` and `.`")));
    }
    let Key { key, sha256 } = Key::random()?;
    let id = id.map_or_else(|| format!("{workspace}-{}", sha256.chars().take(8).collect::<String>()), str::to_owned);
    if !plain(&id) {
        return Err(Failure::new(format!("--id `{id}`: letters, digits, `-`, `_` and `.`")));
    }
    println!("{key}");
    println!("- {{id: {id}, sha256: {sha256}}}");
    eprintln!(
        "The first line is the key; it is stored nowhere and not shown again. Put the second line under `keys` of workspace `{workspace}`."
    );
    Ok(())
}

/// What the configuration holds of a key: SHA-256 over the whole of it.
pub(crate) fn digest(key: &str) -> String {
    hex(&Sha256::digest(key.as_bytes()))
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|nibble| char::from_digit(nibble.into(), 16)).collect()
}
