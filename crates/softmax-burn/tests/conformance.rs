//! The full conformance suite.

use softmax_burn::{Burn, BurnAutodiff};
use softmax_conformance::{Runner, Suite};

#[test]
fn burn_f32() {
    Runner::new().run(&Suite::<f32>::full(), || Box::new(Burn::flex())).assert_complete();
}

#[test]
fn burn_f64() {
    Runner::new().run(&Suite::<f64>::full(), || Box::new(Burn::flex())).assert_complete();
}

/// Chunks that no case divides into evenly.
#[test]
fn burn_by_chunks_f32() {
    Runner::new().run(&Suite::<f32>::full(), || Box::new(Burn::flex().chunk_rows(5))).assert_complete();
}

#[test]
fn burn_autodiff_f32() {
    Runner::new().run(&Suite::<f32>::full(), || Box::new(BurnAutodiff::flex())).assert_complete();
}

#[test]
fn burn_autodiff_f64() {
    Runner::new().run(&Suite::<f64>::full(), || Box::new(BurnAutodiff::flex())).assert_complete();
}

/// On each graphics device that there is; a build that has them is for a machine that has one, if only in software.
#[cfg(feature = "wgpu")]
mod graphics {
    use softmax_burn::{Burn, Error, Problem, SoftmaxBackend, ndarray::array};
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
            Runner::new().run(&Suite::<f32>::full(), || Box::new(burn.clone())).assert_complete();
        }
    }

    #[test]
    fn f64_is_right_or_refused_with_the_reason() {
        let (features, weights) = (array![[1.0f64, 0.0], [0.0, 2.0]], array![[0.5, -0.5], [0.1, 0.2]]);
        let labels = array![0, 1];
        let problem = Problem::builder(features.view(), weights.view(), labels.view()).build().unwrap();
        for mut burn in devices() {
            match burn.loss(&problem) {
                Ok(_) => {
                    Runner::new().run(&Suite::<f64>::full(), || Box::new(burn.clone())).assert_complete();
                }
                Err(Error::Unsupported { backend, what }) => {
                    assert_eq!(backend, burn.name());
                    assert!(what.contains("f64"), "{what}");
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}
