//! Successes and failures of the last minute, counted exactly in cells of five seconds.
//!
//! An attempt falls into the cell of the moment it ended, also when it is written down a little
//! later. The minute is the cell of now and the eleven before it.

/// Length of a cell in milliseconds.
pub(super) const CELL_MS: u64 = 5_000;

/// Cells of the minute.
pub(super) const CELLS: usize = 12;

/// How the attempts of five seconds ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Cell {
    pub(super) succeeded: u32,
    pub(super) failed: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Window {
    /// Cells since 1970 until the first of `cells`.
    pub(super) newest: u64,
    /// Newest first.
    pub(super) cells: [Cell; CELLS],
}

impl Window {
    /// Moves the window up to now. A clock that is a little behind, as between workers, changes
    /// nothing; one that jumped back by more than the window starts a new one.
    pub(super) fn slide(&mut self, now_ms: u64) {
        let now = now_ms / CELL_MS;
        match usize::try_from(now.saturating_sub(self.newest)) {
            Ok(0) if self.newest - now <= CELLS as u64 => return,
            Ok(steps @ 1..CELLS) => {
                self.cells.rotate_right(steps);
                self.cells.iter_mut().take(steps).for_each(|cell| *cell = Cell::default());
            }
            Ok(_) | Err(_) => self.cells = Default::default(),
        }
        self.newest = now;
    }

    /// Counts an attempt that ended then.
    pub(super) fn count(&mut self, at_ms: u64, succeeded: bool) {
        self.slide(at_ms);
        if let Some(cell) = self.cell(at_ms) {
            let number = if succeeded { &mut cell.succeeded } else { &mut cell.failed };
            *number = number.saturating_add(1);
        }
    }

    /// What was a success then has turned out to be none.
    pub(super) fn revoke(&mut self, at_ms: u64) {
        if let Some(cell) = self.cell(at_ms).filter(|cell| cell.succeeded > 0) {
            cell.succeeded -= 1;
            cell.failed = cell.failed.saturating_add(1);
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.cells = Default::default();
    }

    /// Successes and failures.
    pub(super) fn totals(&self) -> (u64, u64) {
        self.cells.iter().fold((0, 0), |(ok, failed), cell| (ok + u64::from(cell.succeeded), failed + u64::from(cell.failed)))
    }

    fn cell(&mut self, at_ms: u64) -> Option<&mut Cell> {
        let age = self.newest.checked_sub(at_ms / CELL_MS)?;
        self.cells.get_mut(usize::try_from(age).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_counts_until_its_cell_is_twelve_cells_old() {
        // Ended at; looked at; counted.
        let start = 1_700_000_000_000;
        assert_eq!(start % CELL_MS, 0);
        for (ended, looked, counted) in [
            (0, 0, 1),
            (0, 59_999, 1),
            (0, 60_000, 0),
            (4_999, 59_999, 1),
            (4_999, 60_000, 0),
            (5_000, 60_000, 1),
            (5_000, 64_999, 1),
            (5_000, 65_000, 0),
            (0, 3_600_000, 0),
        ] {
            let mut window = Window::default();
            window.count(start + ended, true);
            window.slide(start + looked);
            assert_eq!(window.totals(), (counted, 0), "{ended} {looked}");
        }
    }

    #[test]
    fn what_is_written_down_late_falls_into_its_own_cell() {
        let start = 1_700_000_000_000;
        let mut window = Window::default();
        window.count(start + 30_000, false);
        window.count(start + 2_000, true);
        window.slide(start + 59_999);
        assert_eq!(window.totals(), (1, 1));
        window.slide(start + 60_000);
        assert_eq!(window.totals(), (0, 1), "the older one has left first");
        window.count(start, true);
        assert_eq!(window.totals(), (0, 1), "older than the window");
    }

    #[test]
    fn a_success_can_be_revoked_only_where_there_is_one() {
        let start = 1_700_000_000_000;
        let mut window = Window::default();
        window.count(start, true);
        window.revoke(start + CELL_MS);
        window.revoke(start - CELL_MS);
        assert_eq!(window.totals(), (1, 0), "other cells");
        window.revoke(start + 1);
        window.revoke(start + 1);
        assert_eq!(window.totals(), (0, 1));
    }

    #[test]
    fn a_clock_that_jumps_far_back_starts_anew() {
        let mut window = Window::default();
        window.count(1_700_000_000_000, true);
        window.slide(1_700_000_000_000 - CELL_MS * 12);
        assert_eq!(window.totals(), (1, 0));
        window.slide(1_600_000_000_000);
        assert_eq!((window.totals(), window.newest), ((0, 0), 320_000_000));
    }
}
