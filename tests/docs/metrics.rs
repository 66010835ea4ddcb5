//! docs/metrics.md against the code: every metric with its type, labels, unit and meaning, and every way a call ends.

use neural_router::meter::{Ending, Row, TABLE};

use super::text::read;

const PATH: &str = "docs/metrics.md";

fn written(row: &Row) -> String {
    let labels: Vec<String> = row.labels.iter().map(|label| format!("`{label}`")).collect();
    let labels = if labels.is_empty() { "—".to_owned() } else { labels.join(", ") };
    format!("| `{}` | {} | {labels} | {} | {} |", row.name, row.kind.name(), row.unit, row.help)
}

#[test]
fn the_table_of_metrics_is_that_of_the_code() {
    let text = read(PATH);
    let expected: Vec<String> = TABLE.iter().map(written).collect();
    let rows: Vec<&str> = text.lines().filter(|line| ["| `nr_", "| `gen_ai_"].iter().any(|start| line.starts_with(start))).collect();
    let rows: Vec<&str> = rows.into_iter().filter(|row| row.matches(" | ").count() == 4).collect();
    assert_eq!(rows, expected, "the table of {PATH}");
}

#[test]
fn every_way_a_call_ends_is_listed_with_its_fault() {
    let text = read(PATH);
    for ending in Ending::ALL {
        let start = format!("| `{}` | {} | ", ending.name(), ending.fault().name());
        assert!(text.contains(&start), "{PATH} has no row `{start}`");
    }
}
