//! `cargo xtask fits`: compares the solvers of `softmax fit`, for the report.

use crate::cargo::build_program;
use anyhow::Context;
use clap::Args;
use rand::distr::{Distribution, Uniform};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use softmax_record::{CurvePoint, Training, cpu};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The file of the curves, and the folder of the training data.
const RESULTS: &str = "target/fits/fits.json";
const FOLDER: &str = "target/fits";

const SOLVERS: [&str; 3] = ["lbfgs", "newton-cg", "newton-cholesky"];

#[derive(Debug, Args)]
pub(crate) struct FitsArgs {
    /// The gradient at which a fit ends
    #[arg(long, value_name = "T", default_value_t = 1e-8)]
    tolerance: f64,
}

/// A training problem: the data's description, the arguments of `fit`, and the solvers.
struct Problem {
    data: &'static str,
    arguments: &'static str,
    solvers: &'static [&'static str],
}

const PROBLEMS: [Problem; 4] = [
    Problem { data: "digits 1797×64×10, l2 1e-3", arguments: "--l2 1e-3", solvers: &SOLVERS },
    Problem { data: "digits 1797×64×10, l2 1e-6", arguments: "--l2 1e-6", solvers: &SOLVERS },
    Problem {
        data: "tall 50000×10×3, l2 1e-4",
        arguments: "--data target/fits/tall.csv --l2 1e-4",
        solvers: &SOLVERS,
    },
    Problem {
        data: "words 10000×5000×10, sparse, l2 1e-4",
        arguments: "--data target/fits/words.svm --l2 1e-4",
        // Without newton-cholesky, whose matrix of second derivatives would have 50,000 rows.
        solvers: &["lbfgs", "newton-cg"],
    },
];

/// The output of `softmax fit --format json`: the fields used here.
#[derive(Deserialize)]
struct Summary {
    converged: bool,
    curve: Vec<CurvePoint>,
}

/// The results of an earlier run; none if there was no run.
pub(crate) fn known() -> anyhow::Result<Vec<Training>> {
    match fs::read_to_string(RESULTS) {
        Ok(text) => serde_json::from_str(&text).context(RESULTS),
        Err(_) => Ok(Vec::new()),
    }
}

pub(crate) fn run(args: &FitsArgs) -> anyhow::Result<()> {
    let program = build_program()?;
    fs::create_dir_all(FOLDER).context(FOLDER)?;
    let folder = Path::new(FOLDER);
    fs::write(folder.join("tall.csv"), tall(&mut ChaCha8Rng::seed_from_u64(0)))?;
    fs::write(folder.join("words.svm"), words(&mut ChaCha8Rng::seed_from_u64(1)))?;
    let threads = std::thread::available_parallelism()?;
    let machine = format!("{}, {threads} threads, f64", cpu());
    let mut trainings = Vec::new();
    for Problem { data, arguments, solvers } in PROBLEMS {
        for solver in solvers {
            let tolerance = args.tolerance;
            let line = format!(
                "fit {arguments} --solver {solver} --tolerance {tolerance:e} --dtype f64 --format json --out target/fits/model.safetensors"
            );
            eprintln!("$ softmax {line}");
            let output = Command::new(&program).args(line.split(' ')).output()?;
            let complaint = String::from_utf8_lossy(&output.stderr);
            anyhow::ensure!(output.status.success(), "softmax {line}: {complaint}");
            let Summary { converged, curve } =
                serde_json::from_slice(&output.stdout).context(line.clone())?;
            trainings.push(Training {
                data: data.to_owned(),
                machine: machine.clone(),
                command: format!("softmax {line}"),
                solver: (*solver).to_owned(),
                converged,
                curve,
            });
        }
    }
    fs::write(RESULTS, serde_json::to_string(&trainings)?).context(RESULTS)?;
    println!("{RESULTS}; `cargo xtask report` makes figures of it");
    Ok(())
}

/// A CSV file of 50,000 samples. 5 of the 10 features are correlated, all have different scales, and the 3 classes
/// follow noisy linear scores.
fn tall(rng: &mut impl Rng) -> String {
    let uniform = Uniform::new(-1.0, 1.0).expect("a range");
    let weights: Vec<[f64; 10]> =
        (0..3).map(|_| std::array::from_fn(|_| 3.0 * uniform.sample(rng))).collect();
    let mut text = "a,b,c,d,e,f,g,h,i,j,class\n".to_owned();
    for _ in 0..50_000 {
        let common = uniform.sample(rng);
        let x: [f64; 10] = std::array::from_fn(|k| uniform.sample(rng) + if k < 5 { common } else { 0.0 });
        let score = |w: &[f64; 10]| w.iter().zip(&x).map(|(w, x)| w * x).sum::<f64>();
        let noisy: Vec<f64> = weights.iter().map(|w| score(w) + 2.0 * uniform.sample(rng)).collect();
        let class = (0..3).fold(0, |best, c| if noisy[c] > noisy[best] { c } else { best });
        for (k, x) in x.iter().enumerate() {
            let _ = write!(text, "{:.5},", x * 10f64.powi(k as i32 - 5));
        }
        let _ = writeln!(text, "{class}");
    }
    text
}

/// An SVMlight file of 10,000 texts of 40 words out of 5000. 8 of the words of a text are from one of 10 topics, its
/// class.
fn words(rng: &mut impl Rng) -> String {
    let mut text = String::new();
    for sample in 0..10_000 {
        let topic = sample % 10;
        let mut counts = std::collections::BTreeMap::new();
        for k in 0..40 {
            // Few words are common. A topic's own words are those whose number ends with the topic's digit.
            let common = (5000f64.powf(rng.random::<f64>()) - 1.0) as usize;
            let word = if k < 8 { common / 10 * 10 + topic } else { common };
            *counts.entry(word + 1).or_insert(0) += 1;
        }
        let _ = write!(text, "{topic}");
        for (word, count) in counts {
            let _ = write!(text, " {word}:{count}");
        }
        text.push('\n');
    }
    text
}
