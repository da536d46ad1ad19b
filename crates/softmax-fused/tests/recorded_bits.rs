//! Recorded bits of results: every level on x86-64 gives them, and so does an Arm processor (`cargo xtask neon`).

use softmax_fused::ndarray::{Array1, Array2};
use softmax_fused::{Element, Fused, Level, Objective, OutputSet, OwnedOutputs, Problem, SoftmaxBackend};

/// Narrow and wide kernel, with and without whole vectors.
const SHAPES: [(usize, usize, usize); 4] = [(200, 61, 10), (130, 300, 64), (300, 77, 65), (100, 530, 700)];

/// For each shape: f32 and f64, without options and with most of them.
const RECORDED: [[[u64; 2]; 4]; 2] = [
    [
        [0xc472_503c_9d00_a3bc, 0x7943_a164_e416_39f3],
        [0x0d54_6b8b_9c38_1eb0, 0xc4b5_5347_4f76_d66f],
        [0x5142_c293_bfd3_97cc, 0x6616_5355_6d27_6aca],
        [0x4e6e_7fdf_8ea0_490b, 0xb2ed_3701_ab92_fc8f],
    ],
    [
        [0xe698_9616_7a95_a664, 0x9dfc_a615_f485_b196],
        [0x4ef3_9bbb_bfd9_7faf, 0x1430_95c6_8c8d_1bbe],
        [0xe6a8_e4b4_292b_fbe0, 0xf07c_c8a4_deaa_f4ec],
        [0x08b2_86d6_970a_a066, 0x759e_9093_3d91_3c09],
    ],
];

fn options(all: bool) -> Objective {
    match all {
        false => Objective::default(),
        true => Objective {
            label_smoothing: 0.1,
            l2: 1e-2,
            z_loss: 1e-3,
            softcap: Some(5.0),
            temperature: 0.7,
            ..Objective::default()
        },
    }
}

/// Numbers from −1 to 1, computed by integer arithmetic so that they are the same everywhere.
fn matrix<T: Element>(rows: usize, columns: usize, step: usize) -> Array2<T> {
    let number = |at: usize| ((at * step + at / 7 * 31) % 2003) as f64 / 1001.5 - 1.0;
    Array2::from_shape_fn((rows, columns), |(i, j)| T::narrow(number(i * columns + j)))
}

/// FNV-1a hash of the bits of the loss and of every floating-point output.
fn hash<T: Element>(level: Level, (n, d, c): (usize, usize, usize), objective: Objective) -> u64
where
    Fused: SoftmaxBackend<T>,
{
    let (features, weights) = (matrix::<T>(n, d, 7919), matrix::<T>(d, c, 104_729));
    let labels = Array1::from_shape_fn(n, |i| i * i % c);
    let problem = Problem::builder(features.view(), weights.view(), labels.view()).objective(objective);
    let problem = problem.build().unwrap();
    let mut outputs = OwnedOutputs::zeros(&problem, OutputSet::ALL);
    let evaluation =
        SoftmaxBackend::<T>::evaluate(&mut Fused::new().level(level), &problem, &mut outputs.as_outputs())
            .unwrap();
    let outputs = outputs.as_outputs();
    let mut numbers = vec![evaluation.loss];
    let of_features = [outputs.weights_gradient, outputs.features_gradient, outputs.top_log_prob];
    let of_rows = [outputs.bias_gradient, outputs.sample_losses, outputs.log_sum_exp, outputs.entropy];
    numbers.extend(of_features.iter().flatten().flatten().map(|x| x.widen()));
    numbers.extend(of_rows.iter().flatten().flatten().map(|x| x.widen()));
    let mix =
        |hash: u64, number: f64| (hash ^ number.to_bits()).wrapping_mul(0x0100_0000_01b3).rotate_left(7);
    numbers.into_iter().fold(0xcbf2_9ce4_8422_2325, mix)
}

#[test]
fn the_bits_are_those_of_another_processor() {
    for level in Level::available() {
        let of =
            |shape, all| [hash::<f32>(level, shape, options(all)), hash::<f64>(level, shape, options(all))];
        let found = [false, true].map(|all| SHAPES.map(|shape| of(shape, all)));
        assert_eq!(found, RECORDED, "{}: {found:#018x?}", level.name());
    }
}
