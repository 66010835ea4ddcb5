//! The rate of tokens: a window of sixty seconds that slides over small cells.
//!
//! A charge falls into the cell of its moment. What counts is every cell that overlaps the last
//! sixty seconds, so no sixty seconds ever have more than the limit; the price is that a charge
//! counts for up to one cell longer than that.

const MINUTE_NS: u64 = 60_000_000_000;

const CELL_NS: u64 = 2_000_000_000;

/// Cells that sixty seconds can overlap: those they fill, and a part of one more.
pub(super) const CELLS: usize = 31;
const _: () = assert!(CELLS as u64 == MINUTE_NS / CELL_NS + 1);

/// When tokens that calls under way have reserved can be expected back, at the earliest: a call
/// takes seconds, and then mostly turns out to have used less than it reserved.
const CALL_NS: u64 = 5_000_000_000;

/// Tokens charged in each cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Window {
    /// Cells since 1970 until the first of `cells`.
    newest: u64,
    /// Newest first.
    cells: [u64; CELLS],
}

impl Window {
    /// Moves the window up to now. Charges that leave it are forgotten.
    ///
    /// A clock that is a little behind, as between workers, changes nothing. One that jumped back
    /// by more than the window takes the charges along, as old as they were.
    pub(super) fn slide(&mut self, now_ns: u64) {
        let now = now_ns / CELL_NS;
        match usize::try_from(now.saturating_sub(self.newest)) {
            Ok(0) if self.newest - now <= CELLS as u64 => return,
            Ok(steps) if steps < CELLS => {
                self.cells.rotate_right(steps);
                self.cells.iter_mut().take(steps).for_each(|cell| *cell = 0);
            }
            Ok(_) | Err(_) => self.cells = [0; CELLS],
        }
        self.newest = now;
    }

    /// Tokens of the last sixty seconds.
    pub(super) fn used(&self) -> u64 {
        self.cells.iter().fold(0, |sum, cell| sum.saturating_add(*cell))
    }

    /// Adds tokens to the newest cell.
    pub(super) fn charge(&mut self, tokens: u64) {
        if let Some(cell) = self.cells.first_mut() {
            *cell = cell.saturating_add(tokens);
        }
    }

    /// Whether `ask` more fit beside what is used and reserved; if not, how many nanoseconds to
    /// wait. The wait is exact if it takes used tokens only, otherwise it is the earliest moment
    /// that can be hoped for.
    pub(super) fn admit(&self, limit: u64, reserved: u64, ask: u64, now_ns: u64) -> Result<(), u64> {
        let over = self.used().saturating_add(reserved).saturating_add(ask).saturating_sub(limit);
        if over == 0 {
            return Ok(());
        }
        let hoped = || self.frees(over.saturating_sub(reserved), now_ns).unwrap_or(0).max(CALL_NS);
        Err(self.frees(over, now_ns).unwrap_or_else(hoped))
    }

    /// Nanoseconds until the window is empty, if what is reserved were used now.
    pub(super) fn reset_ns(&self, reserved: u64, now_ns: u64) -> u64 {
        let last = if reserved > 0 { Some(0) } else { self.cells.iter().position(|cell| *cell > 0) };
        last.map_or(0, |age| self.leaves_ns(age, now_ns))
    }

    /// The newest cell and those that matter: all up to the last that is not empty.
    pub(super) fn parts(&self) -> (u64, &[u64]) {
        let filled = self.cells.iter().rposition(|cell| *cell > 0).map_or(0, |last| last + 1);
        (self.newest, self.cells.get(..filled).unwrap_or_default())
    }

    /// The reverse of [`parts`](Self::parts), of an empty window.
    pub(super) fn fill(&mut self, newest: u64, cells: impl Iterator<Item = u64>) {
        self.newest = newest;
        self.cells.iter_mut().zip(cells).for_each(|(cell, value)| *cell = value);
    }

    /// Nanoseconds until so many tokens have left the window; `None` if there are not so many.
    fn frees(&self, tokens: u64, now_ns: u64) -> Option<u64> {
        let mut left = tokens;
        if left == 0 {
            return Some(0);
        }
        for (age, cell) in self.cells.iter().enumerate().rev() {
            left = left.saturating_sub(*cell);
            if left == 0 {
                return Some(self.leaves_ns(age, now_ns));
            }
        }
        None
    }

    /// Nanoseconds until the cell of that age does not overlap the last sixty seconds any more.
    fn leaves_ns(&self, age: usize, now_ns: u64) -> u64 {
        let cells = CELLS.saturating_sub(age) as u64;
        self.newest.saturating_add(cells).saturating_mul(CELL_NS).saturating_sub(now_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000_000_000;
    const SECOND: u64 = 1_000_000_000;

    fn at(mut window: Window, now: u64) -> Window {
        window.slide(now);
        window
    }

    fn charged(now: u64, tokens: u64) -> Window {
        let mut window = at(Window::default(), now);
        window.charge(tokens);
        window
    }

    #[test]
    fn no_sixty_seconds_have_more_than_the_limit() {
        const LIMIT: u64 = 1000;
        let mut random = 88_172_645_463_325_252_u64;
        let (mut now, mut window, mut charges) = (NOW, Window::default(), Vec::<(u64, u64)>::new());
        for _ in 0..5000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            now += random % (3 * SECOND);
            let tokens = 1 + (random >> 32) % 200;
            window.slide(now);
            if window.admit(LIMIT, 0, tokens, now).is_ok() {
                window.charge(tokens);
                charges.push((now, tokens));
                let minute: u64 = charges.iter().rev().take_while(|(at, _)| now - at < MINUTE_NS).map(|(_, tokens)| tokens).sum();
                assert!(minute <= LIMIT, "{minute} in a minute");
            } else {
                // Nor is anything counted that is older than the window and one cell.
                let counted: u64 = charges.iter().filter(|(at, _)| now - at < MINUTE_NS + CELL_NS).map(|(_, tokens)| tokens).sum();
                assert!(counted + tokens > LIMIT, "refused {tokens} beside {counted}");
            }
        }
        assert!(charges.len() > 1000 && charges.len() < 4500, "{}", charges.len());
    }

    #[test]
    fn a_charge_counts_for_sixty_seconds_and_at_most_one_cell_longer() {
        let start = NOW - NOW % CELL_NS;
        for offset in [0, 1, CELL_NS / 2, CELL_NS - 1] {
            let window = charged(start + offset, 7);
            assert_eq!(at(window, start + offset + MINUTE_NS).used(), 7, "{offset}");
            assert_eq!(at(window, start + offset + MINUTE_NS + CELL_NS).used(), 0, "{offset}");
        }
    }

    #[test]
    fn the_wait_is_as_long_as_it_takes_and_no_longer() {
        let mut window = charged(NOW, 600);
        window.slide(NOW + 20 * SECOND);
        window.charge(300);
        let now = NOW + 21 * SECOND;
        assert_eq!(window.admit(1000, 0, 100, now), Ok(()));
        for (ask, first) in [(101, NOW), (700, NOW), (701, NOW + 20 * SECOND), (1000, NOW + 20 * SECOND)] {
            let wait = window.admit(1000, 0, ask, now).expect_err("no room");
            assert!(now + wait >= first + MINUTE_NS, "{ask}");
            assert!(at(window, now + wait - 1).admit(1000, 0, ask, now + wait - 1).is_err(), "{ask}");
            assert_eq!(at(window, now + wait).admit(1000, 0, ask, now + wait), Ok(()), "{ask}");
        }
    }

    #[test]
    fn what_calls_hold_is_hoped_for_when_a_call_may_have_ended() {
        let window = at(Window::default(), NOW);
        assert_eq!(window.admit(1000, 900, 200, NOW), Err(CALL_NS));
        let window = charged(NOW, 600);
        let wait = window.admit(1000, 300, 500, NOW).expect_err("no room");
        assert_eq!(at(window, NOW + wait).admit(1000, 300, 500, NOW + wait), Ok(()), "used tokens suffice");
        let wait = window.admit(1000, 400, 900, NOW).expect_err("no room");
        assert!(wait > 58 * SECOND, "most of it is used, so the window has to pass: {wait}");
    }

    #[test]
    fn the_reset_is_when_the_window_is_empty() {
        let window = charged(NOW, 5);
        let reset = window.reset_ns(0, NOW);
        assert_eq!((at(window, NOW + reset).used(), at(window, NOW + reset - 1).used()), (0, 5));
        assert_eq!(at(window, NOW + reset).reset_ns(0, NOW + reset), 0);
        assert!(at(window, NOW + reset).reset_ns(1, NOW + reset) >= MINUTE_NS, "a reservation may still be used");
    }

    #[test]
    fn a_clock_that_jumps_back_locks_nobody_out_and_forgets_nothing_at_once() {
        for back in [1, SECOND, MINUTE_NS, 2 * MINUTE_NS, 3600 * SECOND, NOW] {
            let now = NOW - back;
            let window = at(charged(NOW, 5), now);
            assert_eq!(window.used(), 5, "back by {back}");
            let reset = window.reset_ns(0, now);
            assert!(reset <= 2 * (MINUTE_NS + CELL_NS), "back by {back}: {reset}");
            assert_eq!(at(window, now + reset).used(), 0, "back by {back}");
        }
    }

    #[test]
    fn workers_whose_clocks_differ_a_little_age_nothing() {
        let mut window = charged(NOW, 5);
        for _ in 0..100 {
            window.slide(NOW + 3 * SECOND);
            window.slide(NOW);
        }
        assert_eq!(window.used(), 5);
    }

    #[test]
    fn only_cells_up_to_the_oldest_charge_are_written() {
        let window = charged(NOW, 5);
        assert_eq!(window.parts().1, [5]);
        assert_eq!(at(window, NOW + 4 * SECOND).parts().1, [0, 0, 5]);
        assert_eq!(Window::default().parts().1, [0; 0]);
    }
}
