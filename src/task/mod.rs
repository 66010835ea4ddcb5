//! What kind of work a call is and how hard it looks, from a bounded part of its messages.
//!
//! A linear model over hashed words: one pass over at most 1,792 bytes, and a row of small integers
//! added for each word and pair of words. Integers, so that the filter and `nr` agree to the bit; linear
//! and bounded, because the whole decision has microseconds. `training/features.py` defines what is read,
//! `training/` makes the weights and says how good they are, and the tests here hold both sides to the
//! same numbers.

mod literal;
mod shape;
#[cfg(test)]
mod tests;
mod weights;
mod words;

use crate::config::TaskClass;
use literal::Points;
use shape::Shape;
use weights::{COLUMNS, Group};
use words::Words;

/// Bounds on what is read, in bytes of the JSON string literal: instructions stand at the beginning or
/// at the end of a message, and the time is not the caller's to choose.
const USER_HEAD: usize = 1024;
const USER_TAIL: usize = 512;
const SYSTEM_HEAD: usize = 256;
/// This many bytes at the end of the user's message count as its edge.
const EDGE_TAIL: usize = 160;

/// What is believed about a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Task {
    /// The kind of work.
    pub class: TaskClass,
    /// Probability that a weak model fails, 0..1.
    pub difficulty: f32,
}

/// What is known about a call. The texts are the insides of JSON string literals, escapes and all;
/// they need not be valid, only a bounded part is read.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The last message of the user.
    pub user: &'a str,
    /// The first system or developer message.
    pub system: Option<&'a str>,
    /// Number of messages.
    pub messages: u64,
    /// Whether tools are offered.
    pub tools: bool,
    /// Whether the conversation holds results of tools.
    pub tool_results: bool,
    /// Whether `response_format` asks for JSON.
    pub json: bool,
}

/// The task of a call. It is [`TaskClass::Tools`] only where tools are offered: always once results of
/// tools are part of the conversation, else when the words ask for something to be looked up or done.
pub fn infer(evidence: &Evidence<'_>) -> Task {
    let scores = scores(evidence);
    Task { class: class(&scores, evidence), difficulty: weights::difficulty(&scores) }
}

fn class(scores: &[i32; COLUMNS], evidence: &Evidence<'_>) -> TaskClass {
    if evidence.tools && evidence.tool_results {
        return TaskClass::Tools;
    }
    let possible = |class: &TaskClass| evidence.tools || *class != TaskClass::Tools;
    let mut best = (i32::MIN, TaskClass::Chat);
    for (class, score) in TaskClass::ALL.iter().zip(scores).filter(|(class, _)| possible(class)) {
        if *score > best.0 {
            best = (*score, *class);
        }
    }
    best.1
}

/// The score of every column of the table, in 1/256 of a weight's unit.
fn scores(evidence: &Evidence<'_>) -> [i32; COLUMNS] {
    let user = evidence.user.as_bytes();
    let edge = user.len().saturating_sub(EDGE_TAIL);
    let (mut words, mut shape) = (Words::of_user(), Shape::default());
    for (offset, piece) in pieces(user) {
        words.skip();
        shape.begin(offset == 0);
        read(piece, edge.saturating_sub(offset), &mut words, &mut shape);
    }
    let system = evidence.system.unwrap_or_default().as_bytes();
    let mut instructions = Words::of_system();
    read(system.get(..SYSTEM_HEAD).unwrap_or(system), usize::MAX, &mut instructions, &mut Shape::default());
    let mut marks = Group::default();
    shape.rows(evidence, |row| marks.add(row));
    weights::total(&words.text, &words.edge, &instructions.edge, &marks)
}

/// Reads a piece of a message; what ends behind `edge` is part of it.
fn read(piece: &[u8], edge: usize, words: &mut Words, shape: &mut Shape) {
    let mut points = Points::new(piece);
    loop {
        let mut digits = 0;
        let (end, run) = points.word(|byte| {
            words.letter(u32::from(byte | 0x20));
            digits += usize::from(byte <= b'9');
        });
        if !run.is_empty() {
            words.reach(end > edge);
            shape.word(run, digits);
        }
        if let Some(mark) = points.mark() {
            words.close();
            shape.mark(mark);
            continue;
        }
        let Some((at, point)) = points.next() else { break };
        let letter = words::kind(point);
        shape.add(point, letter);
        words.add(letter, at >= edge);
    }
    words.close();
}

/// What is read of the user's message, each piece with its offset: all, or its head and its tail.
fn pieces(user: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let all = user.len() <= USER_HEAD + USER_TAIL;
    let head = user.get(..USER_HEAD).filter(|_| !all).unwrap_or(user);
    let from = user.len().saturating_sub(USER_TAIL);
    let tail = user.get(from..).filter(|_| !all).map(|tail| (from, tail));
    core::iter::once((0, head)).chain(tail)
}
