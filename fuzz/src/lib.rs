//! Bytes made to break what reads them. In: seeds and a reader. Out: the first input that panics it, or how many
//! did not. What a reader says of an input leads the search: one that makes it say something new is kept and mutated
//! further. It needs no instrumented build, so that it runs wherever the tests run.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Inputs that led to something new, at most.
const POOL_MAX: usize = 4000;
/// No mutation grows an input beyond this, bytes.
const INPUT_BYTES_MAX: usize = 256 * 1024;
/// Edits of one input.
const EDITS_MAX: usize = 6;
/// Values that sit at the edge of something.
const EDGES: [u8; 9] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'[', b'{', b'-'];

/// How a search went.
#[derive(Debug, Clone, Copy)]
pub struct Searched {
    /// Inputs that were tried.
    pub inputs: u64,
    /// Different things that the reader said.
    pub answers: usize,
    /// The longest that one input took.
    pub longest: Duration,
}

/// The input that broke the reader.
#[derive(Debug, Clone)]
pub struct Broken {
    /// It.
    pub input: Vec<u8>,
    /// What the panic said.
    pub why: String,
}

/// Mutates `seeds` for as long as it lasts and gives each to `reader`, which answers with what it made of it.
///
/// `words` are put in as they are: keys and signs that the reader knows.
///
/// # Errors
/// The first input that panics the reader.
pub fn search(
    seeds: &[Vec<u8>],
    words: &[&str],
    seed: u64,
    lasts: Duration,
    reader: &mut dyn FnMut(&[u8]) -> String,
) -> Result<Searched, Broken> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut pool: Vec<Vec<u8>> = Vec::new();
    let mut answers = HashSet::new();
    let mut searched = Searched { inputs: 0, answers: 0, longest: Duration::ZERO };
    let begun = Instant::now();
    let mut waiting: Vec<Vec<u8>> = seeds.iter().rev().cloned().collect();
    loop {
        // Every seed as it is first, whatever the time.
        let input = match waiting.pop() {
            Some(seed) => seed,
            None if begun.elapsed() >= lasts => break,
            None => mutated(&pool, words, &mut random),
        };
        let at = Instant::now();
        let answer = catch_unwind(AssertUnwindSafe(|| reader(&input)));
        searched.longest = searched.longest.max(at.elapsed());
        searched.inputs += 1;
        let answer =
            answer.map_err(|panic| Broken { input: input.clone(), why: words_of(panic.as_ref()) })?;
        let is_seed = searched.inputs <= seeds.len() as u64;
        if (answers.insert(shape(&answer)) || is_seed) && pool.len() < POOL_MAX {
            pool.push(input);
        }
    }
    searched.answers = answers.len();
    Ok(searched)
}

/// What a reader said, without the numbers in it.
fn shape(answer: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    answer.chars().filter(|c| !c.is_ascii_digit()).for_each(|c| c.hash(&mut hasher));
    hasher.finish()
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

fn mutated(pool: &[Vec<u8>], words: &[&str], random: &mut StdRng) -> Vec<u8> {
    let Some(chosen) = pool.get(below(random, pool.len())) else { return vec![0] };
    let mut input = chosen.clone();
    for _ in 0..1 + below(random, EDITS_MAX) {
        edit(&mut input, pool, words, random);
    }
    input.truncate(INPUT_BYTES_MAX);
    input
}

/// A number below `end`; 0 where there is none.
fn below(random: &mut StdRng, end: usize) -> usize {
    if end == 0 { 0 } else { random.random_range(0..end) }
}

fn edit(input: &mut Vec<u8>, pool: &[Vec<u8>], words: &[&str], random: &mut StdRng) {
    let at = below(random, input.len());
    let end = (at + 1 + below(random, 16)).min(input.len());
    match below(random, 10) {
        0 if !input.is_empty() => input[at] ^= 1 << below(random, 8),
        1 if !input.is_empty() => input[at] = EDGES[below(random, EDGES.len())],
        2 if !input.is_empty() => input[at] = random.random(),
        3 => drop(input.drain(at..end)),
        4 => input.truncate(at),
        5 => {
            let copied = input[at..end].to_vec();
            let to = below(random, input.len());
            input.splice(to..to, copied);
        }
        6 if !words.is_empty() => {
            let word = words[below(random, words.len())].bytes();
            input.splice(at..if random.random() { at } else { end }, word);
        }
        7 => number(input, at, random),
        8 => {
            let other = &pool[below(random, pool.len())];
            let from = below(random, other.len());
            let to = (from + 1 + below(random, 200)).min(other.len());
            input.splice(at..at, other[from..to].iter().copied());
        }
        // Many of the same: nesting, lists, lengths.
        _ => {
            let repeated = input[at..end].repeat(1 + below(random, 300));
            input.splice(at..at, repeated);
        }
    }
}

/// Another number where one is written.
fn number(input: &mut Vec<u8>, at: usize, random: &mut StdRng) {
    const NUMBERS: [&str; 14] = [
        "0",
        "-0",
        "-1",
        "1",
        "1e308",
        "-1e308",
        "1e-320",
        "NaN",
        "inf",
        "9223372036854775807",
        "4294967296",
        "180",
        "90.0000001",
        "18446744073709551616",
    ];
    let Some(start) = input.iter().skip(at).position(u8::is_ascii_digit).map(|offset| at + offset) else {
        return;
    };
    let length = input[start..].iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    input.splice(start..start + length, NUMBERS[below(random, NUMBERS.len())].bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_breaks_on_one_sign_is_broken() {
        let mut reader = |input: &[u8]| {
            assert!(!input.starts_with(b"a[["), "two brackets");
            format!("{}", input.first().copied().unwrap_or(0) as char)
        };
        let found = search(&[b"abc".to_vec()], &["["], 1, Duration::from_secs(20), &mut reader);
        let broken = found.unwrap_err();
        assert!(broken.input.starts_with(b"a[[") && broken.why == "two brackets", "{broken:?}");
    }

    #[test]
    fn the_same_seed_tries_the_same_inputs() {
        let tried = |seed| {
            let mut inputs = Vec::new();
            let mut reader = |input: &[u8]| {
                inputs.push(input.to_vec());
                assert!(inputs.len() < 500, "enough");
                input.len().to_string()
            };
            drop(search(&[b"abc".to_vec()], &["["], seed, Duration::from_secs(20), &mut reader));
            inputs
        };
        assert_eq!(tried(7), tried(7));
        assert_ne!(tried(7), tried(8));
    }
}
