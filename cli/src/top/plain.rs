//! A view as lines of text, for pipes and files: no colours, no cursor, nothing that changes afterwards.

use super::table::{self, Column};
use super::view::View;
use crate::columns::{Align, lines};
use crate::top::figure::amount;

/// The view, with an empty line behind it.
pub(super) fn text(view: &View) -> String {
    let mut out = table::title(&view.gateway);
    if view.gateway.restarted {
        out.push_str(" · started anew");
    }
    out.push('\n');
    let sums: Vec<String> = table::sums(&view.gateway).iter().map(|(name, value)| format!("{name} {value}")).collect();
    let errors: Vec<String> = table::errors(&view.gateway).iter().map(|(name, rate)| format!("{name} {}", amount(*rate))).collect();
    out.push_str(&format!("{}   errors/s by fault: {}\n", sums.join("  "), errors.join("  ")));
    if !view.gateway.measured {
        out.push_str(super::NOTHING_YET);
        out.push('\n');
    }
    section(&mut out, table::MODELS, view.models.iter().map(table::model));
    section(&mut out, table::WORKSPACES, view.workspaces.iter().map(table::workspace));
    section(&mut out, table::FAILOVERS, view.failovers.iter().map(table::failover));
    out.push('\n');
    out
}

fn section(out: &mut String, columns: &[Column], rows: impl Iterator<Item = Vec<String>>) {
    let head = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    if rows.len() > 1 {
        let aligns: Vec<Align> = columns.iter().map(|(_, align)| *align).collect();
        out.push('\n');
        out.push_str(&lines(&aligns, &rows));
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::top::allowance::Allowances;
    use crate::top::exposition::samples;
    use crate::top::scrape::{Envoy, Scrape};
    use crate::top::track::Track;

    const BEFORE: &str = include_str!("fixtures/before.prom");
    const AFTER: &str = include_str!("fixtures/after.prom");

    /// The views of these texts, ten seconds apart, of an Envoy that was so old at each.
    fn views(texts: &[(&str, u64)]) -> Vec<View> {
        let (mut track, start) = (Track::new(Allowances::default()), Instant::now());
        let scrape = |(at, (text, uptime_s)): (u64, &(&str, u64))| Scrape {
            at: start + Duration::from_secs(10 * at),
            envoy: Envoy { version: "1.40.0".to_owned(), state: "LIVE".to_owned(), uptime_s: *uptime_s },
            samples: samples(text),
        };
        (0..).zip(texts).map(|one| track.add("http://127.0.0.1:9901", scrape(one))).collect()
    }

    #[test]
    fn lines_say_what_the_screen_says() {
        let view = views(&[(BEFORE, 100), (AFTER, 110)]).pop().expect("a view");
        assert_eq!(text(&view), include_str!("fixtures/plain.txt"));
    }

    #[test]
    fn a_gateway_that_began_anew_is_counted_from_nought() {
        let [_, _, anew] = <[View; 3]>::try_from(views(&[(BEFORE, 100), (AFTER, 110), (BEFORE, 5)])).expect("three");
        // All that there is came within ten seconds.
        assert!(anew.gateway.restarted && anew.gateway.calls_per_s == 47.7 && anew.gateway.calls == 477, "{anew:?}");
        assert!(text(&anew).starts_with("http://127.0.0.1:9901 · Envoy 1.40.0 · up 5 s · started anew\n"));
    }

    #[test]
    fn without_metrics_it_says_so_and_shows_the_rest() {
        let view = views(&[("", 1), ("", 11)]).pop().expect("a view");
        let text = text(&view);
        assert!(text.contains("The filter has measured nothing yet") && text.contains("calls/s 0"), "{text}");
        assert!(!text.contains("MODEL") && !text.contains("NaN") && !text.contains("inf"), "{text}");
    }

    #[test]
    fn a_metric_that_is_missing_leaves_its_figures_out() {
        let only = |text: &str| {
            text.lines().filter(|line| line.starts_with("nr_attempts_total")).map(|line| format!("{line}\n")).collect::<String>()
        };
        let view = views(&[(&only(BEFORE), 1), (&only(AFTER), 11)]).pop().expect("a view");
        let groq = view.models.iter().find(|model| model.provider == "groq").expect("groq");
        assert_eq!((groq.attempts_per_s, groq.duration_ms.p50, groq.usd_per_h, groq.cooling), (12.1, None, 0.0, false));
    }

    #[test]
    fn histograms_are_of_a_minute_or_of_all_time_at_first_and_rates_of_the_last_interval() {
        let views =
            views(&[(BEFORE, 100), (AFTER, 110), (AFTER, 120), (AFTER, 130), (AFTER, 140), (AFTER, 150), (AFTER, 160), (AFTER, 170)]);
        let tokens: Vec<f64> = views.iter().map(|view| view.gateway.tokens_per_s.round()).collect();
        assert_eq!(tokens, [800.0, 8000.0, 4000.0, 2667.0, 2000.0, 1600.0, 1333.0, 0.0]);
        assert!(views.iter().skip(2).all(|view| view.gateway.calls_per_s == 0.0));
    }
}
