//! Compares `LinearCrossEntropyLoss` with Burn's own `Linear` and `CrossEntropyLoss`.

use burn::module::Param;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData, Tolerance};
use softmax_burn::{DeviceProblem, LinearCrossEntropyLossConfig, OutputKind, OutputSet, evaluate};

const N: usize = 60;
const D: usize = 9;
const C: usize = 7;

fn device() -> Device {
    Device::flex().autodiff()
}

fn data(device: &Device) -> (Tensor<2>, Tensor<1, Int>) {
    device.seed(1);
    let features = Tensor::<2>::random([N, D], Distribution::Normal(0.0, 1.0), device);
    let labels: Vec<i64> = (0..N as i64).map(|i| i * i % C as i64).collect();
    (features, Tensor::from_data(TensorData::new(labels, [N]), device))
}

/// Fifty steps of gradient descent. Returns the trained layer and the last loss.
fn train(mut layer: Linear, rate: f64, loss: impl Fn(&Linear) -> Tensor<1>) -> (Linear, f32) {
    let mut last = f32::NAN;
    for _ in 0..50 {
        let loss = loss(&layer);
        let gradients = loss.backward();
        last = loss.into_scalar::<f32>();
        let step = |weight: &Param<Tensor<2>>| {
            let gradient = weight.val().grad(&gradients).expect("the loss depends on the weights");
            weight.val().without_autodiff() - gradient * rate
        };
        let weight = step(&layer.weight).autodiff().require_grad();
        let bias = layer.bias.as_ref().map(|bias| {
            let gradient = bias.val().grad(&gradients).expect("the loss depends on the bias");
            Param::from_tensor((bias.val().without_autodiff() - gradient * rate).autodiff().require_grad())
        });
        layer = Linear { weight: Param::from_tensor(weight), bias };
    }
    (layer, last)
}

#[test]
fn fifty_steps_end_where_burns_own_loss_ends() {
    let device = device();
    let (features, labels) = data(&device);
    let layer = LinearConfig::new(D, C).init(&device);
    let (ours, theirs) =
        (LinearCrossEntropyLossConfig::new().init(&device), CrossEntropyLossConfig::new().init(&device));
    let (a, loss_a) = train(layer.clone(), 0.5, |l| ours.forward_layer(features.clone(), l, labels.clone()));
    let (b, loss_b) =
        train(layer.clone(), 0.5, |l| theirs.forward(l.forward(features.clone()), labels.clone()));
    assert!((loss_a - loss_b).abs() < 1e-5, "{loss_a} {loss_b}");
    let close = Tolerance::<f32>::absolute(1e-4);
    a.weight.val().into_data().assert_approx_eq(&b.weight.val().into_data(), close);
    let bias = |layer: Linear| layer.bias.expect("by default").val().into_data();
    bias(a.clone()).assert_approx_eq(&bias(b), close);
    // Training changed the weights.
    let moved = (a.weight.val() - layer.weight.val()).abs().max().into_scalar::<f32>();
    assert!(moved > 0.01, "{moved}");
}

#[test]
fn the_gradient_of_the_features_includes_the_upstream_gradient() {
    let device = device();
    let (features, labels) = data(&device);
    let weights = Tensor::<2>::random([D, C], Distribution::Normal(0.0, 1.0), &device).require_grad();
    let features = features.require_grad();
    let scaled = |loss: Tensor<1>| {
        let gradients = (loss * 3.0).backward();
        let of = |tensor: &Tensor<2>| tensor.grad(&gradients).expect("a gradient").into_data();
        (of(&features), of(&weights))
    };
    let ours = LinearCrossEntropyLossConfig::new().with_label_smoothing(0.2).init(&device);
    let theirs = CrossEntropyLossConfig::new().with_smoothing(Some(0.2)).init(&device);
    let (dx, dw) = scaled(ours.forward(features.clone(), weights.clone(), labels.clone()));
    let (expected_dx, expected_dw) = scaled(theirs.forward(features.clone().matmul(weights.clone()), labels));
    let close = Tolerance::<f32>::absolute(1e-6);
    dx.assert_approx_eq(&expected_dx, close);
    dw.assert_approx_eq(&expected_dw, close);
}

/// The module, which uses the kernels with the feature `fused`, agrees with [`evaluate`], which never does.
#[test]
fn module_and_native_call_agree() {
    let device = device();
    let (features, labels) = data(&device);
    let weights = Tensor::<2>::random([D, C], Distribution::Normal(0.0, 1.0), &device).require_grad();
    let config = LinearCrossEntropyLossConfig::new()
        .with_ignore_index(Some(3))
        .with_class_weights(Some((1..=C).map(|class| class as f32).collect()))
        .with_softcap(Some(5.0))
        .with_z_loss(0.01)
        .with_temperature(1.5);
    let loss = config.init(&device).forward(features.clone(), weights.clone(), labels.clone());
    let dw = weights.grad(&loss.backward()).expect("a gradient");

    let mut problem = DeviceProblem::new(features, weights.clone(), labels);
    problem.objective.ignore_index = Some(3);
    let class_weights: Vec<f32> = (1..=C).map(|class| class as f32).collect();
    problem.class_weights = Some(Tensor::from_floats(class_weights.as_slice(), &Device::flex()));
    problem.objective.softcap = Some(5.0);
    problem.objective.z_loss = 0.01;
    problem.objective.temperature = 1.5;
    let native = evaluate(&problem, OutputSet::NONE.with(OutputKind::WeightsGradient));
    let close = Tolerance::<f32>::absolute(1e-6);
    loss.into_data().assert_approx_eq(&native.loss.into_data(), close);
    dw.into_data().assert_approx_eq(&native.weights_gradient.expect("asked for").into_data(), close);
}

#[test]
fn a_confident_loss_keeps_its_digits() {
    let device = Device::flex();
    let features = Tensor::<2>::from_floats([[1.0]], &device);
    let weights = Tensor::<2>::from_floats([[40.0, 0.0]], &device);
    let loss = LinearCrossEntropyLossConfig::new().init(&device).forward(
        features,
        weights,
        Tensor::from_ints([0], &device),
    );
    let loss = loss.into_scalar::<f32>();
    assert!((loss / 4.248354e-18 - 1.0).abs() < 1e-5, "{loss}");
}

#[test]
#[should_panic(expected = "label_smoothing")]
fn an_option_out_of_its_range_is_refused() {
    LinearCrossEntropyLossConfig::new().with_label_smoothing(1.5).init(&Device::flex());
}

/// Losses, entropies and label log-probabilities from all scores, for Burn to differentiate.
fn by_scores(scores: &Tensor<2>, labels: &Tensor<1, Int>, mass: &Tensor<2>) -> [Tensor<1>; 3] {
    let log_p = burn::tensor::activation::log_softmax(scores.clone(), 1);
    let losses = -(mass.clone() * log_p.clone()).sum_dim(1);
    let entropy = -(log_p.clone().exp() * log_p.clone()).sum_dim(1);
    let label = log_p.gather(1, labels.clone().reshape([N, 1]));
    [losses, entropy, label].map(|column| column.reshape([N]))
}

#[test]
fn losses_entropies_and_log_probabilities_have_the_gradients_of_their_definitions() {
    let device = device();
    let (features, labels) = data(&device);
    let random = |shape: [usize; 2]| Tensor::<2>::random(shape, Distribution::Normal(0.0, 1.0), &device);
    let coefficients = [1, 2, 3].map(|_| random([N, 1]).reshape([N]).detach());
    let weights = random([D, C]);
    let (bias, smoothing) = (random([1, C]).reshape([C]), 0.2);
    let class_weights: Vec<f32> = (1..=C).map(|class| class as f32 / 3.0).collect();
    let config = LinearCrossEntropyLossConfig::new()
        .with_label_smoothing(smoothing)
        .with_class_weights(Some(class_weights.clone()))
        .with_temperature(1.3)
        .with_softcap(Some(2.5));
    let one_hot: Tensor<2> = labels.clone().one_hot::<2>(C).float();
    let of_classes = Tensor::<1>::from_floats(class_weights.as_slice(), &device).reshape([1, C]);
    let mass = (one_hot * (1.0 - smoothing) + smoothing / C as f64) * of_classes;

    for kernels in [true, false] {
        let module = config.init(&device);
        let module = if kernels { module } else { module.by_tensor_operations() };
        // Each value alone, then all three.
        for chosen in [[true, false, false], [false, true, false], [false, false, true], [true; 3]] {
            let gradients = |rows: &dyn Fn(Tensor<2>, Tensor<2>, Tensor<1>) -> [Tensor<1>; 3]| {
                let inputs = (
                    features.clone().detach().require_grad(),
                    weights.clone().detach().require_grad(),
                    bias.clone().detach().require_grad(),
                );
                let rows = rows(inputs.0.clone(), inputs.1.clone(), inputs.2.clone());
                let weighed = rows.into_iter().zip(&coefficients).zip(chosen).filter(|(_, chosen)| *chosen);
                let weighed = weighed.map(|((row, coefficient), _)| (row * coefficient.clone()).sum());
                let sum = weighed.reduce(|a, b| a + b).expect("one is chosen");
                let value = sum.clone().into_data();
                let gradients = sum.backward();
                let of = |found: Option<Tensor<2>>| found.expect("a gradient").into_data();
                let db = inputs.2.grad(&gradients).expect("a gradient").into_data();
                [value, of(inputs.0.grad(&gradients)), of(inputs.1.grad(&gradients)), db]
            };
            let ours = gradients(&|features, weights, bias| {
                let mut problem = DeviceProblem::new(features, weights, labels.clone());
                problem.bias = Some(bias);
                let rows = module.forward_rows_of(problem);
                [rows.losses, rows.entropy, rows.label_log_prob.expect("there are labels")]
            });
            let theirs = gradients(&|features, weights, bias| {
                let raw = (features.matmul(weights) + bias.reshape([1, C])) / 1.3;
                by_scores(&((raw / 2.5).tanh() * 2.5), &labels, &mass)
            });
            for (ours, theirs) in ours.iter().zip(&theirs) {
                ours.assert_approx_eq(theirs, Tolerance::<f32>::absolute(2e-5));
            }
        }
    }
}

#[test]
fn ignored_rows_have_no_gradient_of_entropies() {
    let device = device();
    let (features, labels) = data(&device);
    let features = features.require_grad();
    let weights = Tensor::<2>::random([D, C], Distribution::Normal(0.0, 1.0), &device).require_grad();
    for kernels in [true, false] {
        let module = LinearCrossEntropyLossConfig::new().with_ignore_index(Some(0)).init(&device);
        let module = if kernels { module } else { module.by_tensor_operations() };
        let rows = module.forward_rows(features.clone(), weights.clone(), labels.clone());
        let log_prob = rows.label_log_prob.expect("there are labels").try_into_vec_as::<f32>().unwrap();
        let dx = features
            .grad(&rows.entropy.sum().backward())
            .expect("a gradient")
            .try_into_vec_as::<f32>()
            .unwrap();
        // The first label is 0.
        assert_eq!((&dx[..D], log_prob[0]), (&[0.0; D][..], 0.0));
        assert!(dx[D..2 * D].iter().any(|&g| g != 0.0) && log_prob[1] < 0.0);
    }
}
