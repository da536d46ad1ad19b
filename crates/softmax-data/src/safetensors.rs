//! safetensors: a JSON header, followed by the tensors.
//! <https://huggingface.co/docs/safetensors>

use crate::array::{FileArray, Header, one_line};
use crate::elements::{ElementType, Order};
use crate::error::{DataError, Result};
use crate::mapped::MappedFile;
use crate::named::NamedArrays;
use safetensors::tensor::Metadata;
use safetensors::{Dtype, SafeTensors};
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// A mapped file, with the places of its tensors.
pub(crate) struct SafetensorsFile {
    path: PathBuf,
    file: MappedFile,
    header: Metadata,
    /// The offset of the first tensor, in bytes.
    data: usize,
    names: Vec<String>,
}

impl SafetensorsFile {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let refuse = |found| DataError::File { path: path.to_owned(), expected: "a safetensors file", found };
        if std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() == 0) {
            return Err(refuse("found an empty file".to_owned()));
        }
        let file = MappedFile::open(path)?;
        let (length, header) =
            SafeTensors::read_metadata(&file).map_err(|error| refuse(one_line(&error.to_string())))?;
        let mut names: Vec<String> = header.tensors().into_keys().collect();
        names.sort_unstable();
        // The file begins with the header's length, in eight bytes.
        Ok(SafetensorsFile { path: path.to_owned(), data: size_of::<u64>() + length, file, header, names })
    }
}

impl NamedArrays for SafetensorsFile {
    fn origin(&self) -> String {
        self.path.display().to_string()
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    fn open(&mut self, name: &str) -> Result<FileArray<'_>> {
        let tensor =
            self.header.info(name).ok_or_else(|| self.refuse(name, "a tensor", &self.inventory()))?;
        let kind = format!("{:?}", tensor.dtype);
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
            _ => return Err(self.refuse(name, "a tensor of numbers", &format!("elements of type {kind}"))),
        };
        let (start, end) = (self.data + tensor.data_offsets.0, self.data + tensor.data_offsets.1);
        let entries = self.file.get(start..end).unwrap_or(&[]);
        Ok(FileArray {
            origin: self.origin(),
            name: name.to_owned(),
            header: Header {
                element,
                kind,
                order: Order::Little,
                shape: tensor.shape.clone(),
                by_columns: false,
            },
            reader: Box::new(Cursor::new(entries)),
            mapped: Some((self.file.clone(), start..end)),
        })
    }
}
