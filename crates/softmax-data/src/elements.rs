//! Numbers of any type as files have them, as the numbers that are wanted: read in pieces, so that a header that lies
//! about the size costs no more memory than the file has data.

use half::{bf16, f16};
use softmax_core::Element;
use std::io::{self, Read};

/// What an entry is in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ElementType {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    Bf16,
    F32,
    F64,
}

/// In which order the bytes of an entry stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Little,
    Big,
}

impl ElementType {
    /// Bytes of an entry.
    pub(crate) fn size(self) -> usize {
        match self {
            ElementType::U8 | ElementType::I8 => 1,
            ElementType::U16 | ElementType::I16 | ElementType::F16 | ElementType::Bf16 => 2,
            ElementType::U32 | ElementType::I32 | ElementType::F32 => 4,
            ElementType::U64 | ElementType::I64 | ElementType::F64 => 8,
        }
    }
}

/// `len` numbers, rounded to `T` where they are wider.
pub(crate) fn read_numbers<T: Element>(
    reader: impl Read,
    element: ElementType,
    order: Order,
    len: usize,
) -> io::Result<Vec<T>> {
    let to = T::narrow;
    match element {
        ElementType::U8 => read(reader, order, len, |[b]| to(f64::from(b))),
        ElementType::I8 => read(reader, order, len, |b| to(f64::from(i8::from_le_bytes(b)))),
        ElementType::U16 => read(reader, order, len, |b| to(f64::from(u16::from_le_bytes(b)))),
        ElementType::I16 => read(reader, order, len, |b| to(f64::from(i16::from_le_bytes(b)))),
        ElementType::U32 => read(reader, order, len, |b| to(f64::from(u32::from_le_bytes(b)))),
        ElementType::I32 => read(reader, order, len, |b| to(f64::from(i32::from_le_bytes(b)))),
        ElementType::U64 => read(reader, order, len, |b| to(u64::from_le_bytes(b) as f64)),
        ElementType::I64 => read(reader, order, len, |b| to(i64::from_le_bytes(b) as f64)),
        ElementType::F16 => read(reader, order, len, |b| to(f16::from_le_bytes(b).to_f64())),
        ElementType::Bf16 => read(reader, order, len, |b| to(bf16::from_le_bytes(b).to_f64())),
        ElementType::F32 => read(reader, order, len, |b| to(f64::from(f32::from_le_bytes(b)))),
        ElementType::F64 => read(reader, order, len, |b| to(f64::from_le_bytes(b))),
    }
}

/// `len` integers; `Ok(None)` where the entries are none, and an error of [`io::ErrorKind::InvalidData`] for one that is
/// 2^63 or more.
pub(crate) fn read_integers(
    reader: impl Read,
    element: ElementType,
    order: Order,
    len: usize,
) -> io::Result<Option<Vec<i64>>> {
    let integers = match element {
        ElementType::U8 => read(reader, order, len, |[b]| i64::from(b))?,
        ElementType::I8 => read(reader, order, len, |b| i64::from(i8::from_le_bytes(b)))?,
        ElementType::U16 => read(reader, order, len, |b| i64::from(u16::from_le_bytes(b)))?,
        ElementType::I16 => read(reader, order, len, |b| i64::from(i16::from_le_bytes(b)))?,
        ElementType::U32 => read(reader, order, len, |b| i64::from(u32::from_le_bytes(b)))?,
        ElementType::I32 => read(reader, order, len, |b| i64::from(i32::from_le_bytes(b)))?,
        ElementType::I64 => read(reader, order, len, i64::from_le_bytes)?,
        ElementType::U64 => {
            let unsigned = read(reader, order, len, u64::from_le_bytes)?;
            let signed = unsigned.iter().map(|&x| i64::try_from(x).map_err(|_| x));
            signed.collect::<Result<_, _>>().map_err(|x| {
                io::Error::new(io::ErrorKind::InvalidData, format!("integers below 2^63, found {x}"))
            })?
        }
        ElementType::F16 | ElementType::Bf16 | ElementType::F32 | ElementType::F64 => return Ok(None),
    };
    Ok(Some(integers))
}

/// Reads `len` entries of `SIZE` bytes, and no more than the file has.
fn read<const SIZE: usize, E>(
    mut reader: impl Read,
    order: Order,
    len: usize,
    entry: impl Fn([u8; SIZE]) -> E,
) -> io::Result<Vec<E>> {
    const PIECE: usize = 1 << 16;
    let mut entries = Vec::new();
    let mut piece = vec![0; PIECE.min(len) * SIZE];
    while entries.len() < len {
        let bytes = &mut piece[..(len - entries.len()).min(PIECE) * SIZE];
        reader.read_exact(bytes)?;
        let (chunks, _) = bytes.as_chunks::<SIZE>();
        match order {
            Order::Little => entries.extend(chunks.iter().map(|&chunk| entry(chunk))),
            Order::Big => entries.extend(chunks.iter().map(|&(mut chunk)| {
                chunk.reverse();
                entry(chunk)
            })),
        }
    }
    Ok(entries)
}

/// An integer of a text, written as one or as a float.
pub(crate) fn whole(text: &str) -> Option<i64> {
    // Every float below is exact as an integer.
    const EXACT: f64 = (1u64 << 53) as f64;
    text.strip_prefix('+').unwrap_or(text).parse().ok().or_else(|| {
        let number: f64 = text.parse().ok()?;
        (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64)
    })
}
