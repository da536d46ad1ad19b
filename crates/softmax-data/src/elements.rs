//! Reads the entries of arrays in any element type, converted to the requested type. They are read in pieces, so that
//! a header with a false size costs no more memory than the file has data.

use half::{bf16, f16};
use softmax_core::{Dtype, Element};
use std::io::{self, Read};

/// The type of an entry in the file.
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

/// The byte order of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Little,
    Big,
}

impl Order {
    /// The machine's byte order.
    pub(crate) const NATIVE: Order = if cfg!(target_endian = "big") { Order::Big } else { Order::Little };
}

/// Which numbers an array may contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admit {
    Finite,
    /// A bias of −∞ masks its class.
    FiniteOrMask,
    Any,
}

impl Admit {
    pub(crate) fn admits<T: Element>(self, x: T) -> bool {
        match self {
            Admit::Finite => x.is_finite(),
            Admit::FiniteOrMask => x.is_finite() || x == T::neg_infinity(),
            Admit::Any => true,
        }
    }

    /// The numbers in words, for messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Admit::Finite => "finite numbers",
            Admit::FiniteOrMask => "finite numbers or -inf",
            Admit::Any => "numbers",
        }
    }
}

/// Why entries could not be read.
#[derive(Debug)]
pub(crate) enum ReadError {
    Io(io::Error),
    /// An entry that is not admitted, with its value in the file. A finite value overflows the element type.
    Entry {
        position: usize,
        value: f64,
    },
    /// An integer above `i64::MAX`, the largest label.
    Integer(u64),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        ReadError::Io(error)
    }
}

impl ElementType {
    /// The type of entries of `T`.
    pub(crate) fn of<T: Element>() -> Self {
        match T::DTYPE {
            Dtype::F32 => ElementType::F32,
            Dtype::F64 => ElementType::F64,
        }
    }

    /// The size of an entry in bytes.
    pub(crate) fn size(self) -> usize {
        match self {
            ElementType::U8 | ElementType::I8 => 1,
            ElementType::U16 | ElementType::I16 | ElementType::F16 | ElementType::Bf16 => 2,
            ElementType::U32 | ElementType::I32 | ElementType::F32 => 4,
            ElementType::U64 | ElementType::I64 | ElementType::F64 => 8,
        }
    }
}

/// Reads `len` numbers, rounded to `T` if the file's type is wider. The first one that is not admitted is an error.
pub(crate) fn read_numbers<T: Element>(
    reader: impl Read,
    element: ElementType,
    order: Order,
    len: usize,
    admit: Admit,
) -> Result<Vec<T>, ReadError> {
    match element {
        ElementType::U8 => narrowed(reader, order, len, |[b]| f64::from(b), admit),
        ElementType::I8 => narrowed(reader, order, len, |b| f64::from(i8::from_le_bytes(b)), admit),
        ElementType::U16 => narrowed(reader, order, len, |b| f64::from(u16::from_le_bytes(b)), admit),
        ElementType::I16 => narrowed(reader, order, len, |b| f64::from(i16::from_le_bytes(b)), admit),
        ElementType::U32 => narrowed(reader, order, len, |b| f64::from(u32::from_le_bytes(b)), admit),
        ElementType::I32 => narrowed(reader, order, len, |b| f64::from(i32::from_le_bytes(b)), admit),
        ElementType::U64 => narrowed(reader, order, len, |b| u64::from_le_bytes(b) as f64, admit),
        ElementType::I64 => narrowed(reader, order, len, |b| i64::from_le_bytes(b) as f64, admit),
        ElementType::F16 => narrowed(reader, order, len, |b| f16::from_le_bytes(b).to_f64(), admit),
        ElementType::Bf16 => narrowed(reader, order, len, |b| bf16::from_le_bytes(b).to_f64(), admit),
        ElementType::F32 => narrowed(reader, order, len, |b| f64::from(f32::from_le_bytes(b)), admit),
        ElementType::F64 => narrowed(reader, order, len, f64::from_le_bytes, admit),
    }
}

/// Reads numbers whose value in the file is given by `number`, a function of their bytes.
fn narrowed<const SIZE: usize, T: Element>(
    reader: impl Read,
    order: Order,
    len: usize,
    number: impl Fn([u8; SIZE]) -> f64,
    admit: Admit,
) -> Result<Vec<T>, ReadError> {
    read(reader, order, len, |bytes| T::narrow(number(bytes)), |x: &T| admit.admits(*x), &number)
}

/// Reads `len` numbers of IEEE half precision without conversion. The first one that is not finite is an error.
pub(crate) fn read_f16(reader: impl Read, order: Order, len: usize) -> Result<Vec<f16>, ReadError> {
    read(reader, order, len, f16::from_le_bytes, |x| x.is_finite(), |b| f16::from_le_bytes(b).to_f64())
}

/// Reads `len` bfloat16 numbers without conversion. The first one that is not finite is an error.
pub(crate) fn read_bf16(reader: impl Read, order: Order, len: usize) -> Result<Vec<bf16>, ReadError> {
    read(reader, order, len, bf16::from_le_bytes, |x| x.is_finite(), |b| bf16::from_le_bytes(b).to_f64())
}

/// Reads `len` integers. `Ok(None)` if the file's type is not an integer type.
pub(crate) fn read_integers(
    reader: impl Read,
    element: ElementType,
    order: Order,
    len: usize,
) -> Result<Option<Vec<i64>>, ReadError> {
    let integers = match element {
        ElementType::U8 => read_all(reader, order, len, |[b]| i64::from(b))?,
        ElementType::I8 => read_all(reader, order, len, |b| i64::from(i8::from_le_bytes(b)))?,
        ElementType::U16 => read_all(reader, order, len, |b| i64::from(u16::from_le_bytes(b)))?,
        ElementType::I16 => read_all(reader, order, len, |b| i64::from(i16::from_le_bytes(b)))?,
        ElementType::U32 => read_all(reader, order, len, |b| i64::from(u32::from_le_bytes(b)))?,
        ElementType::I32 => read_all(reader, order, len, |b| i64::from(i32::from_le_bytes(b)))?,
        ElementType::I64 => read_all(reader, order, len, i64::from_le_bytes)?,
        ElementType::U64 => {
            let unsigned = read_all(reader, order, len, u64::from_le_bytes)?;
            let signed = unsigned.iter().map(|&x| i64::try_from(x).map_err(|_| x));
            signed.collect::<Result<_, _>>().map_err(ReadError::Integer)?
        }
        ElementType::F16 | ElementType::Bf16 | ElementType::F32 | ElementType::F64 => return Ok(None),
    };
    Ok(Some(integers))
}

/// Reads `len` entries, all of which are admitted.
fn read_all<const SIZE: usize, E: Copy>(
    reader: impl Read,
    order: Order,
    len: usize,
    entry: impl Fn([u8; SIZE]) -> E,
) -> Result<Vec<E>, ReadError> {
    read(reader, order, len, entry, |_| true, |_| 0.0)
}

/// Reads `len` entries of `SIZE` bytes in pieces, so that memory grows only with the data read. The first entry that
/// is not admitted is an error.
fn read<const SIZE: usize, E: Copy>(
    mut reader: impl Read,
    order: Order,
    len: usize,
    entry: impl Fn([u8; SIZE]) -> E,
    admits: impl Fn(&E) -> bool,
    number: impl Fn([u8; SIZE]) -> f64,
) -> Result<Vec<E>, ReadError> {
    const PIECE: usize = 1 << 16;
    let mut entries = Vec::new();
    let mut piece = vec![0; PIECE.min(len) * SIZE];
    while entries.len() < len {
        let first = entries.len();
        let bytes = &mut piece[..(len - first).min(PIECE) * SIZE];
        reader.read_exact(bytes)?;
        entries.try_reserve(bytes.len() / SIZE).map_err(io::Error::from)?;
        let (chunks, _) = bytes.as_chunks::<SIZE>();
        match order {
            Order::Little => entries.extend(chunks.iter().map(|&chunk| entry(chunk))),
            Order::Big => entries.extend(chunks.iter().map(|&(mut chunk)| {
                chunk.reverse();
                entry(chunk)
            })),
        }
        if let Some(k) = entries[first..].iter().position(|entry| !admits(entry)) {
            let mut bytes = chunks[k];
            if order == Order::Big {
                bytes.reverse();
            }
            return Err(ReadError::Entry { position: first + k, value: number(bytes) });
        }
    }
    Ok(entries)
}

/// Parses an integer, written as an integer or as a float such as `2.0`.
pub(crate) fn whole(text: &str) -> Option<i64> {
    // Below 2^53, every integer is exactly representable as a float.
    const EXACT: f64 = (1u64 << 53) as f64;
    text.strip_prefix('+').unwrap_or(text).parse().ok().or_else(|| {
        let number: f64 = text.parse().ok()?;
        (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64)
    })
}
