//! `nr catalog update`: prices and windows of a catalogue, refreshed from LiteLLM's table and shown as a
//! difference to read. Nothing is written unless asked, and then only the figures that differ.

mod decimal;
mod offer;
mod places;
mod review;
mod source;
mod table;
mod vendor;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;
use similar::TextDiff;

use crate::failure::{Failure, print};
use crate::load;
use crate::options::CatalogUpdate;
use places::Places;
use review::{Change, Wishes};
use table::Table;

/// Prints what would change to standard output and what there is to know to standard error; with
/// `--write` does it.
pub(crate) fn update(options: &CatalogUpdate) -> Result<(), Failure> {
    let file = &options.file;
    let because = |error: &dyn std::fmt::Display| Failure::new(format!("{}: {error}", file.display()));
    let text = load::read(file)?;
    let loaded = load::text(&text).map_err(|error| because(&error))?;
    let source = source::read(options.from.as_deref())?;
    let table = Table::parse(&source.text).map_err(|error| Failure::new(format!("{}: {error}", source.name)))?;
    let wishes = Wishes { include_free: options.include_free, allow_large: options.allow_large };
    let mut review = review::review(&loaded, &table, wishes);
    let places = Places::of(&text).map_err(|error| because(&error))?;
    review.changes.retain(|change| {
        let found = places.find(&change.path).is_some();
        if !found {
            review
                .notes
                .push(format!("{}: should be {}; it stands behind an anchor or an alias, change it by hand", change.path, change.new));
        }
        found
    });
    let edited = edit(&text, &review.changes, &places);
    verify(&text, &edited, &review.changes).map_err(|error| because(&error))?;
    let name = file.display().to_string();
    let difference = TextDiff::from_lines(&text, &edited).unified_diff().header(&name, &name).to_string();
    print(&difference)?;
    for note in &review.notes {
        eprintln!("note: {note}");
    }
    let figures = match review.changes.len() {
        0 => "nothing to change".to_owned(),
        1 => "1 figure differs".to_owned(),
        n => format!("{n} figures differ"),
    };
    eprintln!("nr: {figures}, by {}, which has {} models", source.name, table.len());
    if review.changes.is_empty() {
        return Ok(());
    }
    if !options.write {
        eprintln!("nr: nothing is written; --write does it");
        return Ok(());
    }
    replace(file, &edited).map_err(|error| because(&error))?;
    eprintln!("nr: written to {name}; `nr check {name}` and a restart make it count");
    Ok(())
}

/// The text with the scalars of the changes replaced and every other byte as it was.
fn edit(text: &str, changes: &[Change], places: &Places) -> String {
    let mut edits: Vec<_> = changes.iter().filter_map(|change| Some((places.find(&change.path)?, change.new.to_string()))).collect();
    edits.sort_by_key(|(place, _)| place.start);
    let mut edited = text.to_owned();
    for (place, new) in edits.iter().rev() {
        edited.replace_range(place.clone(), new);
    }
    edited
}

/// Holds the edited text to what was meant: the same document with just these values changed, and one that
/// can run. Places and values come from two readers of YAML, which may not agree about everything.
fn verify(text: &str, edited: &str, changes: &[Change]) -> Result<(), String> {
    let mut expected = load::value(text).map_err(|error| error.to_string())?;
    for change in changes {
        let new: Value = load::value(&change.new.to_string()).map_err(|error| error.to_string())?;
        let pointer = format!("/{}", change.path.replace('[', ".").replace(']', "").replace('.', "/"));
        *expected.pointer_mut(&pointer).ok_or_else(|| format!("{}: not found again", change.path))? = new;
    }
    let actual = load::value(edited).map_err(|error| error.to_string())?;
    if actual != expected {
        return Err("its figures cannot be replaced without changing something else; change it by hand".to_owned());
    }
    load::text(edited).map(drop).map_err(|error| format!("with these figures it could not run: {error}"))
}

/// Writes beside the file and renames, so that nobody reads half of it. A link stays one.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let file = fs::canonicalize(file)?;
    let mut beside = file.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let put = || -> std::io::Result<()> {
        let mut open = fs::OpenOptions::new().write(true).create_new(true).open(&beside)?;
        open.set_permissions(fs::metadata(&file)?.permissions())?;
        open.write_all(text.as_bytes())?;
        open.sync_all()?;
        fs::rename(&beside, &file)
    };
    put().inspect_err(|_| drop(fs::remove_file(&beside)))
}
