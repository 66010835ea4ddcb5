//! Tables for the terminal: columns as wide as their widest cell.

/// How the cells of a column stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Figures.
    Right,
}

const BETWEEN: &str = "  ";

/// Rows as lines. Columns without an alignment of their own are words; a row may have fewer cells than others, and
/// its last cell, if it is words, may be as long as it likes.
pub(crate) fn lines(aligns: &[Align], rows: &[Vec<String>]) -> String {
    let align = |column: usize| aligns.get(column).copied().unwrap_or(Align::Left);
    let mut widths = Vec::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            if widths.len() == column {
                widths.push(0);
            }
            let free = column + 1 == row.len() && align(column) == Align::Left;
            if !free {
                widths[column] = widths[column].max(width(cell));
            }
        }
    }
    let mut out = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, wide))| {
            let space = " ".repeat(wide.saturating_sub(width(cell)));
            match align(column) {
                Align::Left => format!("{cell}{space}"),
                Align::Right => format!("{space}{cell}"),
            }
        });
        out.push_str(cells.collect::<Vec<_>>().join(BETWEEN).trim_end());
        out.push('\n');
    }
    out
}

fn width(cell: &str) -> usize {
    cell.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_to_the_right_and_a_last_word_is_free() {
        let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
        let rows = [row(&["model", "q"]), row(&["gpt-4o", "0.84"]), row(&["λ", "1"]), row(&["a sentence that is long"])];
        let expected = "model      q\ngpt-4o  0.84\nλ          1\na sentence that is long\n";
        assert_eq!(lines(&[Align::Left, Align::Right], &rows), expected);
    }
}
