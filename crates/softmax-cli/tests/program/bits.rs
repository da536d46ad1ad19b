//! Tests that the output of `fused` has the same bits with any SIMD level and number of threads.

use super::{save, success, words};
use ndarray::{Array1, Array2};
use softmax::Level;
use std::fs;
use tempfile::TempDir;

/// Shapes (N, D, C) with few classes and with many, and with sizes that are not multiples of a vector's length.
const SHAPES: [(usize, usize, usize); 2] = [(400, 45, 7), (300, 301, 301)];

#[test]
fn eval_writes_the_same_bytes_with_any_vector_instructions_and_threads() {
    let folder = TempDir::new().unwrap();
    for (n, d, c) in SHAPES {
        let number = |i: usize, j: usize| ((i * 7919 + j * 104_729) % 2003) as f64 / 1001.5 - 1.0;
        save(&folder.path().join("p.npz"), |npz| {
            npz.add_array("X", &Array2::from_shape_fn((n, d), |(i, j)| number(i, j))).unwrap();
            npz.add_array("W", &Array2::from_shape_fn((d, c), |(i, j)| number(j, i + 1))).unwrap();
            npz.add_array("y", &Array1::from_shape_fn(n, |i| (i * 31 % c) as i64)).unwrap();
        });
        for dtype in ["f32", "f64"] {
            let written = |how: String| {
                let args = format!("eval --backend fused --data p.npz --dtype {dtype} --out g.npz {how}");
                success(&words(&args), folder.path());
                fs::read(folder.path().join("g.npz")).unwrap()
            };
            let expected = written("--threads 1".to_owned());
            for threads in [2, 3, 8] {
                assert!(
                    written(format!("--threads {threads}")) == expected,
                    "{threads} threads, {dtype}, C={c}"
                );
            }
            for level in Level::available() {
                let name = level.name();
                assert!(written(format!("--simd {name}")) == expected, "{name}, {dtype}, C={c}");
            }
        }
    }
}
