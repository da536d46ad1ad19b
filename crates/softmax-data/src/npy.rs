//! NumPy's `.npy`: a header in Python syntax, followed by the entries.
//! <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>

use crate::array::{FileArray, Header};
use crate::dataset::Dataset;
use crate::elements::{ElementType, Order};
use crate::error::{DataError, Result};
use crate::mapped::MappedFile;
use crate::options::ReadOptions;
use crate::stores::TargetStore;
use ndarray::Array1;
use softmax_core::{Element, ndarray};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// The longest accepted header, in bytes: more than an array of numbers needs.
const LONGEST_HEADER: usize = 4096;

/// Reads X (N×D); y (N) is `labels`, from another file.
pub(crate) fn read_npy<T: Element>(
    path: &Path,
    labels: Option<Array1<i64>>,
    options: &ReadOptions,
) -> Result<Dataset<T>> {
    let features = open(path)?;
    let samples = features.rows();
    let features = features.features(options.storage, options.limit)?;
    let origin = path.display().to_string();
    let targets = match labels {
        Some(labels) => TargetStore::Labels(labels),
        None if options.unlabelled.is_some() => TargetStore::None,
        None => return Err(DataError::NoLabels { origin, beside: None }),
    };
    Dataset::new(origin, features, targets).of_samples(samples)
}

/// Reads a file of labels (N).
pub(crate) fn read_npy_labels(path: &Path) -> Result<Array1<i64>> {
    open(path)?.integers()
}

/// Opens the array of a file. A regular file with entries is also mapped.
fn open(path: &Path) -> Result<FileArray<'static>> {
    let io = |source| DataError::Io { path: path.to_owned(), source };
    let origin = path.display().to_string();
    let file = File::open(path).map_err(io)?;
    let is_file = file.metadata().map_err(io)?.is_file();
    let mut array = read_header(Box::new(BufReader::new(file)), &origin, "array")?;
    // A pipe cannot be mapped, and an array without entries has nothing to map.
    if is_file && array.array.header.len().is_some_and(|len| len > 0) {
        let file = MappedFile::open(path)?;
        let entries = array.start..file.len();
        array.array.mapped = Some((file, entries));
    }
    Ok(array.array)
}

/// An array whose header has been read, and the offset of its first entry in bytes.
pub(crate) struct Opened<'r> {
    pub(crate) array: FileArray<'r>,
    pub(crate) start: usize,
}

/// Reads the header at the reader's position. Errors name `origin` and `name`.
pub(crate) fn read_header<'r>(
    mut reader: Box<dyn Read + 'r>,
    origin: &str,
    name: &str,
) -> Result<Opened<'r>> {
    let refuse = |found: String| DataError::field(origin, name, "an array as numpy.save writes it", found);
    let mut read = |bytes: &mut [u8]| {
        reader.read_exact(bytes).map_err(|_| refuse("the end of the file in its header".to_owned()))
    };
    let mut start = [0; 8];
    read(&mut start)?;
    let [magic @ .., major, _minor] = start;
    if &magic != b"\x93NUMPY" {
        return Err(refuse("no .npy signature".to_owned()));
    }
    let (length, before) = if major == 1 {
        let mut length = [0; 2];
        read(&mut length)?;
        (usize::from(u16::from_le_bytes(length)), 10)
    } else {
        let mut length = [0; 4];
        read(&mut length)?;
        (u32::from_le_bytes(length) as usize, 12)
    };
    if length > LONGEST_HEADER {
        return Err(refuse(format!("a header of {length} bytes")));
    }
    let mut text = vec![0; length];
    read(&mut text)?;
    let header = std::str::from_utf8(&text).ok().and_then(parse).ok_or_else(|| {
        let text: String = String::from_utf8_lossy(&text).chars().take(60).collect();
        refuse(format!("the header {}", text.trim().escape_debug()))
    })?;
    let header = header.map_err(|kind| {
        DataError::field(origin, name, "an array of numbers", format!("elements of type {kind}"))
    })?;
    let array = FileArray { origin: origin.to_owned(), name: name.to_owned(), header, reader, mapped: None };
    Ok(Opened { array, start: before + length })
}

/// Parses `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, with the three keys in any order. `Err`
/// holds the type if it is not numeric. Each key is searched once, so the time is linear in the text's length.
fn parse(text: &str) -> Option<Result<Header, String>> {
    let text = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let value = |key: &str| {
        let rest = text.split_once(&format!("'{key}'"))?.1.trim_start().strip_prefix(':')?;
        Some(rest.trim_start())
    };
    let by_columns = match value("fortran_order")? {
        rest if rest.starts_with("False") => false,
        rest if rest.starts_with("True") => true,
        _ => return None,
    };
    let sizes = value("shape")?.strip_prefix('(')?.split_once(')')?.0;
    let sizes = sizes.split(',').map(str::trim).filter(|size| !size.is_empty());
    let shape = sizes.map(|size| size.parse().ok()).collect::<Option<Vec<usize>>>()?;
    let Some(descr) = value("descr")?.strip_prefix('\'') else { return Some(Err("structures".to_owned())) };
    let descr = descr.split_once('\'')?.0;
    Some(match element(descr) {
        Some((element, order)) => {
            Ok(Header { element, kind: descr.get(1..)?.to_owned(), order, shape, by_columns })
        }
        None => Err(descr.to_owned()),
    })
}

/// Parses a NumPy type such as `<f4`. `None` if it is not numeric.
fn element(descr: &str) -> Option<(ElementType, Order)> {
    let order = match descr.chars().next()? {
        '<' | '|' => Order::Little,
        '>' => Order::Big,
        '=' => Order::NATIVE,
        _ => return None,
    };
    let element = match &descr[1..] {
        "b1" | "u1" => ElementType::U8,
        "i1" => ElementType::I8,
        "u2" => ElementType::U16,
        "i2" => ElementType::I16,
        "u4" => ElementType::U32,
        "i4" => ElementType::I32,
        "u8" => ElementType::U64,
        "i8" => ElementType::I64,
        "f2" => ElementType::F16,
        "f4" => ElementType::F32,
        "f8" => ElementType::F64,
        _ => return None,
    };
    Some((element, order))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_whatever_the_order_of_their_keys() {
        let header = parse("{'shape': (3, 4), 'fortran_order': True, 'descr': '>f8'}").unwrap().unwrap();
        assert_eq!((header.element, header.order), (ElementType::F64, Order::Big));
        assert_eq!((header.shape, header.by_columns), (vec![3, 4], true));
        let header = parse("{'descr': '<i2', 'fortran_order': False, 'shape': (), }   \n").unwrap().unwrap();
        assert!(header.shape.is_empty());
        let header = parse("{'descr': '|u1', 'fortran_order': False, 'shape': (7,), }").unwrap().unwrap();
        assert_eq!(header.shape, [7]);
        let structures = "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (7,), }";
        assert_eq!(parse(structures).unwrap().unwrap_err(), "structures");
        let object = "{'descr': '|O', 'fortran_order': False, 'shape': (7,), }";
        assert_eq!(parse(object).unwrap().unwrap_err(), "|O");
        for bad in ["", "{}", "{'descr': '<f4'", "{'descr': '<f4', 'fortran_order': 0, 'shape': (7,)}"] {
            assert!(parse(bad).is_none(), "{bad}");
        }
        let negative = "{'descr': '<f4', 'fortran_order': False, 'shape': (-7,), }";
        assert!(parse(negative).is_none());
    }

    #[test]
    fn nested_brackets_are_refused_in_linear_time() {
        let brackets = "(".repeat(4000);
        assert!(parse(&format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {brackets}}}")).is_none());
    }
}
