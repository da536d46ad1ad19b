//! The registry of backends, with any set of built-in backends.

use softmax::ndarray::array;
use softmax::{Backend, NoSuchBackend, Problem, Registry, Setup, SoftmaxBackend};

#[test]
fn every_entry_makes_the_backend_of_its_name() {
    let registry = Registry::built_in();
    let (features, weights) = (array![[1.0f32, 0.0], [0.0, 2.0]], array![[0.5, -0.5, 0.0], [0.1, 0.2, 0.3]]);
    let labels = array![0, 2];
    let problem = Problem::builder(features.view(), weights.view(), labels.view()).build().unwrap();
    let mut count = 0;
    // In f32, because every device supports it.
    for entry in registry.entries() {
        for setup in [Setup::default(), Setup { threads: Some(1), ..Setup::default() }] {
            let mut backend = entry.make::<f32>(setup);
            assert_eq!(backend.descriptor().name, entry.name());
            assert!((backend.loss(&problem).unwrap() - 0.796_085_55).abs() < 1e-6, "{entry:?}");
        }
        count += 1;
    }
    assert!(count > 0, "a build without a backend");
}

#[test]
fn an_absent_backend_names_the_feature_that_adds_it() {
    let registry = Registry::built_in();
    for absent in registry.absent() {
        let error = registry.find(absent.name).unwrap_err();
        assert_eq!(error, NoSuchBackend::Absent(*absent));
        assert!(error.to_string().starts_with(&format!("backend {} is not available: ", absent.name)));
    }
    let error = softmax::backend::<f32>("abacus").err().unwrap().to_string();
    assert!(error.starts_with("backend: expected one of ") && error.ends_with(", found abacus"), "{error}");
}

#[test]
fn names_are_selected_once() {
    let registry = Registry::built_in();
    let first = registry.entries().next().unwrap().name().to_owned();
    let selected = registry.select(&[first.clone(), first.clone()]).unwrap();
    assert_eq!(selected.iter().map(|entry| entry.name()).collect::<Vec<_>>(), [first.as_str()]);
    assert_eq!(registry.select(&[]).unwrap().len(), registry.entries().count());
}
