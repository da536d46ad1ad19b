//! How the entries of an npy array are read: any of NumPy's integer and float types as the number that is
//! wanted, in pieces, so that a header that lies about the size costs no more memory than the file has data.

use ndarray_npy::{ReadDataError, ReadableElement};
use py_literal::Value;
use softmax_core::Element;
use std::cell::Cell;
use std::io::Read;

/// A number of any type, rounded to `T`.
#[derive(Clone, Copy)]
pub(crate) struct Number<T>(pub(crate) T);

/// An integer.
#[derive(Clone, Copy)]
pub(crate) struct Integer(pub(crate) i64);

/// Refuses every type, so that the refusal tells which it is.
#[derive(Clone, Copy)]
pub(crate) struct Unread;

const PIECE: usize = 1 << 16;

impl<T: Element> ReadableElement for Number<T> {
    fn read_to_end_exact_vec<R: Read>(
        reader: R,
        kind: &Value,
        len: usize,
    ) -> Result<Vec<Self>, ReadDataError> {
        let narrow = |x: f64| Number(T::narrow(x));
        match name(kind)? {
            ("f4", order) => read(reader, len, |b| narrow(f64::from(f32::from_le_bytes(ordered(b, order))))),
            ("f8", order) => read(reader, len, |b| narrow(f64::from_le_bytes(ordered(b, order)))),
            (kind, order) => {
                let numbers = integers(reader, kind, order, len, |i| narrow(i as f64))?;
                numbers.ok_or_else(|| refuse("integers, float32 or float64", kind))
            }
        }
    }
}

impl ReadableElement for Integer {
    fn read_to_end_exact_vec<R: Read>(
        reader: R,
        kind: &Value,
        len: usize,
    ) -> Result<Vec<Self>, ReadDataError> {
        let (kind, order) = name(kind)?;
        let too_large = Cell::new(None);
        let narrow = |x: i128| {
            Integer(i64::try_from(x).unwrap_or_else(|_| {
                too_large.set(Some(x));
                0
            }))
        };
        let integers = integers(reader, kind, order, len, narrow)?.ok_or_else(|| refuse("integers", kind))?;
        match too_large.get() {
            None => Ok(integers),
            Some(x) => Err(ReadDataError::ParseData(format!("integers below 2^63, found {x}").into())),
        }
    }
}

impl ReadableElement for Unread {
    fn read_to_end_exact_vec<R: Read>(_: R, kind: &Value, _: usize) -> Result<Vec<Self>, ReadDataError> {
        Err(ReadDataError::WrongDescriptor(kind.clone()))
    }
}

/// Whether the bytes stand in the other order than the little-endian one.
#[derive(Clone, Copy)]
struct BigEndian(bool);

/// Splits NumPy's `<f4` into what and in which order.
fn name(kind: &Value) -> Result<(&str, BigEndian), ReadDataError> {
    let text = match kind {
        Value::String(text) => text,
        _ => return Err(ReadDataError::WrongDescriptor(kind.clone())),
    };
    let native_big = cfg!(target_endian = "big");
    match text.as_bytes().first() {
        Some(b'<' | b'|') => Ok((&text[1..], BigEndian(false))),
        Some(b'>') => Ok((&text[1..], BigEndian(true))),
        Some(b'=') => Ok((&text[1..], BigEndian(native_big))),
        _ => Err(ReadDataError::WrongDescriptor(kind.clone())),
    }
}

/// Entries of an integer type; `None` for any other.
fn integers<R: Read, E>(
    reader: R,
    kind: &str,
    order: BigEndian,
    len: usize,
    entry: impl Fn(i128) -> E,
) -> Result<Option<Vec<E>>, ReadDataError> {
    let entries = match kind {
        "b1" | "u1" => read(reader, len, |[b]| entry(i128::from(b))),
        "i1" => read(reader, len, |b| entry(i128::from(i8::from_le_bytes(b)))),
        "i2" => read(reader, len, |b| entry(i128::from(i16::from_le_bytes(ordered(b, order))))),
        "u2" => read(reader, len, |b| entry(i128::from(u16::from_le_bytes(ordered(b, order))))),
        "i4" => read(reader, len, |b| entry(i128::from(i32::from_le_bytes(ordered(b, order))))),
        "u4" => read(reader, len, |b| entry(i128::from(u32::from_le_bytes(ordered(b, order))))),
        "i8" => read(reader, len, |b| entry(i128::from(i64::from_le_bytes(ordered(b, order))))),
        "u8" => read(reader, len, |b| entry(i128::from(u64::from_le_bytes(ordered(b, order))))),
        _ => return Ok(None),
    };
    entries.map(Some)
}

fn ordered<const SIZE: usize>(mut bytes: [u8; SIZE], order: BigEndian) -> [u8; SIZE] {
    if order.0 {
        bytes.reverse();
    }
    bytes
}

/// Reads `len` entries of `SIZE` bytes, and no more than the file has.
fn read<const SIZE: usize, E>(
    mut reader: impl Read,
    len: usize,
    entry: impl Fn([u8; SIZE]) -> E,
) -> Result<Vec<E>, ReadDataError> {
    let mut entries = Vec::new();
    let mut piece = vec![0; PIECE.min(len).max(1) * SIZE];
    while entries.len() < len {
        let bytes = &mut piece[..(len - entries.len()).min(PIECE) * SIZE];
        reader.read_exact(bytes)?;
        let (chunks, _) = bytes.as_chunks::<SIZE>();
        entries.extend(chunks.iter().map(|&chunk| entry(chunk)));
    }
    let mut extra = 0;
    loop {
        match reader.read(&mut piece)? {
            0 if extra == 0 => return Ok(entries),
            0 => return Err(ReadDataError::ExtraBytes(extra)),
            more => extra += more,
        }
    }
}

fn refuse(expected: &str, found: &str) -> ReadDataError {
    ReadDataError::ParseData(format!("{expected}, found elements of type {found}").into())
}
