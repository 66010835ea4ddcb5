//! `nr check`: is this file one that `nr` can render and the filter can run?

use std::path::Path;

use crate::failure::Failure;
use crate::load;

/// Checks a file and says what it holds.
pub(crate) fn run(file: &Path) -> Result<(), Failure> {
    let loaded = load::file(file)?;
    loaded.warn();
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    println!(
        "ok: {}, {}, {}",
        count(loaded.config.catalog.providers().len(), "provider"),
        count(loaded.config.catalog.models().count(), "model"),
        count(loaded.config.workspaces.iter().count(), "workspace"),
    );
    Ok(())
}
