//! What a problem refuses when it is built, and what its message names.

use softmax_core::ndarray::{Array2, array};
use softmax_core::{Objective, OwnedProblem, OwnedTargets, Problem, Targets};

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
fn options_that_f32_does_not_hold_are_for_f64() {
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
fn weights_and_masses_are_finite_and_not_negative() {
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
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
        let soft = array![[0.0, 1.0, 0.0], [0.5, 0.5, bad]];
        let message = refusal(|p| p.targets = OwnedTargets::Soft(soft));
        assert!(
            message.starts_with("soft targets: expected") && message.ends_with("at index [1, 2]"),
            "{message}"
        );
    }
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

#[test]
fn the_ignored_label_need_not_be_a_class() {
    let owned = sound();
    let labels = [0, usize::MAX];
    let objective = Objective { ignore_index: Some(usize::MAX), ..Objective::default() };
    let targets = || Targets::from(&labels[..]);
    let builder = || Problem::builder(owned.features.view(), owned.weights.view(), targets());
    assert!(builder().build().is_err());
    assert!(builder().objective(objective).build().is_ok());
}
