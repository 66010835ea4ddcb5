//! The terminal while `nr top` has it: raw, on the alternate screen, given back however it ends.
//!
//! Keys and scrapes are waited for in threads of their own. A gateway that does not answer holds up no key, and a
//! terminal that has gone away, which crossterm goes on reading from for ever, does not keep the program.

use std::io::stdout;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::options::Top;
use super::scrape::{Admin, Scrape};
use super::screen::{self, Screen};
use super::table::Sort;
use super::track::Track;
use crate::failure::Failure;

/// How soon a signal is noticed.
const PAUSE: Duration = Duration::from_millis(50);

/// Shows the view until `q`, Ctrl-C or a signal.
pub(super) fn run(options: &Top, admin: Admin, track: Track) -> Result<(), Failure> {
    let ended = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&ended)).map_err(|error| Failure::new(format!("signals: {error}")))?;
    }
    let url = admin.url().to_owned();
    let (news, heard) = mpsc::channel();
    let (scraped, interval) = (news.clone(), options.interval);
    std::thread::spawn(move || look(&admin, interval, &scraped));

    // It restores the terminal before the message of a panic, too.
    let mut terminal =
        ratatui::try_init().map_err(|error| Failure::new(format!("the terminal cannot be used: {error}; pipe it, or say --once")))?;
    let restored = Restored;
    std::thread::spawn(move || listen(&news));
    let screen = Screen {
        url,
        sort: options.sort,
        colours: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        view: None,
        trouble: None,
    };
    let outcome = show(&mut terminal, screen, track, &heard, &ended);
    drop(restored);
    outcome.map_err(|error| Failure::new(format!("the terminal: {error}")))
}

/// Gives the terminal back when it goes.
struct Restored;

impl Drop for Restored {
    fn drop(&mut self) {
        ratatui::restore();
        let _ = execute!(stdout(), Show);
    }
}

/// What there is to react to.
enum News {
    Scraped(Result<Scrape, Failure>),
    Terminal(Event),
}

/// Asks again and again, as long as somebody wants to hear it.
fn look(admin: &Admin, interval: Duration, news: &Sender<News>) {
    let mut wait = interval.min(super::FIRST_INTERVAL);
    while news.send(News::Scraped(admin.scrape())).is_ok() {
        std::thread::sleep(wait);
        wait = interval;
    }
}

/// Passes on what is pressed.
fn listen(news: &Sender<News>) {
    while let Ok(event) = event::read() {
        if news.send(News::Terminal(event)).is_err() {
            return;
        }
    }
}

fn show(
    terminal: &mut DefaultTerminal,
    mut screen: Screen,
    mut track: Track,
    heard: &Receiver<News>,
    ended: &AtomicBool,
) -> std::io::Result<()> {
    terminal.draw(|frame| screen::draw(frame, &mut screen, &track))?;
    while !ended.load(Ordering::Relaxed) {
        match heard.recv_timeout(PAUSE) {
            Ok(News::Scraped(Ok(scrape))) => {
                screen.view = Some(track.add(&screen.url, scrape));
                screen.trouble = None;
            }
            Ok(News::Scraped(Err(failure))) => screen.trouble = Some(failure.to_string()),
            Ok(News::Terminal(Event::Key(key))) if key.kind == KeyEventKind::Press => match (key.code, key.modifiers) {
                (KeyCode::Char('q') | KeyCode::Esc, _) => return Ok(()),
                (KeyCode::Char('c'), modifiers) if modifiers.contains(KeyModifiers::CONTROL) => return Ok(()),
                (KeyCode::Char(letter), _) => screen.sort = chosen(letter, screen.sort),
                _ => continue,
            },
            // A change of size, too, is a reason to draw.
            Ok(News::Terminal(_)) => {}
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        terminal.draw(|frame| screen::draw(frame, &mut screen, &track))?;
    }
    Ok(())
}

/// The order that a key asks for.
fn chosen(letter: char, now: Sort) -> Sort {
    match letter {
        'c' => Sort::Calls,
        'e' => Sort::Errors,
        'l' => Sort::Latency,
        '$' | 'd' => Sort::Cost,
        'n' => Sort::Name,
        's' => match now {
            Sort::Calls => Sort::Errors,
            Sort::Errors => Sort::Latency,
            Sort::Latency => Sort::Cost,
            Sort::Cost => Sort::Name,
            Sort::Name => Sort::Calls,
        },
        _ => now,
    }
}
