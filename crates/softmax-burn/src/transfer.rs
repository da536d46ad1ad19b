//! Arrays to tensors and back.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2};
use softmax_core::{Dtype, Element, Error, Problem, Reduction, Result, Targets, ndarray};

/// A problem's arrays on a device, vectors as columns (N×1) or rows (1×C) so that they broadcast.
pub(crate) struct Tensors {
    /// N×D
    pub(crate) features: Tensor<2>,
    /// D×C
    pub(crate) weights: Tensor<2>,
    /// 1×C
    pub(crate) bias: Option<Tensor<2>>,
    pub(crate) mass: TargetMass,
    /// u, with 0 for ignored samples (N×1).
    pub(crate) sample_weights: Tensor<2>,
    /// 1 for samples that are ignored, if any is (N×1).
    pub(crate) ignored: Option<Tensor<2>>,
}

/// a_ic = point_i·[c = label_i] + dense_ic.
pub(crate) struct TargetMass {
    /// Labels and their mass (N×1); an ignored sample's is class 0, with mass 0.
    pub(crate) point: Option<(Tensor<2, Int>, Tensor<2>)>,
    /// 1×C where it is the same for every sample, else N×C.
    pub(crate) dense: Option<Tensor<2>>,
    /// A (N×1).
    pub(crate) total: Tensor<2>,
}

impl Tensors {
    pub(crate) fn upload<T: Element>(problem: &Problem<'_, T>, device: &Device) -> Self {
        let n = problem.n_samples();
        let ignored: Vec<bool> = match problem.targets() {
            Targets::Labels(labels) => labels.iter().map(|&y| problem.is_ignored(y)).collect(),
            Targets::Soft(_) => vec![false; n],
        };
        let sample_weight = |i: usize| {
            let weight = problem.sample_weights().map_or(T::one(), |u| u[i]);
            if ignored[i] { T::zero() } else { weight }
        };
        let flags = || ignored.iter().map(|&ignored| if ignored { T::one() } else { T::zero() }).collect();
        Tensors {
            features: matrix(problem.features(), device),
            weights: matrix(problem.weights(), device),
            bias: problem.bias().map(|b| tensor(b.to_vec(), [1, b.len()], device)),
            mass: TargetMass::upload(problem, device),
            sample_weights: tensor((0..n).map(sample_weight).collect(), [n, 1], device),
            ignored: ignored.contains(&true).then(|| tensor(flags(), [n, 1], device)),
        }
    }
}

impl TargetMass {
    fn upload<T: Element>(problem: &Problem<'_, T>, device: &Device) -> Self {
        let (n, c) = (problem.n_samples(), problem.n_classes());
        let smoothing = problem.objective().label_smoothing;
        let (kept, spread) = (1.0 - smoothing, smoothing / c as f64);
        let class_weight = |c: usize| problem.class_weights().map_or(T::one(), |w| w[c]);
        let class_weights = tensor((0..c).map(class_weight).collect(), [1, c], device);
        let (point, dense) = match problem.targets() {
            Targets::Labels(labels) => {
                let class = |y: &usize| if problem.is_ignored(*y) { 0 } else { *y };
                let mass = |y: &usize| {
                    if problem.is_ignored(*y) { T::zero() } else { T::narrow(kept) * class_weight(*y) }
                };
                let classes: Vec<i64> = labels.iter().map(|y| class(y) as i64).collect();
                let classes = Tensor::from_data(TensorData::new(classes, [n, 1]), device);
                let masses = tensor(labels.iter().map(mass).collect(), [n, 1], device);
                let dense = (smoothing > 0.0).then(|| class_weights * spread);
                (Some((classes, masses)), dense)
            }
            Targets::Soft(soft) => (None, Some((matrix(*soft, device) * kept + spread) * class_weights)),
        };
        let spread_mass = dense.clone().map(|dense| dense.sum_dim(1).expand([n, 1]));
        let total = match (&point, spread_mass) {
            (Some((_, masses)), Some(dense)) => masses.clone() + dense,
            (Some((_, masses)), None) => masses.clone(),
            (None, Some(dense)) => dense,
            (None, None) => unreachable!("targets are labels or dense"),
        };
        TargetMass { point, dense, total }
    }

    /// a at one class per sample (N×1).
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

/// Ω, in f64, on the host.
pub(crate) fn total_weight<T: Element>(problem: &Problem<'_, T>) -> f64 {
    if problem.objective().reduction == Reduction::Sum {
        return 1.0;
    }
    let sample_weight = |i: usize| problem.sample_weights().map_or(1.0, |u| u[i].widen());
    let class_weight = |y: usize| problem.class_weights().map_or(1.0, |w| w[y].widen());
    match problem.targets() {
        Targets::Labels(labels) => labels
            .indexed_iter()
            .filter(|&(_, &y)| !problem.is_ignored(y))
            .map(|(i, &y)| sample_weight(i) * class_weight(y))
            .sum(),
        Targets::Soft(_) => (0..problem.n_samples()).map(sample_weight).sum(),
    }
}

/// How many samples that count have their label as the predicted class.
pub(crate) fn count_correct<T: Element>(problem: &Problem<'_, T>, predicted: &[usize]) -> Option<usize> {
    match problem.targets() {
        Targets::Labels(labels) => {
            let right = |(y, predicted): &(&usize, &usize)| y == predicted && !problem.is_ignored(**y);
            Some(labels.iter().zip(predicted).filter(right).count())
        }
        Targets::Soft(_) => None,
    }
}

fn dtype<T: Element>() -> DType {
    match T::DTYPE {
        Dtype::F32 => DType::F32,
        Dtype::F64 => DType::F64,
    }
}

fn tensor<T: Element>(values: Vec<T>, shape: [usize; 2], device: &Device) -> Tensor<2> {
    // `T` is one of two types, and `TensorData` asks for Burn's own trait: go by the name.
    let data = match T::DTYPE {
        Dtype::F32 => TensorData::new(values.iter().map(|x| x.widen() as f32).collect(), shape),
        Dtype::F64 => TensorData::new(values.iter().map(|x| x.widen()).collect(), shape),
    };
    Tensor::from_data(data, (device, dtype::<T>()))
}

fn matrix<T: Element>(view: ArrayView2<'_, T>, device: &Device) -> Tensor<2> {
    let (rows, columns) = view.dim();
    tensor(view.iter().copied().collect(), [rows, columns], device)
}

fn download<T: Element>(tensor: Tensor<2>, backend: &str) -> Result<Vec<T>> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| Error::Backend {
        backend: backend.to_owned(),
        message: "could not read a tensor back from the device".to_owned(),
        source: Some(error),
    };
    match T::DTYPE {
        Dtype::F32 => {
            let values: Vec<f32> = tensor.try_into_vec_as().map_err(|e| failed(e.to_string().into()))?;
            Ok(values.into_iter().map(|x| T::narrow(f64::from(x))).collect())
        }
        Dtype::F64 => {
            let values: Vec<f64> = tensor.try_into_vec_as().map_err(|e| failed(e.to_string().into()))?;
            Ok(values.into_iter().map(T::narrow).collect())
        }
    }
}

/// Copies a tensor into a matrix of its shape.
pub(crate) fn download_matrix<T: Element>(
    tensor: Tensor<2>,
    out: &mut ArrayViewMut2<'_, T>,
    backend: &str,
) -> Result<()> {
    let values = download::<T>(tensor, backend)?;
    let shape = out.dim();
    out.assign(&ArrayView2::from_shape(shape, &values).expect("a tensor of the output's shape"));
    Ok(())
}

/// Copies a column or row into a vector.
pub(crate) fn download_vector<T: Element>(
    tensor: Tensor<2>,
    out: &mut ArrayViewMut1<'_, T>,
    backend: &str,
) -> Result<()> {
    out.assign(&ArrayView1::from(&download::<T>(tensor, backend)?));
    Ok(())
}

/// The values of a column, widened.
pub(crate) fn download_f64<T: Element>(tensor: Tensor<2>, backend: &str) -> Result<Vec<f64>> {
    Ok(download::<T>(tensor, backend)?.into_iter().map(T::widen).collect())
}

/// Class numbers.
pub(crate) fn download_classes(tensor: Tensor<2, Int>, backend: &str) -> Result<Vec<usize>> {
    let classes: Vec<i64> = tensor.try_into_vec_as().map_err(|error| Error::Backend {
        backend: backend.to_owned(),
        message: "could not read the predicted classes back from the device".to_owned(),
        source: Some(error.to_string().into()),
    })?;
    Ok(classes.into_iter().map(|class| class as usize).collect())
}
