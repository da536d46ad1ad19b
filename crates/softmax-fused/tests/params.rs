//! The block sizes of the wide kernel change no bit.

use softmax_conformance::Generator;
use softmax_fused::{Fused, KernelParams, OutputSet, OwnedOutputs, SoftmaxBackend};

#[test]
fn kernel_params_change_no_bit() {
    let owned = Generator::new(18).problem(900, 300, 300);
    let problem = owned.problem().unwrap();
    let evaluate = |params: KernelParams| {
        let mut outputs = OwnedOutputs::zeros(&problem, OutputSet::ALL);
        let evaluation = Fused::new().params(params).evaluate(&problem, &mut outputs.as_outputs()).unwrap();
        let matrices = [outputs.weights_gradient, outputs.features_gradient].map(Option::unwrap);
        let bits = matrices.map(|matrix| matrix.iter().map(|x: &f64| x.to_bits()).collect::<Vec<_>>());
        (evaluation.loss.to_bits(), bits)
    };
    let (ours, mut others) = (KernelParams::default(), Vec::new());
    let mut add = |set: fn(&mut KernelParams, usize), values: &[usize]| {
        for &value in values {
            let mut params = ours;
            set(&mut params, value);
            others.push(params);
        }
    };
    add(|params, value| params.strip = value, &[0, 192, 400, 768]);
    add(|params, value| params.block = value, &[0, 192, 576, usize::MAX]);
    add(|params, value| params.features = value, &[0, 12, 25, 100_000]);
    add(|params, value| params.kept = value, &[0, usize::MAX]);
    add(|params, value| params.tasks = value, &[0, 1, 1000]);
    let expected = evaluate(ours);
    for params in others {
        assert_eq!(evaluate(params), expected, "{params:?}");
    }
}
