//! The full conformance suite, for both backends and every device.

use softmax_burn::{Burn, BurnAutodiff, Feature};
use softmax_conformance::{Runner, Suite};

/// Sparse or half-precision storage of X or W, which `burn` does not support.
fn is_beyond_tensors(feature: Feature) -> bool {
    feature.is_storage()
}

/// Sparse or half-precision storage and row facts, which `burn-autodiff` does not support.
fn is_beyond_autodiff(feature: Feature) -> bool {
    feature.is_storage() || feature.is_row_fact()
}

#[test]
fn burn_f32() {
    Runner::new()
        .run(Suite::<f32>::shared(), || Box::new(Burn::new()))
        .assert_complete_but(is_beyond_tensors);
}

#[test]
fn burn_f64() {
    Runner::new()
        .run(Suite::<f64>::shared(), || Box::new(Burn::new()))
        .assert_complete_but(is_beyond_tensors);
}

/// Chunks of 5 rows, so that most cases have several chunks and a partial last one.
#[test]
fn burn_by_chunks_f32() {
    Runner::new()
        .run(Suite::<f32>::shared(), || Box::new(Burn::new().chunk_rows(5)))
        .assert_complete_but(is_beyond_tensors);
}

#[test]
fn burn_autodiff_f32() {
    Runner::new()
        .run(Suite::<f32>::shared(), || Box::new(BurnAutodiff::new()))
        .assert_complete_but(is_beyond_autodiff);
}

#[test]
fn burn_autodiff_f64() {
    Runner::new()
        .run(Suite::<f64>::shared(), || Box::new(BurnAutodiff::new()))
        .assert_complete_but(is_beyond_autodiff);
}

/// The suite on every graphics device. A build with this feature requires at least one; a software driver is enough.
#[cfg(feature = "wgpu")]
mod graphics {
    use softmax_burn::{Backend, Burn, Error, Feature, Problem, SoftmaxBackend, ndarray::array};
    use softmax_conformance::{Runner, Suite};

    fn devices() -> Vec<Burn> {
        let devices = Burn::on_graphics_devices();
        assert!(!devices.is_empty(), "no graphics device (Debian: mesa-vulkan-drivers)");
        devices
    }

    #[test]
    fn f32() {
        for burn in devices() {
            println!("{}", burn.name());
            Runner::new()
                .run(Suite::<f32>::shared(), || Box::new(burn.clone()))
                .assert_complete_but(super::is_beyond_tensors);
        }
    }

    #[test]
    fn f64_is_right_or_refused() {
        let (features, weights) = (array![[1.0f64, 0.0], [0.0, 2.0]], array![[0.5, -0.5], [0.1, 0.2]]);
        let labels = array![0, 1];
        let problem = Problem::builder(features.view(), weights.view(), labels.view()).build().unwrap();
        for mut burn in devices() {
            match burn.loss(&problem) {
                Ok(_) => {
                    Runner::new()
                        .run(Suite::<f64>::shared(), || Box::new(burn.clone()))
                        .assert_complete_but(super::is_beyond_tensors);
                }
                Err(Error::Unsupported { backend, feature }) => {
                    assert_eq!((backend.as_str(), feature), (burn.name(), Feature::F64));
                    assert!(!burn.supports(Feature::F64) && burn.supports(Feature::F32));
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}
