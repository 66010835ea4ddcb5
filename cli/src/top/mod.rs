//! `nr top`: what the gateway is doing now, from Envoy's administration endpoint.
//!
//! ```text
//! /server_info, /stats/prometheus ─ scrape ─► track ─► view ─┬─ screen   a terminal: refreshing, with keys
//!                                             (a minute)     ├─ plain    a pipe: lines of text
//!                                                            └─ JSON     --json
//! ```
//!
//! It only reads. What it shows is the filter's own metrics (docs/metrics.md); whatever is missing there is missing here.

mod allowance;
mod exposition;
mod figure;
mod options;
mod plain;
mod scrape;
mod screen;
mod series;
mod table;
mod terminal;
mod track;
mod view;

use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;

use neural_router::config::Document;

use crate::failure::{Failure, print};
use crate::load;
use allowance::Allowances;
use scrape::Admin;
use track::Track;
use view::View;

pub(crate) use options::Top;

/// Where a configuration is looked for.
const USUAL: &str = "neural-router.yaml";

/// What is said while there is nothing to see.
const NOTHING_YET: &str = "The filter has measured nothing yet: no call has ended since Envoy began.";

/// The first rate is there soon, whatever the interval.
const FIRST_INTERVAL: Duration = Duration::from_secs(1);

/// Shows it, until told to end or, where nobody sits at it, until the gateway does not answer.
pub(crate) fn run(options: &Top) -> Result<(), Failure> {
    let document = document(options.config.as_deref())?;
    let allowances = document.as_ref().map(Allowances::read).unwrap_or_default();
    let url = options.admin.clone().or_else(|| document.as_ref().map(address)).unwrap_or_else(|| address_of("127.0.0.1", 9901));
    let admin = Admin::new(&url);
    let track = Track::new(allowances);
    if !options.once && !options.json && std::io::stdout().is_terminal() {
        return terminal::run(options, admin, track);
    }
    lines(options, &admin, track)
}

fn lines(options: &Top, admin: &Admin, mut track: Track) -> Result<(), Failure> {
    track.add(admin.url(), admin.scrape()?);
    loop {
        std::thread::sleep(options.interval);
        let mut view = track.add(admin.url(), admin.scrape()?);
        options.sort.apply(&mut view.models);
        print(&if options.json { json(&view) } else { plain::text(&view) })?;
        if options.once {
            return Ok(());
        }
    }
}

fn json(view: &View) -> String {
    // Names and figures always serialise.
    serde_json::to_string(view).unwrap_or_default() + "\n"
}

/// The configuration that was named, or the one that is here. One that is here by chance may be wrong.
fn document(named: Option<&Path>) -> Result<Option<Document>, Failure> {
    match named {
        Some(path) => load::file(path).map(|loaded| Some(loaded.document)),
        None => Ok(load::file(Path::new(USUAL)).ok().map(|loaded| loaded.document)),
    }
}

fn address(document: &Document) -> String {
    // "Any" is this machine, too.
    match document.admin.address.as_str() {
        "0.0.0.0" | "::" => address_of("127.0.0.1", document.admin.port),
        address => address_of(address, document.admin.port),
    }
}

fn address_of(address: &str, port: u16) -> String {
    if address.contains(':') { format!("http://[{address}]:{port}") } else { format!("http://{address}:{port}") }
}
