//! The safetensors file of a model: the tensors `W` (D×C), `b` (C) if there is a bias, and `mean` and `deviation` (D,
//! f64) if features are standardised. The rest is JSON in the metadata, under the key `softmax`.

use crate::error::{FitError, Result};
use crate::model::Model;
use ndarray::{Array1, Array2};
use safetensors::tensor::{Dtype as StoredDtype, TensorView};
use safetensors::{SafeTensors, serialize};
use serde::{Deserialize, Serialize};
use softmax::{Dtype, Element, Objective, ndarray};
use softmax_data::{DataError, FeatureLayout, Standardization, write_atomically};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

/// The key in the file's metadata.
const KEY: &str = "softmax";
/// The version of the format; other versions are refused.
const VERSION: u32 = 1;

#[derive(Deserialize, Serialize)]
struct Metadata {
    version: u32,
    class_names: Option<Vec<String>>,
    objective: Options,
    #[serde(default)]
    layout: Layout,
}

/// [`FeatureLayout`]. Models that were written before there were layouts have none.
#[derive(Default, Deserialize, Serialize)]
struct Layout {
    columns: Option<Vec<String>>,
    label_column: Option<String>,
    label_index: Option<usize>,
    first_index: Option<u32>,
}

impl From<FeatureLayout> for Layout {
    fn from(layout: FeatureLayout) -> Self {
        let FeatureLayout { columns, label_column, label_index, first_index } = layout;
        Layout { columns, label_column, label_index, first_index }
    }
}

impl From<Layout> for FeatureLayout {
    fn from(layout: Layout) -> Self {
        let Layout { columns, label_column, label_index, first_index } = layout;
        FeatureLayout { columns, label_column, label_index, first_index }
    }
}

/// [`Objective`], with the name of the reduction.
#[derive(Deserialize, Serialize)]
struct Options {
    reduction: String,
    label_smoothing: f64,
    ignore_index: Option<i64>,
    l2: f64,
    z_loss: f64,
    softcap: Option<f64>,
    temperature: f64,
}

impl From<Objective> for Options {
    fn from(objective: Objective) -> Self {
        let Objective { reduction, label_smoothing, ignore_index, l2, z_loss, softcap, temperature } =
            objective;
        let reduction = reduction.name().to_owned();
        Options { reduction, label_smoothing, ignore_index, l2, z_loss, softcap, temperature }
    }
}

impl Options {
    fn objective(self) -> Option<Objective> {
        let Options { reduction, label_smoothing, ignore_index, l2, z_loss, softcap, temperature } = self;
        let reduction = reduction.parse().ok()?;
        let objective =
            Objective { reduction, label_smoothing, ignore_index, l2, z_loss, softcap, temperature };
        objective.check().is_ok().then_some(objective)
    }
}

impl<T: Element> Model<T> {
    /// Writes the model, to a complete file or none. The same model always gives the same bytes.
    ///
    /// # Errors
    /// [`FitError::Data`] naming the file.
    pub fn save(&self, path: &Path) -> Result<()> {
        let dtype = match T::DTYPE {
            Dtype::F32 => StoredDtype::F32,
            Dtype::F64 => StoredDtype::F64,
        };
        let weights = self.weights.as_standard_layout();
        let bias = self.bias.as_ref().map(|bias| bias.as_standard_layout());
        let mut tensors = vec![("W", dtype, weights.shape().to_vec(), T::as_bytes(slice(&weights)))];
        if let Some(bias) = &bias {
            tensors.push(("b", dtype, vec![bias.len()], T::as_bytes(slice(bias))));
        }
        if let Some(standardization) = &self.standardization {
            for (name, numbers) in
                [("mean", standardization.means()), ("deviation", standardization.deviations())]
            {
                tensors.push((name, StoredDtype::F64, vec![numbers.len()], f64::as_bytes(numbers)));
            }
        }
        let views = tensors
            .into_iter()
            .map(|(name, dtype, shape, bytes)| TensorView::new(dtype, shape, bytes).map(|view| (name, view)));
        let metadata = Metadata {
            version: VERSION,
            class_names: self.class_names.clone(),
            objective: self.objective.into(),
            layout: self.layout.clone().into(),
        };
        let write = || -> io::Result<Vec<u8>> {
            let views = views.collect::<Result<Vec<_>, _>>().map_err(io::Error::other)?;
            let metadata = HashMap::from([(KEY.to_owned(), serde_json::to_string(&metadata)?)]);
            serialize(views, Some(metadata)).map_err(io::Error::other)
        };
        let bytes = write().map_err(|source| DataError::Io { path: path.to_owned(), source })?;
        Ok(write_atomically(path, |out| out.write_all(&bytes))?)
    }

    /// Reads a model that was saved with this element type.
    ///
    /// # Errors
    /// [`FitError::NoModel`] if the file is not a model of this element type, [`FitError::Data`] if it cannot be read.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = read(path)?;
        let refuse = |found: &str| FitError::NoModel { path: path.to_owned(), found: found.to_owned() };
        let (tensors, metadata) = parse(path, &bytes)?;
        let numbers = |name: &str| numbers::<T>(path, &tensors, name);
        let (shape, weights) = numbers("W")?.ok_or_else(|| refuse("found no tensor W"))?;
        let &[d, c] = shape.as_slice() else { return Err(refuse("found a W without rows and columns")) };
        let weights =
            Array2::from_shape_vec((d, c), weights).map_err(|_| refuse("found a W of another size"))?;
        let bias = numbers("b")?.map(|(_, bias)| Array1::from(bias));
        let of_features = |name: &str| crate::file::numbers::<f64>(path, &tensors, name);
        let standardization = match (of_features("mean")?, of_features("deviation")?) {
            (Some((_, means)), Some((_, deviations))) => Some(Standardization::new(means, deviations)),
            (None, None) => None,
            _ => return Err(refuse("found one of mean and deviation without the other")),
        };
        let fits = c > 0
            && bias.as_ref().is_none_or(|bias| bias.len() == c)
            && standardization.as_ref().is_none_or(|s| s.means().len() == d && s.deviations().len() == d)
            // The last classes have no weights if all their samples are ignored.
            && metadata.class_names.as_ref().is_none_or(|names| names.len() >= c)
            && metadata.layout.columns.as_ref().is_none_or(|columns| columns.len() == d)
            && metadata.layout.first_index.is_none_or(|index| index <= 1);
        if !fits {
            return Err(refuse("found parts that do not fit together"));
        }
        let (class_names, layout) = (metadata.class_names, metadata.layout.into());
        let objective =
            metadata.objective.objective().ok_or_else(|| refuse("found options out of their ranges"))?;
        Ok(Model { weights, bias, objective, class_names, standardization, layout })
    }
}

/// The element type of the model in a file.
///
/// # Errors
/// As [`Model::load`].
pub fn dtype_of_model(path: &Path) -> Result<Dtype> {
    let bytes = read(path)?;
    let (tensors, _) = parse(path, &bytes)?;
    match tensors.tensor("W").map(|w| w.dtype()) {
        Ok(StoredDtype::F32) => Ok(Dtype::F32),
        Ok(StoredDtype::F64) => Ok(Dtype::F64),
        _ => Err(FitError::NoModel {
            path: path.to_owned(),
            found: "found no tensor W of f32 or f64".to_owned(),
        }),
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    Ok(fs::read(path).map_err(|source| DataError::Io { path: path.to_owned(), source })?)
}

fn parse<'b>(path: &Path, bytes: &'b [u8]) -> Result<(SafeTensors<'b>, Metadata)> {
    let refuse = |found: String| FitError::NoModel { path: path.to_owned(), found };
    let of_file = |error: safetensors::SafeTensorError| refuse(format!("found another file ({error})"));
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(of_file)?;
    let text = header.metadata().as_ref().and_then(|all| all.get(KEY));
    let text = text.ok_or_else(|| refuse("found tensors without the metadata of a model".to_owned()))?;
    let metadata: Metadata =
        serde_json::from_str(text).map_err(|error| refuse(format!("found invalid metadata ({error})")))?;
    if metadata.version != VERSION {
        return Err(refuse(format!("found a model of version {}", metadata.version)));
    }
    Ok((SafeTensors::deserialize(bytes).map_err(of_file)?, metadata))
}

/// The shape and numbers of a tensor. `Ok(None)` if the file has no tensor of this name.
fn numbers<E: Element>(
    path: &Path,
    tensors: &SafeTensors<'_>,
    name: &str,
) -> Result<Option<(Vec<usize>, Vec<E>)>> {
    let Ok(tensor) = tensors.tensor(name) else { return Ok(None) };
    let expected = match E::DTYPE {
        Dtype::F32 => StoredDtype::F32,
        Dtype::F64 => StoredDtype::F64,
    };
    let refuse = |found: String| Err(FitError::NoModel { path: path.to_owned(), found });
    if tensor.dtype() != expected {
        return refuse(format!("found a tensor {name} of {:?}", tensor.dtype()));
    }
    // The bytes may be unaligned, so each number is copied.
    let numbers: Vec<E> = tensor.data().chunks_exact(size_of::<E>()).map(number).collect();
    if name != "b" && numbers.iter().any(|number| !number.is_finite())
        || numbers.iter().any(|number| number.is_nan())
    {
        return refuse(format!("found a number in {name} that is not finite"));
    }
    Ok(Some((tensor.shape().to_vec(), numbers)))
}

fn number<E: Element>(bytes: &[u8]) -> E {
    match E::DTYPE {
        Dtype::F32 => E::narrow(f64::from(f32::from_le_bytes(bytes.try_into().unwrap_or_default()))),
        Dtype::F64 => E::narrow(f64::from_le_bytes(bytes.try_into().unwrap_or_default())),
    }
}

fn slice<'a, A, D: ndarray::Dimension>(array: &'a ndarray::CowArray<'_, A, D>) -> &'a [A] {
    array.as_slice().expect("an array in standard order")
}
