//! Safetensors files with the arrays of a problem or the outputs of an answer.

use half::{bf16, f16};
use safetensors::tensor::{Dtype as Kind, TensorView, View, serialize_to_file};
use safetensors::{SafeTensorError, SafeTensors};
use softmax_core::ndarray::{ArrayView, ArrayViewMut, Dimension};
use softmax_core::{Dtype, Element, Features, OutputKind, Outputs, OwnedOutputs, Problem, Targets, Weights};
use std::borrow::Cow;
use std::path::Path;
use zerocopy::IntoBytes;

/// An array to write to a file, in row-major order.
pub(crate) struct Tensor<'a> {
    kind: Kind,
    shape: Vec<usize>,
    data: Cow<'a, [u8]>,
}

impl View for Tensor<'_> {
    fn dtype(&self) -> Kind {
        self.kind
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.data)
    }

    fn data_len(&self) -> usize {
        self.data.len()
    }
}

pub(crate) type Named<'a> = (&'static str, Tensor<'a>);

/// Writes arrays to a new file.
pub(crate) fn write(tensors: Vec<Named<'_>>, path: &Path) -> Result<(), SafeTensorError> {
    serialize_to_file(tensors, None, path)
}

/// The number of bytes that the arrays take in a file, without its header.
pub(crate) fn size(tensors: &[Named<'_>]) -> usize {
    tensors.iter().map(|(_, tensor)| tensor.data.len()).sum()
}

pub(crate) const fn kind_of(dtype: Dtype) -> Kind {
    match dtype {
        Dtype::F32 => Kind::F32,
        Dtype::F64 => Kind::F64,
    }
}

/// Borrows an array that is contiguous in row-major order, and copies any other.
fn tensor<'a, A: Copy, D: Dimension>(
    kind: Kind,
    array: ArrayView<'a, A, D>,
    as_bytes: fn(&[A]) -> &[u8],
) -> Tensor<'a> {
    let data = match array.to_slice() {
        Some(numbers) => Cow::Borrowed(as_bytes(numbers)),
        None => Cow::Owned(as_bytes(&array.iter().copied().collect::<Vec<A>>()).to_vec()),
    };
    Tensor { kind, shape: array.shape().to_vec(), data }
}

fn numbers<'a, T: Element, D: Dimension>(array: ArrayView<'a, T, D>) -> Tensor<'a> {
    tensor(kind_of(T::DTYPE), array, T::as_bytes)
}

fn integers(shape: &[usize], values: impl Iterator<Item = i64>) -> Tensor<'static> {
    let values: Vec<i64> = values.collect();
    Tensor { kind: Kind::I64, shape: shape.to_vec(), data: Cow::Owned(values.as_bytes().to_vec()) }
}

fn counts<D: Dimension>(array: ArrayView<'_, usize, D>) -> Tensor<'static> {
    integers(array.shape(), array.iter().map(|&count| count as i64))
}

/// The arrays of a problem, by their names in the file.
pub(crate) fn of_problem<'a, T: Element>(problem: &Problem<'a, T>) -> Vec<Named<'a>> {
    let mut named = Vec::new();
    match problem.features() {
        Features::Dense(x) => named.push(("X", numbers(x))),
        Features::F16(x) => named.push(("X", tensor(Kind::F16, x, <[f16]>::as_bytes))),
        Features::Bf16(x) => named.push(("X", tensor(Kind::BF16, x, <[bf16]>::as_bytes))),
        Features::Csr(x) => {
            let rows = || (0..x.n_rows()).map(|i| x.row(i));
            let values: Vec<T> = rows().flat_map(|(_, values)| values).copied().collect();
            let data = Cow::Owned(T::as_bytes(&values).to_vec());
            named.push(("X_data", Tensor { kind: kind_of(T::DTYPE), shape: vec![values.len()], data }));
            let columns = rows().flat_map(|(columns, _)| columns).map(|&column| i64::from(column));
            named.push(("X_indices", integers(&[values.len()], columns)));
            let ends = rows().scan(0, |end, (columns, _)| {
                *end += columns.len() as i64;
                Some(*end)
            });
            named.push(("X_indptr", integers(&[x.n_rows() + 1], [0].into_iter().chain(ends))));
        }
    }
    named.push(match problem.weights() {
        Weights::Dense(w) => ("W", numbers(w)),
        Weights::F16(w) => ("W", tensor(Kind::F16, w, <[f16]>::as_bytes)),
        Weights::Bf16(w) => ("W", tensor(Kind::BF16, w, <[bf16]>::as_bytes)),
    });
    match problem.targets() {
        Targets::Labels(labels) => {
            // A label is a class or the `ignore_index`. Both fit in 64 bits.
            let values = (0..labels.len()).map(|i| labels.value(i) as i64);
            named.push(("y", integers(&[labels.len()], values)));
        }
        Targets::Soft(soft) => named.push(("Y", numbers(*soft))),
        Targets::None => {}
    }
    named.extend(problem.bias().map(|b| ("b", numbers(b))));
    named.extend(problem.class_weights().map(|w| ("class_weight", numbers(w))));
    named.extend(problem.sample_weights().map(|u| ("sample_weight", numbers(u))));
    named
}

/// The outputs that are present, by their symbols.
pub(crate) fn of_outputs<T: Element>(outputs: &OwnedOutputs<T>) -> Vec<Named<'_>> {
    let named = [
        (OutputKind::WeightsGradient, outputs.weights_gradient.as_ref().map(|a| numbers(a.view()))),
        (OutputKind::FeaturesGradient, outputs.features_gradient.as_ref().map(|a| numbers(a.view()))),
        (OutputKind::BiasGradient, outputs.bias_gradient.as_ref().map(|a| numbers(a.view()))),
        (OutputKind::SampleLosses, outputs.sample_losses.as_ref().map(|a| numbers(a.view()))),
        (OutputKind::LogSumExp, outputs.log_sum_exp.as_ref().map(|a| numbers(a.view()))),
        (OutputKind::Predicted, outputs.predicted.as_ref().map(|a| counts(a.view()))),
        (OutputKind::Entropy, outputs.entropy.as_ref().map(|a| numbers(a.view()))),
        (OutputKind::LabelLogProb, outputs.label_log_prob.as_ref().map(|a| numbers(a.view()))),
        (OutputKind::LabelRank, outputs.label_rank.as_ref().map(|a| counts(a.view()))),
        (OutputKind::TopClasses, outputs.top_classes.as_ref().map(|a| counts(a.view()))),
        (OutputKind::TopLogProb, outputs.top_log_prob.as_ref().map(|a| numbers(a.view()))),
    ];
    named.into_iter().filter_map(|(kind, tensor)| Some((kind.symbol(), tensor?))).collect()
}

/// An upper bound on the size in bytes of a file with the requested outputs.
pub(crate) fn most_bytes<T: Element>(problem: &Problem<'_, T>, outputs: &Outputs<'_, T>) -> usize {
    let (n, d, c) = (problem.n_samples(), problem.n_features(), problem.n_classes());
    let gradient = |kind: OutputKind, length: usize| if outputs.wants(kind) { length } else { 0 };
    let of_rows = n.saturating_mul(OutputKind::ALL.len() + 2 * outputs.top().unwrap_or(0));
    gradient(OutputKind::WeightsGradient, d.saturating_mul(c))
        .saturating_add(gradient(OutputKind::FeaturesGradient, n.saturating_mul(d)))
        .saturating_add(c)
        .saturating_add(of_rows)
        .saturating_mul(size_of::<f64>())
        .saturating_add(HEADER)
}

/// The bytes that are allowed for a file's header.
const HEADER: usize = 1 << 16;

/// Copies the arrays of an answer's file into the outputs. An error says what was expected and what was found.
pub(crate) fn read_outputs<T: Element>(
    file: &[u8],
    n_classes: usize,
    outputs: &mut Outputs<'_, T>,
) -> Result<(), String> {
    let file = SafeTensors::deserialize(file).map_err(|error| {
        format!("the answer: expected a file of safetensors, found one that is not: {error}")
    })?;
    let accumulate = outputs.accumulate;
    read_numbers(&file, OutputKind::WeightsGradient, &mut outputs.weights_gradient, accumulate)?;
    read_numbers(&file, OutputKind::FeaturesGradient, &mut outputs.features_gradient, false)?;
    read_numbers(&file, OutputKind::BiasGradient, &mut outputs.bias_gradient, accumulate)?;
    read_numbers(&file, OutputKind::SampleLosses, &mut outputs.sample_losses, false)?;
    read_numbers(&file, OutputKind::LogSumExp, &mut outputs.log_sum_exp, false)?;
    read_numbers(&file, OutputKind::Entropy, &mut outputs.entropy, false)?;
    read_numbers(&file, OutputKind::LabelLogProb, &mut outputs.label_log_prob, false)?;
    read_numbers(&file, OutputKind::TopLogProb, &mut outputs.top_log_prob, false)?;
    read_counts(&file, OutputKind::Predicted, &mut outputs.predicted, n_classes - 1)?;
    read_counts(&file, OutputKind::TopClasses, &mut outputs.top_classes, n_classes - 1)?;
    read_counts(&file, OutputKind::LabelRank, &mut outputs.label_rank, n_classes)
}

fn read_numbers<T: Element, D: Dimension>(
    file: &SafeTensors<'_>,
    kind: OutputKind,
    view: &mut Option<ArrayViewMut<'_, T, D>>,
    accumulate: bool,
) -> Result<(), String> {
    let Some(view) = view else { return Ok(()) };
    let tensor = find(file, kind.symbol(), kind_of(T::DTYPE), view.shape())?;
    let numbers = numbers_of::<T>(tensor.data());
    let numbers = view.iter_mut().zip(numbers.iter());
    if accumulate {
        numbers.for_each(|(to, &from)| *to += from);
    } else {
        numbers.for_each(|(to, &from)| *to = from);
    }
    Ok(())
}

fn read_counts<D: Dimension>(
    file: &SafeTensors<'_>,
    kind: OutputKind,
    view: &mut Option<ArrayViewMut<'_, usize, D>>,
    most: usize,
) -> Result<(), String> {
    let Some(view) = view else { return Ok(()) };
    let tensor = find(file, kind.symbol(), Kind::I64, view.shape())?;
    for (to, from) in view.iter_mut().zip(integers_of(tensor.data())) {
        *to = usize::try_from(from)
            .ok()
            .filter(|&count| count <= most)
            .ok_or_else(|| format!("{}: expected integers from 0 to {most}, found {from}", kind.symbol()))?;
    }
    Ok(())
}

/// Finds an array by its name, and checks its type and shape.
fn find<'f>(
    file: &SafeTensors<'f>,
    name: &str,
    kind: Kind,
    shape: &[usize],
) -> Result<TensorView<'f>, String> {
    let expected = || format!("{name}: expected {kind} of shape {shape:?}");
    let tensor = file.tensor(name).map_err(|_| format!("{}, found no such array", expected()))?;
    if tensor.dtype() != kind || tensor.shape() != shape {
        return Err(format!("{}, found {} of shape {:?}", expected(), tensor.dtype(), tensor.shape()));
    }
    Ok(tensor)
}

/// The numbers of an array in a file, which are little-endian. Borrows them if byte order and alignment allow it.
pub(crate) fn numbers_of<T: Element>(bytes: &[u8]) -> Cow<'_, [T]> {
    if let (true, Some(numbers)) = (cfg!(target_endian = "little"), T::of_bytes(bytes)) {
        return Cow::Borrowed(numbers);
    }
    // The machine is big-endian, or the bytes are not aligned.
    Cow::Owned(match T::DTYPE {
        Dtype::F32 => each(bytes, |x| T::narrow(f32::from_le_bytes(x).into())),
        Dtype::F64 => each(bytes, |x| T::narrow(f64::from_le_bytes(x))),
    })
}

pub(crate) fn integers_of(bytes: &[u8]) -> Vec<i64> {
    each(bytes, i64::from_le_bytes)
}

fn each<const SIZE: usize, A>(bytes: &[u8], number: impl Fn([u8; SIZE]) -> A) -> Vec<A> {
    bytes.as_chunks().0.iter().map(|&chunk| number(chunk)).collect()
}
