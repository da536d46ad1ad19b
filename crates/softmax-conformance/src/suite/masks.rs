//! Classes masked by a bias of −∞: halves, tiles, every other class, and all except one, with options that give mass to
//! classes or transform scores. Also NaN, which is not a mask: alone in a tile, or before masked classes.

use crate::case::Case;
use crate::generator::Generator;
use softmax_core::ndarray::Array1;
use softmax_core::{Objective, OwnedProblem, OwnedTargets};

/// Fewer classes than lanes, whole vectors, tiles and panels, and tails.
const CLASSES: [usize; 8] = [3, 8, 10, 16, 33, 70, 130, 300];
/// One class more than tiles, panels and groups hold, so that the last class is alone in one; and 600, so that whole
/// ones are masked.
const NAN_CLASSES: [usize; 8] = [2, 9, 17, 33, 65, 129, 257, 600];
const SAMPLES: usize = 13;

/// Whether `class`, of `c` classes, is masked.
type Mask = fn(class: usize, c: usize) -> bool;

const MASKS: [(&str, Mask); 7] = [
    ("first-half", |class, c| class < c / 2),
    ("last-half", |class, c| class >= c.div_ceil(2)),
    ("all-but-the-first", |class, _| class > 0),
    ("all-but-the-last", |class, c| class + 1 < c),
    ("all-but-the-middle", |class, c| class != c / 2),
    ("every-other", |class, _| class % 2 == 0),
    ("a-tile", |class, c| (c / 3..2 * c / 3).contains(&class)),
];

pub(super) fn cases() -> Vec<Case> {
    let mut g = Generator::new(41);
    let mut cases = Vec::new();
    for c in CLASSES {
        for (name, mask) in MASKS {
            for (options, problem) in problems(&mut g, c, mask) {
                cases.push(Case::new(format!("masks/{name}-{c}{options}"), problem));
            }
        }
    }
    for c in NAN_CLASSES {
        let mut last = g.problem(SAMPLES, 6, c);
        last.weights.column_mut(c - 1).fill(f64::NAN);
        cases.push(Case::new(format!("masks/nan-last-{c}"), last));
        let mut first = g.problem(SAMPLES, 6, c);
        first.weights.column_mut(0).fill(f64::NAN);
        let masked = 1..c.div_ceil(2);
        first.bias =
            Some(Array1::from_shape_fn(
                c,
                |class| {
                    if masked.contains(&class) { f64::NEG_INFINITY } else { 0.25 }
                },
            ));
        cases.push(Case::new(format!("masks/nan-before-masked-{c}"), first));
    }
    cases
}

fn problems(g: &mut Generator, c: usize, mask: Mask) -> Vec<(&'static str, OwnedProblem<f64>)> {
    let is_masked = |class: usize| mask(class, c);
    let left: Vec<usize> = (0..c).filter(|&class| !is_masked(class)).collect();
    let mut plain = g.problem(SAMPLES, 6, c);
    plain.bias =
        Some(Array1::from_shape_fn(c, |class| if is_masked(class) { f64::NEG_INFINITY } else { 0.25 }));
    // All labels are classes that are not masked.
    plain.targets =
        OwnedTargets::Labels(Array1::from_shape_fn(SAMPLES, |_| left[g.below(left.len())] as i64));
    let with = |objective| OwnedProblem { objective, ..plain.clone() };
    let default = Objective::default;

    let mut soft = plain.clone();
    let mut masses = g.soft_targets(SAMPLES, c);
    masses.indexed_iter_mut().filter(|((_, class), _)| is_masked(*class)).for_each(|(_, mass)| *mass = 0.0);
    soft.targets = OwnedTargets::Soft(masses);
    soft.class_weights = Some(g.vector(c, 0.5, 2.0));

    let mut masked_target = plain.clone();
    if let OwnedTargets::Labels(labels) = &mut masked_target.targets {
        labels[4] = (0..c).find(|&class| is_masked(class)).unwrap_or_default() as i64;
    }
    // Smoothing gives mass to every class; a class weight of 0 removes it from masked ones.
    let mut weightless = with(Objective { label_smoothing: 0.2, ..default() });
    weightless.class_weights =
        Some(Array1::from_shape_fn(c, |class| if is_masked(class) { 0.0 } else { 1.5 }));
    vec![
        ("", plain.clone()),
        ("-z-loss-temperature", with(Objective { z_loss: 0.1, temperature: 0.5, ..default() })),
        ("-softcap", with(Objective { softcap: Some(2.0), ..default() })),
        ("-smoothing", with(Objective { label_smoothing: 0.1, ..default() })),
        ("-soft", soft),
        ("-target", masked_target),
        ("-smoothing-weightless", weightless),
    ]
}
