//! A problem whose arrays are tensors on a device.

use burn::tensor::{Bool, Int, Tensor};
use softmax_core::{Objective, Reduction};

/// The inputs of the loss, as tensors on one device and in one type.
#[derive(Clone, Debug)]
pub struct DeviceProblem {
    /// X (N×D).
    pub features: Tensor<2>,
    /// W (D×C).
    pub weights: Tensor<2>,
    /// b (C), or none.
    pub bias: Option<Tensor<1>>,
    /// Hard labels or soft targets.
    pub targets: DeviceTargets,
    /// w (C), or 1 for every class.
    pub class_weights: Option<Tensor<1>>,
    /// u (N), or 1 for every sample.
    pub sample_weights: Option<Tensor<1>>,
    /// The options of the loss.
    pub objective: Objective,
}

/// The targets: one class per sample, or one distribution per sample.
#[derive(Clone, Debug)]
pub enum DeviceTargets {
    /// y (N). Each is a class from 0 to C−1 or the ignored label; the results for any other label depend on the device.
    Labels(Tensor<1, Int>),
    /// Y (N×C).
    Soft(Tensor<2>),
}

impl DeviceProblem {
    /// A problem with hard labels, no bias, no weights and default options.
    pub fn new(features: Tensor<2>, weights: Tensor<2>, labels: Tensor<1, Int>) -> Self {
        DeviceProblem {
            features,
            weights,
            bias: None,
            targets: DeviceTargets::Labels(labels),
            class_weights: None,
            sample_weights: None,
            objective: Objective::default(),
        }
    }

    /// N, D and C.
    pub(crate) fn sizes(&self) -> [usize; 3] {
        let ([n, d], [_, c]) = (self.features.dims(), self.weights.dims());
        [n, d, c]
    }

    /// The same tensors, detached from autodiff.
    pub(crate) fn without_autodiff(&self) -> Self {
        let inner = |tensor: &Option<Tensor<1>>| tensor.clone().map(Tensor::without_autodiff);
        DeviceProblem {
            features: self.features.clone().without_autodiff(),
            weights: self.weights.clone().without_autodiff(),
            bias: inner(&self.bias),
            targets: match &self.targets {
                DeviceTargets::Labels(labels) => DeviceTargets::Labels(labels.clone().without_autodiff()),
                DeviceTargets::Soft(soft) => DeviceTargets::Soft(soft.clone().without_autodiff()),
            },
            class_weights: inner(&self.class_weights),
            sample_weights: inner(&self.sample_weights),
            objective: self.objective,
        }
    }
}

/// A problem in the form of the formulas. Vectors are columns (N×1) or rows (1×C), so that they broadcast.
pub(crate) struct Inputs {
    /// X (N×D).
    pub(crate) features: Tensor<2>,
    /// W (D×C).
    pub(crate) weights: Tensor<2>,
    /// b (1×C).
    pub(crate) bias: Option<Tensor<2>>,
    pub(crate) mass: TargetMass,
    /// u, with 0 for ignored samples (N×1).
    pub(crate) sample_weights: Tensor<2>,
    /// Whether each sample is ignored (N×1); `None` without an ignored label.
    pub(crate) ignored: Option<Tensor<2, Bool>>,
    /// Ω (1×1).
    pub(crate) total_weight: Tensor<2>,
}

/// The target mass, a_ic = point_i·[c = label_i] + dense_ic.
pub(crate) struct TargetMass {
    /// Labels and their mass (N×1). An ignored sample has class 0 and mass 0.
    pub(crate) point: Option<(Tensor<2, Int>, Tensor<2>)>,
    /// Mass of every class: 1×C if it is the same for every sample, else N×C.
    pub(crate) dense: Option<Tensor<2>>,
    /// A (N×1).
    pub(crate) total: Tensor<2>,
}

impl Inputs {
    /// The features, with zeros for ignored samples, because 0·NaN would be NaN.
    pub(crate) fn counted_features(&self) -> Tensor<2> {
        self.counted(self.features.clone())
    }

    /// `rows`, a matrix of N rows, with zeros for ignored samples.
    pub(crate) fn counted(&self, rows: Tensor<2>) -> Tensor<2> {
        let shape = rows.dims();
        match &self.ignored {
            Some(ignored) if shape[1] > 0 => rows.mask_fill(ignored.clone().expand(shape), 0.0),
            _ => rows,
        }
    }

    /// Prepares a problem of at least one sample. Ω is computed on the device, in the tensors' type.
    pub(crate) fn new(problem: &DeviceProblem) -> Self {
        let [n, _, c] = problem.sizes();
        let objective = &problem.objective;
        let row = |tensor: &Tensor<1>| tensor.clone().reshape([1, c]);
        let class_weights = problem.class_weights.as_ref().map(row);
        let one = Tensor::<2>::ones([1, 1], (&problem.features.device(), problem.features.dtype()));
        let ones = one.clone().expand([n, 1]);
        let mut sample_weights = match &problem.sample_weights {
            Some(sample_weights) => sample_weights.clone().reshape([n, 1]),
            None => ones.clone(),
        };
        let (kept, spread) = (1.0 - objective.label_smoothing, objective.label_smoothing / c as f64);
        let every_class = || class_weights.clone().unwrap_or_else(|| one.clone().expand([1, c]));

        let (mass, ignored, weight_sum) = match &problem.targets {
            DeviceTargets::Labels(labels) => {
                let labels = labels.clone().reshape([n, 1]);
                let ignored = objective.ignore_index.map(|index| labels.clone().equal_elem(index));
                let labels = match &ignored {
                    None => labels,
                    Some(ignored) => labels.mask_fill(ignored.clone(), 0),
                };
                let mut weights = match &class_weights {
                    None => ones,
                    Some(weights) => weights.clone().expand([n, c]).gather(1, labels.clone()),
                };
                if let Some(ignored) = &ignored {
                    weights = weights.mask_fill(ignored.clone(), 0.0);
                    sample_weights = sample_weights.mask_fill(ignored.clone(), 0.0);
                }
                let weight_sum = (weights.clone() * sample_weights.clone()).sum_dim(0);
                let dense = (objective.label_smoothing > 0.0).then(|| every_class() * spread);
                (TargetMass::new(Some((labels, weights * kept)), dense), ignored, weight_sum)
            }
            DeviceTargets::Soft(soft) => {
                let dense = (soft.clone() * kept + spread) * every_class();
                (TargetMass::new(None, Some(dense)), None, sample_weights.clone().sum_dim(0))
            }
        };
        Inputs {
            features: problem.features.clone(),
            weights: problem.weights.clone(),
            bias: problem.bias.as_ref().map(row),
            mass,
            sample_weights,
            ignored,
            total_weight: match objective.reduction {
                Reduction::Mean => weight_sum,
                Reduction::Sum => one,
            },
        }
    }

    /// Replaces Ω by a value computed in f64.
    pub(crate) fn with_total_weight(self, total_weight: f64) -> Self {
        Inputs { total_weight: self.total_weight.zeros_like() + total_weight, ..self }
    }

    /// The part for a range of samples. Ω remains that of all samples.
    pub(crate) fn rows(&self, rows: std::ops::Range<usize>) -> Self {
        let [n, d] = self.features.dims();
        let [_, c] = self.weights.dims();
        let column = |tensor: &Tensor<2>| tensor.clone().slice([rows.clone(), 0..1]);
        let dense = |tensor: &Tensor<2>| match tensor.dims() {
            [1, _] if n > 1 => tensor.clone(),
            _ => tensor.clone().slice([rows.clone(), 0..c]),
        };
        let point = self.mass.point.as_ref();
        Inputs {
            features: self.features.clone().slice([rows.clone(), 0..d]),
            weights: self.weights.clone(),
            bias: self.bias.clone(),
            mass: TargetMass {
                point: point.map(|(labels, mass)| (labels.clone().slice([rows.clone(), 0..1]), column(mass))),
                dense: self.mass.dense.as_ref().map(dense),
                total: column(&self.mass.total),
            },
            sample_weights: column(&self.sample_weights),
            ignored: self.ignored.clone().map(|ignored| ignored.slice([rows.clone(), 0..1])),
            total_weight: self.total_weight.clone(),
        }
    }
}

impl TargetMass {
    /// The mass of the labels, of every class, or both. At least one must be given.
    fn new(point: Option<(Tensor<2, Int>, Tensor<2>)>, dense: Option<Tensor<2>>) -> Self {
        let spread = dense.clone().map(|dense| dense.sum_dim(1));
        let total = match (&point, spread) {
            (Some((_, masses)), Some(spread)) => masses.clone() + spread,
            (Some((_, masses)), None) => masses.clone(),
            (None, Some(spread)) => spread,
            (None, None) => unreachable!("targets are labels or dense"),
        };
        TargetMass { point, dense, total }
    }

    /// The mass a at one class per sample (N×1).
    pub(crate) fn at(&self, classes: &Tensor<2, Int>) -> Tensor<2> {
        let [n, _] = classes.dims();
        let mut mass = self.total.zeros_like();
        if let Some(dense) = &self.dense {
            let [_, c] = dense.dims();
            mass = mass + dense.clone().expand([n, c]).gather(1, classes.clone());
        }
        if let Some((labels, masses)) = &self.point {
            let elsewhere = labels.clone().not_equal(classes.clone());
            mass = mass + masses.clone().mask_fill(elsewhere, 0.0);
        }
        mass
    }
}
