//! Invalid problems: building one returns an error whose message names the argument.

use softmax_core::ndarray::{Array2, array};
use softmax_core::{
    Csr, Dtype, Feature, Objective, OutputKind, OwnedProblem, OwnedTargets, Reduction, Targets,
};

fn sound() -> OwnedProblem<f64> {
    let labels = OwnedTargets::Labels(array![0, 2]);
    OwnedProblem::new(array![[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]], Array2::ones((4, 3)), labels)
}

fn refusal(spoil: impl FnOnce(&mut OwnedProblem<f64>)) -> String {
    let mut problem = sound();
    spoil(&mut problem);
    let message = problem.problem().expect_err("it is not sound").to_string();
    assert_eq!(message.lines().count(), 1);
    message
}

#[test]
fn a_sound_problem_is_built() {
    let owned = sound();
    let problem = owned.problem().unwrap();
    assert_eq!((problem.n_samples(), problem.n_features(), problem.n_classes()), (2, 4, 3));
}

#[test]
fn options_out_of_range_are_named() {
    let with = |objective| refusal(|p| p.objective = objective);
    let plain = Objective::default;
    for bad in [-0.1, 1.1, f64::NAN] {
        assert!(with(Objective { label_smoothing: bad, ..plain() }).starts_with("label_smoothing: expected"));
    }
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(with(Objective { l2: bad, ..plain() }).starts_with("l2: expected"));
        assert!(with(Objective { z_loss: bad, ..plain() }).starts_with("z_loss: expected"));
    }
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(with(Objective { softcap: Some(bad), ..plain() }).starts_with("softcap: expected"));
        assert!(with(Objective { temperature: bad, ..plain() }).starts_with("temperature: expected"));
    }
}

#[test]
fn options_that_overflow_f32_are_refused_in_f32_alone() {
    let plain = Objective::default;
    for (objective, option) in [
        (Objective { l2: 1e60, ..plain() }, "l2"),
        (Objective { z_loss: 1e60, ..plain() }, "z_loss"),
        (Objective { softcap: Some(1e-60), ..plain() }, "softcap"),
        (Objective { temperature: 1e60, ..plain() }, "temperature"),
    ] {
        let wide = OwnedProblem { objective, ..sound() };
        assert!(wide.problem().is_ok());
        let labels = OwnedTargets::Labels(array![0]);
        let mut narrow = OwnedProblem::<f32>::new(Array2::ones((1, 2)), Array2::ones((2, 3)), labels);
        assert!(narrow.problem().is_ok());
        narrow.objective = objective;
        let message = narrow.problem().expect_err("f32 does not hold it").to_string();
        assert!(message.starts_with(option), "{message}");
    }
}

#[test]
fn weights_that_are_not_finite_and_negative_masses_are_refused() {
    for bad in [f64::NAN, f64::INFINITY] {
        let message = refusal(|p| p.class_weights = Some(array![1.0, bad, 1.0]));
        assert!(
            message.starts_with("class weights: expected") && message.ends_with("at index [1]"),
            "{message}"
        );
        let message = refusal(|p| p.sample_weights = Some(array![bad, 1.0]));
        assert!(
            message.starts_with("sample weights: expected") && message.ends_with("at index [0]"),
            "{message}"
        );
    }
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        let soft = array![[0.0, 1.0, 0.0], [0.5, 0.5, bad]];
        let message = refusal(|p| p.targets = OwnedTargets::Soft(soft));
        assert!(
            message.starts_with("soft targets: expected") && message.ends_with("at index [1, 2]"),
            "{message}"
        );
    }
}

#[test]
fn weights_may_be_negative_and_the_total_weight_is_their_sum() {
    let mut owned = sound();
    owned.class_weights = Some(array![-2.0, 1.0, 0.5]);
    owned.sample_weights = Some(array![1.5, 4.0]);
    let problem = owned.problem().unwrap();
    assert_eq!(problem.total_weight(), -2.0 * 1.5 + 0.5 * 4.0);
    assert!(problem.needs().contains(Feature::NegativeWeights));
    owned.targets = OwnedTargets::None;
    let problem = owned.problem().unwrap();
    assert_eq!((problem.total_weight(), problem.has_targets()), (0.0, false));
    owned.targets = OwnedTargets::Soft(Array2::ones((2, 3)));
    assert_eq!(owned.problem().unwrap().total_weight(), 5.5);
}

#[test]
fn rows_are_a_problem_of_their_own() {
    let mut owned = sound();
    owned.sample_weights = Some(array![1.5, 4.0]);
    let problem = owned.problem().unwrap();
    let part = problem.rows(1..2);
    assert_eq!((part.n_samples(), part.total_weight(), part.label(0)), (1, 4.0, Some(2)));
    assert_eq!(problem.rows(0..0).n_samples(), 0);
}

#[test]
fn labels_of_every_type_and_sign() {
    let owned = sound();
    let builder = || owned.builder();
    let minus = Objective { ignore_index: Some(-100), ..Objective::default() };
    for targets in [Targets::from(&[2i64, -100][..]), Targets::from(&[2i32, -100][..])] {
        let message = builder().targets(targets).build().unwrap_err().to_string();
        assert_eq!(message, "labels: expected a class below 3, found -100 at sample 1");
        let problem = builder().targets(targets).objective(minus).build().unwrap();
        assert_eq!([problem.label(0), problem.label(1)], [Some(2), None]);
        assert_eq!((problem.counts(1), problem.total_weight()), (false, 1.0));
    }
    let largest = Objective { ignore_index: Some(255), ..Objective::default() };
    let problem = builder().targets(&[255u8, 1][..]).objective(largest).build().unwrap();
    assert_eq!([problem.label(0), problem.label(1)], [None, Some(1)]);
    let message = builder().targets(&[0u32, u32::MAX][..]).objective(minus).build().unwrap_err().to_string();
    assert!(message.ends_with("or the ignored value -100, found 4294967295 at sample 1"), "{message}");
}

#[test]
fn an_invalid_csr_matrix_is_refused() {
    let refused = |shape, pointers: &[usize], columns: &[u32], expected: &str| {
        let message = Csr::new(shape, pointers, columns, &vec![1.0; columns.len()]).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    };
    assert!(Csr::new((2, 3), &[0, 1, 3], &[1, 0, 2], &[1.0, 2.0, 3.0]).is_ok());
    refused((2, 3), &[0, 1], &[1], "one more row pointer than rows, found 2");
    refused((2, 3), &[1, 1, 1], &[1], "a first row pointer of 0, found 1");
    refused((2, 3), &[0, 1, 2], &[1], "a last row pointer equal to the number of values, found 2");
    refused((3, 3), &[0, 2, 1, 2], &[0, 1], "row pointers that do not fall, found 1 at row 1");
    refused((1, 3), &[0, 2], &[2, 1], "strictly increasing columns within a row, found 1 at row 0");
    refused((1, 3), &[0, 2], &[1, 1], "strictly increasing columns within a row, found 1 at row 0");
    refused((1, 3), &[0, 1], &[3], "columns below the number of features, found 3 at row 0");
    let message = Csr::new((1, 3), &[0, 1], &[0, 1], &[1.0]).unwrap_err().to_string();
    assert!(message.contains("equal numbers of columns and values, found 2"), "{message}");
}

#[test]
fn names_are_read_as_they_are_written() {
    assert!(Dtype::ALL.iter().all(|dtype| dtype.to_string().parse() == Ok(*dtype)));
    assert!(Reduction::ALL.iter().all(|reduction| reduction.to_string().parse() == Ok(*reduction)));
    assert!(Feature::ALL.iter().all(|feature| feature.to_string().parse() == Ok(*feature)));
    assert!(OutputKind::ALL.iter().all(|kind| kind.to_string().parse() == Ok(*kind)));
    let message = "f16".parse::<Dtype>().unwrap_err().to_string();
    assert_eq!(message, "element type: expected one of f32, f64, found f16");
}

#[test]
fn shapes_and_labels_agree() {
    let says = |spoil: fn(&mut OwnedProblem<f64>), message: &str| assert_eq!(refusal(spoil), message);
    says(|p| p.weights = Array2::ones((3, 3)), "weights: expected 4 features, found 3");
    says(|p| p.weights = Array2::ones((4, 0)), "weights: expected at least 1 class, found 0");
    says(|p| p.targets = OwnedTargets::Labels(array![0]), "labels: expected 2 samples, found 1");
    says(
        |p| p.targets = OwnedTargets::Soft(Array2::ones((2, 4))),
        "soft targets: expected 3 classes, found 4",
    );
    says(|p| p.bias = Some(array![0.0]), "bias: expected 3 classes, found 1");
    says(|p| p.class_weights = Some(array![1.0]), "class weights: expected 3 classes, found 1");
    says(|p| p.sample_weights = Some(array![1.0]), "sample weights: expected 2 samples, found 1");
    says(
        |p| p.targets = OwnedTargets::Labels(array![0, 3]),
        "labels: expected a class below 3, found 3 at sample 1",
    );
}
