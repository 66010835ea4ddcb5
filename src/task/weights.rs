//! The table of weights and sums of its rows.
//!
//! `weights.bin`, little-endian: the bias of each column (i32, in 1/256 of a weight's unit), the
//! difficulty column's unit (f32), and rows of [`COLUMNS`] weights (i8): the hashed ones, then those of
//! [`super::shape`]. A few zeros at the end let the last row be read as wide as a vector register.

use super::shape;

/// One a task class, in the order of `TaskClass::ALL`, and the difficulty.
pub(super) const COLUMNS: usize = 12;
/// Rows of hashed words; the others follow.
pub(super) const BUCKETS: usize = 1 << BUCKET_BITS;
const BUCKET_BITS: u32 = 13;
const ROWS: usize = BUCKETS + shape::ROWS;

/// Columns that are read at once.
const LANES: usize = 16;
const UNIT_AT: usize = COLUMNS * 4;
const TABLE_AT: usize = UNIT_AT + 4;

static WEIGHTS: &[u8; TABLE_AT + ROWS * COLUMNS + LANES - COLUMNS] = include_bytes!("weights.bin");

/// The row of a hash.
#[inline]
pub(super) fn bucket(hash: u32) -> usize {
    ((hash ^ (hash >> 15)).wrapping_mul(0x85EB_CA6B) >> (32 - BUCKET_BITS)) as usize
}

/// A sum of distinct rows.
pub(super) struct Group {
    seen: [u64; ROWS.div_ceil(64)],
    count: u32,
    sums: [i32; LANES],
}

impl Default for Group {
    fn default() -> Self {
        Self { seen: [0; ROWS.div_ceil(64)], count: 0, sums: [0; LANES] }
    }
}

impl Group {
    /// Adds a row, unless it is part of the sum.
    #[inline]
    pub(super) fn add(&mut self, row: usize) {
        let Some(seen) = self.seen.get_mut(row / 64) else { return };
        let bit = 1 << (row % 64);
        if *seen & bit != 0 {
            return;
        }
        *seen |= bit;
        self.count += 1;
        let Some(weights) = WEIGHTS.get(TABLE_AT + row * COLUMNS..).and_then(<[u8]>::first_chunk::<LANES>) else { return };
        for (sum, weight) in self.sums.iter_mut().zip(weights) {
            *sum += i32::from(weight.cast_signed());
        }
    }

    /// Each sum times 2^`shift`, over 16 times the root of the number of rows; rounded down.
    fn means(&self, shift: u32) -> [i32; LANES] {
        let root = (self.count << 8).isqrt().max(1).cast_signed();
        self.sums.map(|sum| (sum << shift).div_euclid(root))
    }
}

/// The scores: bias, words by the root of their number, the system's at half weight, shape at a quarter.
pub(super) fn total(text: &Group, edge: &Group, system: &Group, shape: &Group) -> [i32; COLUMNS] {
    let parts = [text.means(12), edge.means(12), system.means(11), shape.sums.map(|sum| sum * 64)];
    core::array::from_fn(|column| bias(column) + parts.iter().filter_map(|part| part.get(column)).sum::<i32>())
}

fn bias(column: usize) -> i32 {
    word(column * 4).map_or(0, i32::from_le_bytes)
}

fn word(at: usize) -> Option<[u8; 4]> {
    WEIGHTS.get(at..)?.first_chunk().copied()
}

/// The last column as a probability.
pub(super) fn difficulty(scores: &[i32; COLUMNS]) -> f32 {
    let unit = word(UNIT_AT).map_or(0.0, f32::from_le_bytes);
    let [.., score] = *scores;
    logistic(score as f32 * unit)
}

/// The logistic function between points a quarter apart, from multiplication and division alone: those
/// round alike everywhere, the platforms' exponential functions do not.
fn logistic(x: f32) -> f32 {
    let steps = (x.abs() * 4.0).min(POINTS as f32 - 1.001);
    let (below, part) = (steps as usize, steps - (steps as usize) as f32);
    let point = |at: usize| LOGISTIC.get(at).copied().unwrap_or(1.0);
    let above_half = point(below) + (point(below + 1) - point(below)) * part;
    if x < 0.0 { 1.0 - above_half } else { above_half }
}

const POINTS: usize = 33;
/// 1 / (1 + e^-x) for x = 0, 1/4 … 8.
static LOGISTIC: [f32; POINTS] = logistic_points();

const fn logistic_points() -> [f32; POINTS] {
    const QUARTER: f64 = 0.778_800_783_071_404_9;
    let (mut points, mut rest, mut power) = ([0.0; POINTS], POINTS, 1.0);
    while let Some((point, _)) = points.split_at_mut(POINTS - rest).1.split_first_mut() {
        *point = (1.0 / (1.0 + power)) as f32;
        power *= QUARTER;
        rest -= 1;
    }
    points
}
