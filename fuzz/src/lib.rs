//! The code of the fuzz targets. A reader must read or refuse any bytes without a panic. A backend must agree with the
//! oracle on any valid small problem.

#![forbid(unsafe_code)]

mod plan;

pub use plan::Plan;

use softmax_conformance::{check, reference};
use softmax_core::ndarray::Array2;
use softmax_core::{Element, Objective, OutputSet, OwnedOutputs, OwnedProblem, Problem, SoftmaxBackend};
use softmax_data::{Dataset, Format, Preparation, ReadOptions, Storage, TargetStore};
use softmax_external::{Launch, Launcher};
use softmax_fit::Model;
use softmax_fused::Fused;
use softmax_naive::Naive;
use softmax_ndarray::NdArray;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// The largest number of elements of an array that a target makes.
const MOST_NUMBERS: usize = 1 << 24;

/// Writes a target's input to a file for the reader, in memory (`/dev/shm`) if possible.
fn file(name: &str, data: &[u8]) -> PathBuf {
    let folder =
        if PathBuf::from("/dev/shm").is_dir() { PathBuf::from("/dev/shm") } else { std::env::temp_dir() };
    let path = folder.join(format!("softmax-fuzz-{}-{name}", std::process::id()));
    fs::write(&path, data).expect("a place for the input");
    path
}

/// Reads a data set. Whatever is read must be consistent, so that making a problem of it succeeds or returns an error.
pub fn read(format: Format, data: &[u8]) {
    let path = file("data", data);
    // Formats without labels of their own get a second file with two labels, in IDX format.
    let labels =
        matches!(format, Format::Npy | Format::Idx).then(|| file("labels", &[0, 0, 8, 1, 0, 0, 0, 2, 0, 1]));
    for limit in [None, Some(2)] {
        let options =
            ReadOptions { format: Some(format), labels: labels.clone(), limit, ..ReadOptions::default() };
        if let Ok(dataset) = softmax_data::read::<f32>(&path, &options) {
            // Preparation makes sparse rows dense. The program checks the memory first; here large data is skipped.
            let (n, d) = dataset.features.dim();
            if n.saturating_mul(d) > MOST_NUMBERS {
                continue;
            }
            let dataset = dataset.prepare(Preparation { standardize: true, bias_column: true });
            // Valid data with many features and classes may need more weights than a target has time for.
            if dataset.features.dim().1.saturating_mul(dataset.n_classes(None)) > MOST_NUMBERS {
                continue;
            }
            if let Ok(dataset) = dataset.with_weights(0, None) {
                let _ = dataset.problem(Objective::default());
            }
        }
    }
}

/// Reads a file of weights.
pub fn read_weights(data: &[u8]) {
    let path = file("weights.npz", data);
    let _ = softmax_data::read_weights::<f64>(&path, Storage::Keep);
}

/// Reads a model, and predicts with it.
pub fn read_model(data: &[u8]) {
    let path = file("model.safetensors", data);
    if let Ok(model) = Model::<f32>::load(&path) {
        let (features, targets) = (Array2::zeros((3, 2)), TargetStore::None);
        let _ = model.predict(&Dataset::new("zeros".to_owned(), features, targets));
    }
}

/// Evaluates with an external backend whose process writes these bytes and exits. The result must be a loss or an
/// error.
pub fn answer(data: &[u8]) {
    let path = file("answers", data);
    let launch = Launch {
        name: "fuzz".to_owned(),
        // The process reads the request before it exits. Writing to a closed pipe would kill this process, which does
        // not ignore SIGPIPE.
        command: ["sh", "-c", "cat \"$0\"; read request", &path.display().to_string()].map(str::to_owned).to_vec(),
        time_limit: Duration::from_millis(200),
    };
    let (features, weights) = (Array2::<f32>::zeros((2, 2)), Array2::<f32>::zeros((2, 3)));
    let problem =
        Problem::builder(features.view(), weights.view(), &[0usize, 2][..]).build().expect("it is right");
    let _ = Launcher::new(launch).backend(None).loss(&problem);
}

/// Evaluates a problem with each backend that compiles in seconds, and compares the results with the oracle's.
pub fn evaluate(plan: Plan) {
    let (double, single) = plan.problems();
    hold::<f64>(&double, [Box::new(Naive::new()), Box::new(NdArray::new()), Box::new(Fused::new())]);
    hold::<f32>(&single, [Box::new(Naive::new()), Box::new(NdArray::new()), Box::new(Fused::new())]);
}

fn hold<T: Element>(owned: &OwnedProblem<T>, backends: [Box<dyn SoftmaxBackend<T>>; 3]) {
    let Ok(problem) = owned.problem() else { return };
    let expected = reference(&problem, OutputSet::ALL);
    for mut backend in backends {
        let mut outputs = OwnedOutputs::zeros(&problem, OutputSet::ALL);
        let evaluation = backend.evaluate(&problem, &mut outputs.as_outputs()).expect("these backends support every feature");
        for error in check(&evaluation, &outputs, &expected) {
            assert!(error.is_within_bound(), "{}: {error}", backend.descriptor().name);
        }
    }
}
