//! Numbers of any type as files have them, as the numbers that are wanted: read in pieces, so that a header that lies
//! about the size costs no more memory than the file has data.

use half::{bf16, f16};
use softmax_core::{Dtype, Element};
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

impl Order {
    /// The machine's own.
    pub(crate) const NATIVE: Order = if cfg!(target_endian = "big") { Order::Big } else { Order::Little };
}

/// Which numbers are admitted.
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

    /// In words.
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
    /// An entry that is not admitted, and what it is in the file: a finite one is past what the element type holds.
    Entry {
        position: usize,
        value: f64,
    },
    /// An integer that is past what labels are held in.
    Integer(u64),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        ReadError::Io(error)
    }
}

impl ElementType {
    /// The type of numbers of `T`.
    pub(crate) fn of<T: Element>() -> Self {
        match T::DTYPE {
            Dtype::F32 => ElementType::F32,
            Dtype::F64 => ElementType::F64,
        }
    }

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

/// `len` numbers, rounded to `T` where they are wider, all of them admitted.
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

/// Numbers of which `number` says what they are in the file.
fn narrowed<const SIZE: usize, T: Element>(
    reader: impl Read,
    order: Order,
    len: usize,
    number: impl Fn([u8; SIZE]) -> f64,
    admit: Admit,
) -> Result<Vec<T>, ReadError> {
    read(reader, order, len, |bytes| T::narrow(number(bytes)), |x: &T| admit.admits(*x), &number)
}

/// `len` numbers of half precision as they are, all of them finite.
pub(crate) fn read_f16(reader: impl Read, order: Order, len: usize) -> Result<Vec<f16>, ReadError> {
    read(reader, order, len, f16::from_le_bytes, |x| x.is_finite(), |b| f16::from_le_bytes(b).to_f64())
}

/// The same of bfloat16.
pub(crate) fn read_bf16(reader: impl Read, order: Order, len: usize) -> Result<Vec<bf16>, ReadError> {
    read(reader, order, len, bf16::from_le_bytes, |x| x.is_finite(), |b| bf16::from_le_bytes(b).to_f64())
}

/// `len` integers; `Ok(None)` where the entries are none.
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

/// Reads `len` entries, whatever they are.
fn read_all<const SIZE: usize, E: Copy>(
    reader: impl Read,
    order: Order,
    len: usize,
    entry: impl Fn([u8; SIZE]) -> E,
) -> Result<Vec<E>, ReadError> {
    read(reader, order, len, entry, |_| true, |_| 0.0)
}

/// Reads `len` entries of `SIZE` bytes in pieces, and no more than the file has; refuses the first that is not admitted.
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

/// An integer of a text, written as one or as a float.
pub(crate) fn whole(text: &str) -> Option<i64> {
    // Every float below is exact as an integer.
    const EXACT: f64 = (1u64 << 53) as f64;
    text.strip_prefix('+').unwrap_or(text).parse().ok().or_else(|| {
        let number: f64 = text.parse().ok()?;
        (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64)
    })
}
