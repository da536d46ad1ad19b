//! Classifies texts by topic, from word counts in sparse rows:
//! `cargo run --release -p softmax-examples --example topics`.
//!
//! Each text has 30 words out of 20,000, so dense features would take over 300 times the memory.

use softmax::OwnedCsr;
use softmax_data::{Dataset, FeatureStore, TargetStore};
use softmax_fit::{Fit, FitError, Objective};

const TEXTS: usize = 4000;
const WORDS: usize = 20_000;
const TOPICS: usize = 8;
/// The number of words of a text, and how many of them belong to its topic.
const LENGTH: usize = 30;
const OF_TOPIC: usize = 6;

/// A pseudorandom number below `limit`.
fn number(seed: usize, limit: usize) -> usize {
    let mixed = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33) as usize % limit
}

/// The texts from number `first` on, with their topics as labels.
fn texts(first: usize) -> Result<Dataset<f32>, FitError> {
    let (mut pointers, mut columns, mut counts) = (vec![0], Vec::new(), Vec::new());
    for text in first..first + TEXTS {
        let word = |k: usize| match k {
            0..OF_TOPIC => text % TOPICS * 100 + number(text * LENGTH + k, 100),
            _ => number(text * LENGTH + k, WORDS),
        };
        let mut words: Vec<usize> = (0..LENGTH).map(word).collect();
        words.sort_unstable();
        for same in words.chunk_by(|a, b| a == b) {
            columns.push(same[0] as u32);
            counts.push(same.len() as f32);
        }
        pointers.push(columns.len());
    }
    let features = OwnedCsr::new((TEXTS, WORDS), pointers, columns, counts)?;
    let topics = (first..first + TEXTS).map(|text| (text % TOPICS) as i64).collect();
    Ok(Dataset::new("texts", FeatureStore::Csr(features), TargetStore::Labels(topics)))
}

/// Trains a classifier. Returns its accuracy on texts that it was not trained on.
fn train_and_test() -> Result<f64, FitError> {
    let fitted = Fit::new(Objective { l2: 1e-4, ..Objective::default() }).fit(&texts(0)?)?;
    let last = fitted.report.last();
    println!("{} iterations, loss {:.4}, {}", last.iteration, last.loss, fitted.report.stop);
    fitted.model.score(&texts(TEXTS)?)
}

fn main() -> Result<(), FitError> {
    println!("accuracy on texts that it has not seen: {:.1}%", 100.0 * train_and_test()?);
    Ok(())
}

#[test]
fn topics_of_new_texts_are_found() {
    assert!(train_and_test().unwrap() > 0.9);
}
