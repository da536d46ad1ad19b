//! safetensors: a header in JSON, and tensors one after the other.
//! <https://huggingface.co/docs/safetensors>

use crate::elements::{ElementType, Order, read_integers, read_numbers};
use crate::error::{DataError, Result};
use crate::named::{NamedArrays, axes, one_line};
use ndarray::{Array, Array1, Dimension, Ix1, IxDyn};
use safetensors::tensor::Metadata;
use safetensors::{Dtype, SafeTensors};
use softmax_core::{Element, ndarray};
use std::path::{Path, PathBuf};

/// A file's bytes, and which tensors lie where in them.
pub(crate) struct SafetensorsFile {
    path: PathBuf,
    bytes: Vec<u8>,
    header: Metadata,
    /// Where the tensors begin.
    data: usize,
    names: Vec<String>,
}

impl SafetensorsFile {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|source| DataError::Io { path: path.to_owned(), source })?;
        let (length, header) = SafeTensors::read_metadata(&bytes).map_err(|error| DataError::File {
            path: path.to_owned(),
            expected: "a safetensors file",
            found: one_line(&error.to_string()),
        })?;
        let mut names: Vec<String> = header.tensors().into_keys().collect();
        names.sort_unstable();
        // The header's length comes first, in eight bytes.
        Ok(SafetensorsFile { path: path.to_owned(), data: size_of::<u64>() + length, bytes, header, names })
    }

    fn read<E, D: Dimension>(
        &self,
        name: &str,
        wanted: &str,
        read: impl FnOnce(&[u8], ElementType, usize) -> Option<Vec<E>>,
    ) -> Result<Array<E, D>> {
        let unreadable = |found: String| self.field(name, wanted, &found);
        let tensor = self.header.info(name).ok_or_else(|| unreadable(self.inventory()))?;
        let of_type = || unreadable(format!("elements of type {:?}", tensor.dtype));
        let element = match tensor.dtype {
            Dtype::BOOL | Dtype::U8 => ElementType::U8,
            Dtype::I8 => ElementType::I8,
            Dtype::U16 => ElementType::U16,
            Dtype::I16 => ElementType::I16,
            Dtype::U32 => ElementType::U32,
            Dtype::I32 => ElementType::I32,
            Dtype::U64 => ElementType::U64,
            Dtype::I64 => ElementType::I64,
            Dtype::F16 => ElementType::F16,
            Dtype::BF16 => ElementType::Bf16,
            Dtype::F32 => ElementType::F32,
            Dtype::F64 => ElementType::F64,
            _ => return Err(of_type()),
        };
        let (start, end) = tensor.data_offsets;
        let data = self.bytes.get(self.data + start..self.data + end).unwrap_or(&[]);
        let entries = read(data, element, data.len() / element.size()).ok_or_else(of_type)?;
        let array = Array::from_shape_vec(IxDyn(&tensor.shape), entries);
        let array = array.map_err(|error| unreadable(error.to_string()))?;
        array.into_dimensionality().map_err(|_| unreadable(axes(Some(tensor.shape.len()))))
    }
}

impl NamedArrays for SafetensorsFile {
    fn origin(&self) -> String {
        self.path.display().to_string()
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    fn numbers<T: Element, D: Dimension>(&mut self, name: &str) -> Result<Array<T, D>> {
        let wanted = format!("a tensor of numbers with {}", axes(D::NDIM));
        self.read(name, &wanted, |data, element, len| read_numbers(data, element, Order::Little, len).ok())
    }

    fn integers(&mut self, name: &str) -> Result<Array1<i64>> {
        self.read::<i64, Ix1>(name, "a tensor of integers below 2^63 with 1 axis", |data, element, len| {
            read_integers(data, element, Order::Little, len).ok().flatten()
        })
    }
}
