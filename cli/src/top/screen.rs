//! The view on a terminal: the whole gateway on top, then the models, the workspaces, and why calls went elsewhere.
//! What does not fit is left out from the right of importance, never cut in the middle of a figure.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Sparkline};

use super::figure::amount;
use super::table::{self, Column, Sort};
use super::track::Track;
use super::view::{Failover, Left, Model, View, Workspace};
use crate::columns::Align;

/// All that is on it besides the track.
#[derive(Debug)]
pub(super) struct Screen {
    /// Of the administration endpoint.
    pub(super) url: String,
    pub(super) sort: Sort,
    pub(super) colours: bool,
    /// The latest there is.
    pub(super) view: Option<View>,
    /// Why there is no newer one.
    pub(super) trouble: Option<String>,
}

/// Between two columns.
const GAP: usize = 2;

/// Columns of the models in the order in which they go when there is no room.
const MODELS_GO: &[usize] = &[5, 7, 8, 4, 9, 1];

/// The same of the workspaces.
const WORKSPACES_GO: &[usize] = &[2, 4, 1];

/// The first column of a workspace that has bars, which stand below each other.
const LIMITS_FROM: usize = 3;

/// Cells of a bar.
const BAR: usize = 10;

/// Draws all of it.
pub(super) fn draw(frame: &mut Frame, screen: &mut Screen, track: &Track) {
    if let Some(view) = &mut screen.view {
        screen.sort.apply(&mut view.models);
    }
    let [top, body, foot] = Layout::vertical([Constraint::Length(5), Constraint::Min(0), Constraint::Length(1)]).areas(frame.area());
    head(frame, top, screen, track);
    let paint = Paint(screen.colours);
    if let Some(view) = &screen.view {
        frame.render_widget(Paragraph::new(tables(view, screen.sort, &paint, body)), body);
    }
    frame.render_widget(footer(screen, &paint, foot.width), foot);
}

/// Colours, where they are wanted.
struct Paint(bool);

impl Paint {
    fn colour(&self, colour: Color) -> Style {
        if self.0 { Style::new().fg(colour) } else { Style::new() }
    }

    fn faint(&self) -> Style {
        self.colour(Color::DarkGray)
    }

    fn strong() -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }
}

/// Who answers, the sums, whose errors; beside them how the calls went.
fn head(frame: &mut Frame, area: Rect, screen: &Screen, track: &Track) {
    let paint = Paint(screen.colours);
    let [title, _, rest] = Layout::vertical([Constraint::Length(1), Constraint::Length(1), Constraint::Min(0)]).areas(area);
    let about = screen.view.as_ref().map_or_else(|| format!("{} · asking …", screen.url), |view| table::title(&view.gateway));
    let name = Span::styled(" nr top ", Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD));
    frame.render_widget(Paragraph::new(Line::from(vec![name, Span::raw("  "), Span::raw(about)])), title);
    let Some(view) = &screen.view else {
        let said = screen.trouble.clone().unwrap_or_default();
        frame.render_widget(Paragraph::new(said).style(paint.colour(Color::Red)).wrap(ratatui::widgets::Wrap { trim: true }), rest);
        return;
    };
    let mut figures = Vec::new();
    for (label, value) in table::sums(&view.gateway) {
        let value = if label.ends_with("/s") && !track.has_begun() { "…".to_owned() } else { value };
        figures.extend([Span::styled(format!(" {value}"), Paint::strong()), Span::styled(format!(" {label}  "), paint.faint())]);
    }
    let mut faults = vec![Span::styled(" errors/s by fault  ", paint.faint())];
    for (label, rate) in table::errors(&view.gateway) {
        let style = match (rate > 0.0, label) {
            (false, _) => paint.faint(),
            (true, "caller" | "policy") => paint.colour(Color::Yellow),
            (true, _) => paint.colour(Color::Red).add_modifier(Modifier::BOLD),
        };
        faults.push(Span::styled(format!("{label} {}  ", amount(rate)), style));
    }
    let (figures, faults) = (Line::from(figures), Line::from(faults));
    let wide = figures.width().max(faults.width()) as u16;
    let [sums, line] = Layout::horizontal([Constraint::Length(wide), Constraint::Fill(1)]).spacing(2).areas(rest);
    frame.render_widget(Paragraph::new(vec![figures, faults]), sums);
    let drawn: Vec<u64> = track.rates().rev().take(line.width.into()).map(|rate| (rate * 100.0) as u64).collect();
    let drawn: Vec<u64> = drawn.into_iter().rev().collect();
    let line = Rect { height: line.height.min(2), ..line };
    frame.render_widget(Sparkline::default().data(&drawn).style(paint.colour(Color::Cyan)), line);
}

fn footer<'a>(screen: &'a Screen, paint: &Paint, width: u16) -> Paragraph<'a> {
    if let (Some(trouble), Some(_)) = (&screen.trouble, &screen.view) {
        return Paragraph::new(format!(" {trouble} ")).style(paint.colour(Color::Red).add_modifier(Modifier::REVERSED));
    }
    let keys = [("q", "quit"), ("s", "order"), ("c", "calls"), ("e", "errors"), ("l", "latency"), ("$", "cost"), ("n", "name")];
    let mut spans = vec![Span::raw(" ")];
    for (key, does) in keys {
        let style = if does == screen.sort.name() { Paint::strong().add_modifier(Modifier::UNDERLINED) } else { paint.faint() };
        spans.extend([Span::styled(key, Paint::strong()), Span::raw(" "), Span::styled(does, style), Span::raw("   ")]);
    }
    if usize::from(width) < 60 {
        spans.truncate(5);
    }
    Paragraph::new(Line::from(spans))
}

/// The tables, one below the other; the models give way first, but for a few.
fn tables(view: &View, sort: Sort, paint: &Paint, area: Rect) -> Vec<Line<'static>> {
    let room = usize::from(area.width);
    let mut lines = Vec::new();
    if !view.gateway.measured {
        lines.extend([Line::from(format!(" {}", super::NOTHING_YET)), Line::default()]);
    }
    let models: Vec<Row> = view.models.iter().map(|model| of_model(model, paint)).collect();
    let workspaces = of_workspaces(&view.workspaces, paint);
    let failovers: Vec<Row> = view.failovers.iter().map(|failover| of_failover(failover, paint)).collect();
    let order = match sort {
        Sort::Calls => Some(2),
        Sort::Errors => Some(3),
        Sort::Latency => Some(7),
        Sort::Cost => Some(9),
        Sort::Name => Some(0),
    };
    let height = usize::from(area.height);
    let others = needs(&workspaces, 6) + needs(&failovers, 5);
    let most = height.saturating_sub(others + 3).max(3);
    section(&mut lines, table::MODELS, models, Shape { room, most, goes: MODELS_GO, order }, paint);
    let most = height.saturating_sub(lines.len() + needs(&failovers, 5) + 3).max(2);
    let columns: Vec<Column> = table::WORKSPACES
        .iter()
        .enumerate()
        .map(|(at, (name, align))| (*name, if at < LIMITS_FROM { *align } else { Align::Left }))
        .collect();
    section(&mut lines, &columns, workspaces, Shape { room, most, goes: WORKSPACES_GO, order: None }, paint);
    let most = height.saturating_sub(lines.len() + 2).max(1);
    section(&mut lines, table::FAILOVERS, failovers, Shape { room, most, goes: &[], order: None }, paint);
    lines
}

/// Lines that a table wants at least, if it has that many.
fn needs(rows: &[Row], most: usize) -> usize {
    if rows.is_empty() { 0 } else { rows.len().min(most) + 2 }
}

/// A row's cells.
type Row = Vec<Line<'static>>;

struct Shape {
    /// Columns of the terminal.
    room: usize,
    /// Rows.
    most: usize,
    goes: &'static [usize],
    /// The column that rows are ordered by.
    order: Option<usize>,
}

fn section(lines: &mut Vec<Line<'static>>, columns: &[Column], rows: Vec<Row>, shape: Shape, paint: &Paint) {
    if rows.is_empty() {
        return;
    }
    let mut widths: Vec<usize> = columns.iter().map(|(name, _)| name.chars().count()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let mut shown: Vec<usize> = (0..columns.len()).collect();
    let wide = |shown: &[usize]| 1 + shown.iter().filter_map(|column| widths.get(*column)).map(|width| width + GAP).sum::<usize>();
    for gone in shape.goes {
        if wide(&shown) > shape.room + GAP {
            shown.retain(|column| column != gone);
        }
    }
    let put = |cells: Row| {
        let mut spans = vec![Span::raw(" ")];
        for (column, cell) in cells.into_iter().enumerate().filter(|(column, _)| shown.contains(column)) {
            let free = widths.get(column).map_or(0, |width| width.saturating_sub(cell.width()));
            let right = columns.get(column).is_some_and(|(_, align)| *align == Align::Right);
            spans.push(Span::raw(" ".repeat(if right { free } else { 0 })));
            spans.extend(cell.spans);
            spans.push(Span::raw(" ".repeat(GAP + if right { 0 } else { free })));
        }
        Line::from(spans)
    };
    let head = |(at, (name, _)): (usize, &Column)| {
        let style = if shape.order == Some(at) { Paint::strong() } else { paint.faint() };
        Line::from(Span::styled((*name).to_owned(), style))
    };
    lines.push(put(columns.iter().enumerate().map(head).collect()));
    let more = rows.len().saturating_sub(shape.most);
    lines.extend(rows.into_iter().take(shape.most).map(put));
    if more > 0 {
        lines.push(Line::from(Span::styled(format!(" and {more} more"), paint.faint())));
    }
    lines.push(Line::default());
}

fn of_model(model: &Model, paint: &Paint) -> Row {
    let mut cells: Row = table::model(model).into_iter().map(Line::from).collect();
    let style = match model.error_share {
        Some(share) if share >= 0.1 => paint.colour(Color::Red).add_modifier(Modifier::BOLD),
        Some(share) if share > 0.0 => paint.colour(Color::Yellow),
        _ => Style::new(),
    };
    let (sign, colour) = if model.cooling { ("◌ cooling", Color::Yellow) } else { ("● healthy", Color::Green) };
    let state = Line::from(Span::styled(sign, paint.colour(colour)));
    for (column, cell) in cells.iter_mut().enumerate() {
        match column {
            0 => *cell = std::mem::take(cell).style(Paint::strong()).patched(),
            3 => *cell = std::mem::take(cell).style(style).patched(),
            10 => cell.clone_from(&state),
            _ => {}
        }
    }
    cells
}

/// Limits as a bar and figures; where only others in the column have a bar, there is room for one.
fn of_workspaces(workspaces: &[Workspace], paint: &Paint) -> Vec<Row> {
    let lefts = |workspace: &Workspace| [workspace.requests, workspace.tokens, workspace.budget_usd];
    let barred = |column: usize| {
        workspaces.iter().any(|one| lefts(one).get(column).copied().flatten().is_some_and(|left| bar(left, paint).is_some()))
    };
    let row = |workspace: &Workspace| {
        let mut cells: Row = table::workspace(workspace).into_iter().map(Line::from).collect();
        if let Some(name) = cells.first_mut() {
            *name = std::mem::take(name).style(Paint::strong()).patched();
        }
        for (_, (cell, left)) in cells.iter_mut().skip(LIMITS_FROM).zip(lefts(workspace)).enumerate().filter(|(column, _)| barred(*column))
        {
            let bar = left.and_then(|left| bar(left, paint)).map_or_else(|| vec![Span::raw(" ".repeat(BAR))], Vec::from);
            let figures = std::mem::take(&mut cell.spans);
            cell.spans = bar.into_iter().chain([Span::raw(" ")]).chain(figures).collect();
        }
        cells
    };
    workspaces.iter().map(row).collect()
}

/// How much of a limit is left, as a bar.
fn bar(left: Left, paint: &Paint) -> Option<[Span<'static>; 2]> {
    let share = (left.remaining / left.of.filter(|of| *of > 0.0)?).clamp(0.0, 1.0);
    let full = (share * BAR as f64).ceil() as usize;
    let colour = match share {
        s if s > 0.5 => Color::Green,
        s if s > 0.2 => Color::Yellow,
        _ => Color::Red,
    };
    Some([Span::styled("█".repeat(full), paint.colour(colour)), Span::styled("░".repeat(BAR - full), paint.faint())])
}

fn of_failover(failover: &Failover, paint: &Paint) -> Row {
    let style = if failover.recent > 0 { Style::new() } else { paint.faint() };
    table::failover(failover).into_iter().map(|cell| Line::from(Span::styled(cell, style))).collect()
}

/// A line whose style is that of its spans, so that it keeps it among others.
trait Patched {
    fn patched(self) -> Self;
}

impl Patched for Line<'static> {
    fn patched(mut self) -> Self {
        let style = self.style;
        self.spans.iter_mut().for_each(|span| span.style = style.patch(span.style));
        self.style = Style::new();
        self
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::top::scrape::{Envoy, Scrape};

    const BEFORE: &str = include_str!("fixtures/before.prom");
    const AFTER: &str = include_str!("fixtures/after.prom");

    fn watched() -> (Screen, Track) {
        let document = crate::load::text(include_str!("../../../examples/demo.yaml")).expect("the demo").document;
        let mut track = Track::new(crate::top::Allowances::read(&document));
        let start = Instant::now();
        let scrape = |text, seconds: u64| Scrape {
            at: start + Duration::from_secs(seconds),
            envoy: Envoy { version: "1.40.0".to_owned(), state: "LIVE".to_owned(), uptime_s: 8_040 + seconds },
            samples: crate::top::exposition::samples(text),
        };
        track.add("http://127.0.0.1:9901", scrape(BEFORE, 0));
        let view = track.add("http://127.0.0.1:9901", scrape(AFTER, 10));
        (Screen { url: "http://127.0.0.1:9901".to_owned(), sort: Sort::Calls, colours: true, view: Some(view), trouble: None }, track)
    }

    fn drawn(screen: &mut Screen, track: &Track, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        terminal.draw(|frame| draw(frame, screen, track)).expect("drawn");
        let buffer = terminal.backend().buffer();
        let row = |y| (0..width).filter_map(|x| buffer.cell((x, y))).map(|cell| cell.symbol()).collect::<String>();
        (0..height).map(|y| row(y).trim_end().to_owned()).collect()
    }

    #[test]
    fn the_whole_view_stands_on_a_usual_terminal() {
        let (mut screen, track) = watched();
        assert_eq!(drawn(&mut screen, &track, 120, 24).join("\n"), include_str!("fixtures/screen.txt").trim_end_matches('\n').to_owned());
    }

    #[test]
    fn what_does_not_fit_is_left_out_whole() {
        let (mut screen, track) = watched();
        for (width, height) in [(80, 24), (60, 12), (40, 10), (20, 5), (1, 1), (300, 80)] {
            let lines = drawn(&mut screen, &track, width, height);
            let models = lines.iter().find(|line| line.contains("MODEL"));
            assert!(width < 60 || models.is_some_and(|line| line.contains("CALLS/S") && line.ends_with("STATE")), "{width}: {lines:#?}");
        }
    }

    #[test]
    fn trouble_is_said_beside_what_was_last_seen() {
        let (mut screen, track) = watched();
        screen.trouble = Some("Envoy's administration endpoint cannot be reached".to_owned());
        let lines = drawn(&mut screen, &track, 100, 24);
        assert!(lines.iter().any(|line| line.contains("gpt-4o")) && lines.last().is_some_and(|line| line.contains("cannot be reached")));
        screen.view = None;
        assert!(drawn(&mut screen, &track, 100, 24).iter().any(|line| line.contains("cannot be reached")));
    }

    #[test]
    fn without_colours_there_are_none() {
        let (mut screen, track) = watched();
        for colours in [true, false] {
            screen.colours = colours;
            let mut terminal = Terminal::new(TestBackend::new(120, 24)).expect("a terminal");
            terminal.draw(|frame| draw(frame, &mut screen, &track)).expect("drawn");
            let coloured = terminal.backend().buffer().content().iter().any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset);
            assert_eq!(coloured, colours);
        }
    }

    #[test]
    fn models_are_in_the_order_that_is_asked_for() {
        let (mut screen, track) = watched();
        for (sort, first) in
            [(Sort::Calls, "llama"), (Sort::Errors, "llama"), (Sort::Cost, "claude"), (Sort::Latency, "claude"), (Sort::Name, "claude")]
        {
            screen.sort = sort;
            let lines = drawn(&mut screen, &track, 120, 24);
            let at = lines.iter().position(|line| line.contains("MODEL")).expect("the head");
            assert!(lines.get(at + 1).is_some_and(|line| line.trim_start().starts_with(first)), "{sort:?}: {lines:#?}");
        }
    }
}
