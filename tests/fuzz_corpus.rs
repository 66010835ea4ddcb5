//! What the fuzz targets of `fuzz/` hold, held without libFuzzer: for every fixture under every
//! protocol, for what libFuzzer has found, and for a fixed sequence of mutations.
#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use std::path::Path;

use fuzz::{Given, MODELS, TARGETS, Target};
use neural_router::provider::Protocol;

/// Mutations of each target; they take a second or two together.
const MUTATIONS: usize = 4_000;

/// Longest input that is made by putting others together, in bytes.
const MAX_BYTES: usize = 16 << 10;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_fixture_is_held_for_every_protocol() {
    for target in TARGETS {
        for seed in fuzz::seeds::of(target, root()) {
            for protocol in Protocol::all() {
                fuzz::hold(target, &Given { protocol, ..seed.given }, &seed.bytes);
            }
        }
    }
}

#[test]
fn seeds_have_names_of_their_own() {
    for target in TARGETS {
        let mut names: Vec<String> = fuzz::seeds::of(target, root()).into_iter().map(|seed| seed.name).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all, "{}", target.name);
    }
}

#[test]
fn every_model_is_held_for_every_request() {
    for target in TARGETS.iter().filter(|target| target.name == "request") {
        for seed in fuzz::seeds::of(*target, root()) {
            MODELS.iter().for_each(|model| fuzz::hold(*target, &Given { model, ..seed.given }, &seed.bytes));
        }
    }
}

#[test]
fn what_libfuzzer_has_found_is_held_for_every_protocol() {
    for target in TARGETS {
        let folder = root().join("fuzz/corpus").join(target.name);
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut held = 0;
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            let input = std::fs::read(&path).expect("a readable input");
            for row in 0..Protocol::all().count() {
                let mut input = input.clone();
                if let Some(first) = input.first_mut() {
                    *first = row as u8;
                }
                fuzz::run(target, &input);
            }
            held += 1;
        }
        assert!(held > 0, "nothing in {}", folder.display());
    }
}

#[test]
fn mutations_of_fixtures_are_held() {
    for target in TARGETS {
        let inputs: Vec<Vec<u8>> = fuzz::seeds::of(target, root()).iter().map(fuzz::seeds::Seed::input).collect();
        let mut random = Random(0x2545_f491_4f6c_dd1d);
        for _ in 0..MUTATIONS {
            fuzz::run(target, &mutated(target, &inputs, &mut random));
        }
    }
}

/// Numbers that look random and are the same every time (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most.max(1) as u64) as usize
    }
}

/// Pieces of JSON, events and frames that change what an input means.
const PIECES: [&[u8]; 20] = [
    b"null",
    b"{}",
    b"[]",
    b"\"\"",
    b"-1",
    b"1e400",
    b"\"",
    b"\\ud800",
    b"\xff",
    b"\0",
    b"\n\n",
    b"\r",
    b"data: ",
    b"data: [DONE]\n\n",
    b",",
    b"{\"error\":{\"message\":\"x\"}}",
    b"\"type\":\"text\",",
    b"\"index\":18446744073709551615,",
    b"[[[[[[[[",
    b"}",
];

fn mutated(target: Target, inputs: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = inputs[random.below(inputs.len())].clone();
    assert!(input.len() >= fuzz::HEAD, "{}: a seed without a head", target.name);
    for head in input.iter_mut().take(fuzz::HEAD) {
        if random.below(4) == 0 {
            *head = random.below(256) as u8;
        }
    }
    for _ in 0..=random.below(4) {
        let from = fuzz::HEAD + random.below(input.len() - fuzz::HEAD + 1);
        let to = from + random.below((input.len() - from).min(64) + 1);
        match random.below(6) {
            0 => drop(input.drain(from..to)),
            1 => drop(input.splice(from..to, PIECES[random.below(PIECES.len())].iter().copied())),
            2 => drop(input.splice(from..from, PIECES[random.below(PIECES.len())].iter().copied())),
            3 => input[from..to].iter_mut().for_each(|byte| *byte ^= 1 << (to & 7)),
            4 => {
                let again = input[from..to].repeat(1 + random.below(8));
                drop(input.splice(from..from, again));
            }
            _ => {
                let other = &inputs[random.below(inputs.len())];
                let start = random.below(other.len());
                let end = start + random.below(other.len() - start);
                drop(input.splice(from..to, other[start..end].iter().copied()));
            }
        }
        input.truncate(MAX_BYTES);
    }
    input
}

#[test]
fn memory_is_counted() {
    let most = fuzz::memory::most(|| drop((Vec::<u8>::with_capacity(100_000), Vec::<u8>::with_capacity(50_000))));
    assert_eq!(most, 150_000);
    assert_eq!(fuzz::memory::most(|| (0..10).for_each(|_| drop(Vec::<u8>::with_capacity(1_000)))), 1_000);
}

#[test]
#[should_panic(expected = "bytes of memory")]
fn too_much_memory_is_noticed() {
    fn hoard(_: &Given, _: &[u8]) {
        drop(Vec::<u8>::with_capacity(1 << 20));
    }
    let protocol = Protocol::find("openai").expect("a protocol");
    fuzz::hold(Target { name: "hoard", check: hoard, memory: 1 }, &Given { protocol, model: "", option: 0, cuts: 0 }, b"x");
}

#[test]
fn pieces_are_the_whole() {
    let bytes: Vec<u8> = (0..=255).collect();
    for cuts in 0..=255 {
        let pieces: Vec<&[u8]> = fuzz::framing::pieces(&bytes, cuts).collect();
        assert_eq!(pieces.concat(), bytes, "{cuts}");
        assert!(cuts > 27 || pieces.len() > 1, "{cuts}");
    }
}
