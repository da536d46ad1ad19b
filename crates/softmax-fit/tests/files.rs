//! Model files: a written model is read back, and any other file is refused with a message of one line.

use softmax::ndarray::{Array1, Array2, array};
use softmax::{BackendElement, Objective};
use softmax_data::{Dataset, FeatureLayout, Standardization, TargetStore};
use softmax_fit::{Fit, FitError, Model, dtype_of_model};
use std::fs;

fn model<T: BackendElement>() -> Model<T> {
    Model {
        weights: array![[1.0, -2.0, 0.5], [0.25, 0.0, -1.0]].mapv(T::narrow),
        bias: Some(array![0.5, -0.125, 3.0].mapv(T::narrow)),
        objective: Objective { l2: 1e-3, temperature: 2.0, softcap: Some(30.0), ..Objective::default() },
        class_names: Some(vec!["ant".to_owned(), "bee, \"b\"".to_owned(), "çedilla\n".to_owned()]),
        standardization: Some(Standardization::new(vec![0.1, 1e300], vec![1.5, 0.0])),
        layout: FeatureLayout {
            columns: Some(vec!["length".to_owned(), "width, \"w\"".to_owned()]),
            label_column: Some("kind".to_owned()),
            label_index: Some(1),
            first_index: Some(0),
        },
    }
}

#[test]
fn a_model_is_read_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model::<f32>().save(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(Model::<f32>::load(&path).unwrap(), model());
    assert_eq!(dtype_of_model(&path).unwrap(), softmax::Dtype::F32);
    model::<f32>().save(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes, "the same model, the same bytes");
    let layout = FeatureLayout::default();
    let plain = Model { bias: None, class_names: None, standardization: None, layout, ..model::<f64>() };
    plain.save(&path).unwrap();
    assert_eq!(Model::<f64>::load(&path).unwrap(), plain);
    // The model's W and b can also be read as weights, as by `--weights`.
    let (weights, bias) = softmax_data::read_weights::<f64>(&path, softmax_data::Storage::Keep).unwrap();
    assert_eq!((weights.into_dense(), bias), (plain.weights, None));
}

#[test]
fn an_invalid_model_file_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model::<f64>().save(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    let refusal = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let error = Model::<f64>::load(&path).unwrap_err();
        assert!(matches!(error, FitError::NoModel { .. }), "{error}");
        assert_eq!(error.to_string().lines().count(), 1, "{error}");
        error.to_string()
    };
    refusal(b"");
    refusal(b"no model at all");
    refusal(&whole[..whole.len() - 1]);
    refusal(&whole[..40]);
    let replaced = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let place = whole.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
        let mut bytes = whole.clone();
        bytes[place..place + to.len()].copy_from_slice(to.as_bytes());
        bytes
    };
    assert!(refusal(&replaced("\\\"version\\\":1", "\\\"version\\\":9")).contains("version 9"));
    assert!(refusal(&replaced("\"W\"", "\"V\"")).contains("no tensor W"));
    assert!(refusal(&replaced("\"mean\"", "\"moan\"")).contains("without the other"));
    let mut infinite = whole.clone();
    let end = infinite.len();
    infinite[end - 8..].copy_from_slice(&f64::INFINITY.to_le_bytes());
    assert!(refusal(&infinite).contains("not finite"));
    // A change of any single byte gives an error or a model, and no panic.
    for k in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[k] ^= 0x11;
        fs::write(&path, &bytes).unwrap();
        let _ = Model::<f64>::load(&path);
    }
    model::<f32>().save(&path).unwrap();
    assert!(Model::<f64>::load(&path).unwrap_err().to_string().contains("F32"));
}

#[test]
fn a_model_predicts_by_names_and_refuses_other_features() {
    let features = array![[1.0, 0.0], [0.9, 0.2], [-1.0, 0.1], [-0.8, -0.2], [0.0, 2.0], [0.1, 1.8]];
    let labels = TargetStore::Labels(array![0, 0, 1, 1, 2, 2]);
    let mut dataset = Dataset::new("some.csv", features, labels);
    dataset.class_names = Some(["east", "west", "north"].map(str::to_owned).to_vec());
    let model = Fit::new(Objective { l2: 1e-3, ..Objective::default() }).fit(&dataset).unwrap().model;
    assert_eq!(model.score(&dataset).unwrap(), 1.0);
    assert_eq!(model.predict(&dataset).unwrap().to_vec(), [0, 0, 1, 1, 2, 2]);
    let p = model.log_probabilities(&dataset).unwrap().mapv(f64::exp);
    assert!(p.sum_axis(softmax::ndarray::Axis(1)).iter().all(|sum| (sum - 1.0).abs() < 1e-14));
    let top = model.top(&dataset, 2).unwrap();
    assert_eq!(top.classes.column(0).to_vec(), [0, 0, 1, 1, 2, 2]);
    // The same classes in another order, as in another file.
    let mut other = dataset.clone();
    other.class_names = Some(["north", "east", "west"].map(str::to_owned).to_vec());
    other.targets = TargetStore::Labels(array![1, 1, 2, 2, 0, 0]);
    assert_eq!(model.score(&other).unwrap(), 1.0);
    other.class_names = Some(["north", "east", "south"].map(str::to_owned).to_vec());
    // The two samples whose label is no class of the model count as misses.
    assert_eq!(model.score(&other).unwrap(), 4.0 / 6.0);
    assert_eq!(
        (model.unknown_labels(&other), model.unknown_labels(&dataset)),
        (vec!["south".to_owned()], vec![])
    );
    let wider = Dataset::new("wider.csv", Array2::<f64>::zeros((2, 3)), TargetStore::None);
    let error = model.predict(&wider).unwrap_err().to_string();
    assert_eq!(error, "wider.csv: expected 2 features, as the model has, found 3");
    let far = Dataset::new("far.csv", array![[0.0, 0.0], [f64::MAX, f64::MAX]], TargetStore::None);
    let expected =
        "far.csv: expected features and a model whose scores are finite in f64, found others for sample 1";
    assert_eq!(model.predict(&far).unwrap_err().to_string(), expected);
    assert_eq!(model.top(&far, 2).unwrap_err().to_string(), expected);
    let unlabelled = Dataset::new("new.csv", Array2::<f64>::zeros((2, 2)), TargetStore::None);
    assert_eq!(model.predict(&unlabelled).unwrap().len(), 2);
    assert!(model.score(&unlabelled).unwrap().is_nan());
    let _: Array1<usize> = model.predict(&unlabelled).unwrap();
}
