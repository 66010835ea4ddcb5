//! The table behind a choice: every candidate with its figures, or why it is not asked.

use crate::config::policy::{NanoUsd, dollars};
use crate::openai::members::{encode, encode_number};

use super::objective::Figures;
use super::shortlist::{Excluded, Shortlist};
use super::{Order, Row, RowFigures};

/// The rows: those that are tried in their order, then the others.
pub(super) fn rows<'c>(list: &Shortlist<'c>, order: &Order) -> Vec<Row<'c>> {
    let mut rows = Vec::new();
    for entry in order.models.iter().filter_map(|position| list.entries.get(*position)) {
        let Figures { model, quality, cost, latency_ms, .. } = entry.figures;
        let figures = RowFigures { quality, cost: NanoUsd(cost), latency_ms, score: order.scale.score(&entry.figures) };
        let row = |candidate: &super::Candidate<'c>| Row {
            model,
            deployment: Some((candidate.deployment, candidate.provider)),
            figures: Some(figures),
            excluded: None,
        };
        rows.extend(list.candidates(entry).iter().map(row));
    }
    let excluded = |(model, deployment, why): &(&'c _, _, Excluded)| Row {
        model,
        deployment: *deployment,
        figures: None,
        excluded: Some(why.clone()),
    };
    rows.extend(list.excluded.iter().map(excluded));
    rows
}

impl Excluded {
    /// In words.
    pub fn reason(&self) -> String {
        match self {
            Self::Incapable(obstacle) => obstacle.reason(),
            Self::Unsayable(name) => format!("its provider's protocol has no {name}"),
            Self::CoolingDown(ms) => format!("cools down for another {} ms", ms),
            Self::TriedOut => "has cooled down and is being tried out by another call".to_owned(),
            Self::TooSlow(ms) => format!("is likely to take {ms} ms"),
        }
    }
}

/// The rows as JSON: `[{"model", "provider", "deployment", "q", "c_usd", "latency_ms", "score"}, {…, "excluded"}]`.
/// q has four decimals, the score six, milliseconds none; an amount is exact.
pub fn table(rows: &[Row<'_>]) -> String {
    let mut out = vec![b'['];
    for (row, at) in rows.iter().zip(0..) {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(br#"{"model":"#);
        encode(&row.model.id, &mut out);
        if let Some((deployment, provider)) = row.deployment {
            out.extend_from_slice(br#","provider":"#);
            encode(&provider.name, &mut out);
            out.extend_from_slice(br#","deployment":"#);
            encode(&deployment.model, &mut out);
        }
        if let Some(figures) = &row.figures {
            out.extend_from_slice(br#","q":"#);
            fixed(figures.quality, 4, &mut out);
            out.extend_from_slice(br#","c_usd":"#);
            out.extend_from_slice(dollars(figures.cost).as_bytes());
            out.extend_from_slice(br#","latency_ms":"#);
            encode_number(figures.latency_ms as u64, &mut out);
            out.extend_from_slice(br#","score":"#);
            match figures.score {
                Some(score) => fixed(score, 6, &mut out),
                None => out.extend_from_slice(b"null"),
            }
        }
        if let Some(excluded) = &row.excluded {
            out.extend_from_slice(br#","excluded":"#);
            encode(&excluded.reason(), &mut out);
        }
        out.push(b'}');
    }
    out.push(b']');
    String::from_utf8(out).unwrap_or_default()
}

/// A number with so many decimals, by whole numbers, so that it is the same text everywhere.
pub fn fixed(figure: f64, decimals: usize, out: &mut Vec<u8>) {
    let scale = 10_u64.pow(decimals as u32);
    let scaled = (figure * scale as f64).round() as i64;
    if scaled < 0 {
        out.push(b'-');
    }
    let whole = scaled.unsigned_abs();
    encode_number(whole / scale, out);
    out.extend_from_slice(format!(".{:0decimals$}", whole % scale).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::fixed;

    #[test]
    fn a_figure_has_its_decimals() {
        for (figure, expected) in [
            (0.0, "0.0000"),
            (0.86, "0.8600"),
            (-0.000_04, "0.0000"),
            (-0.25, "-0.2500"),
            (1_234.567_89, "1234.5679"),
            (f64::NAN, "0.0000"),
            (f64::INFINITY, "922337203685477.5807"),
        ] {
            let mut out = Vec::new();
            fixed(figure, 4, &mut out);
            assert_eq!(String::from_utf8(out).expect("digits"), expected);
        }
    }
}
