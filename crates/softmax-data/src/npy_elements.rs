//! How the entries of an npy array are read: any of NumPy's integer and float types as the number that is wanted.

use crate::elements::{ElementType, Order, read_integers, read_numbers};
use ndarray_npy::{ReadDataError, ReadableElement};
use py_literal::Value;
use softmax_core::Element;
use std::io::{self, Read};

/// A number of any type, rounded to `T`.
#[derive(Clone, Copy)]
pub(crate) struct Number<T>(pub(crate) T);

/// An integer.
#[derive(Clone, Copy)]
pub(crate) struct Integer(pub(crate) i64);

/// Refuses every type, so that the refusal tells which it is.
#[derive(Clone, Copy)]
pub(crate) struct Unread;

impl<T: Element> ReadableElement for Number<T> {
    fn read_to_end_exact_vec<R: Read>(
        mut reader: R,
        kind: &Value,
        len: usize,
    ) -> Result<Vec<Self>, ReadDataError> {
        let (name, element, order) = element_type(kind)?;
        let Some(element) = element else { return Err(refuse("integers or floats", name)) };
        let numbers = read_numbers::<T>(&mut reader, element, order, len)?;
        expect_end(reader)?;
        Ok(numbers.into_iter().map(Number).collect())
    }
}

impl ReadableElement for Integer {
    fn read_to_end_exact_vec<R: Read>(
        mut reader: R,
        kind: &Value,
        len: usize,
    ) -> Result<Vec<Self>, ReadDataError> {
        let (name, element, order) = element_type(kind)?;
        let Some(element) = element else { return Err(refuse("integers", name)) };
        let integers =
            read_integers(&mut reader, element, order, len).map_err(|error| match error.kind() {
                io::ErrorKind::InvalidData => ReadDataError::ParseData(error.to_string().into()),
                _ => error.into(),
            })?;
        let integers = integers.ok_or_else(|| refuse("integers", name))?;
        expect_end(reader)?;
        Ok(integers.into_iter().map(Integer).collect())
    }
}

impl ReadableElement for Unread {
    fn read_to_end_exact_vec<R: Read>(_: R, kind: &Value, _: usize) -> Result<Vec<Self>, ReadDataError> {
        Err(ReadDataError::WrongDescriptor(kind.clone()))
    }
}

/// NumPy's `<f4`: its name without the order of the bytes, what it is, if it is a number, and the order.
fn element_type(kind: &Value) -> Result<(&str, Option<ElementType>, Order), ReadDataError> {
    let refuse = || ReadDataError::WrongDescriptor(kind.clone());
    let text = match kind {
        Value::String(text) => text,
        _ => return Err(refuse()),
    };
    let order = match text.chars().next() {
        Some('<' | '|') => Order::Little,
        Some('>') => Order::Big,
        Some('=') => {
            if cfg!(target_endian = "big") {
                Order::Big
            } else {
                Order::Little
            }
        }
        _ => return Err(refuse()),
    };
    let element = match &text[1..] {
        "b1" | "u1" => Some(ElementType::U8),
        "i1" => Some(ElementType::I8),
        "u2" => Some(ElementType::U16),
        "i2" => Some(ElementType::I16),
        "u4" => Some(ElementType::U32),
        "i4" => Some(ElementType::I32),
        "u8" => Some(ElementType::U64),
        "i8" => Some(ElementType::I64),
        "f2" => Some(ElementType::F16),
        "f4" => Some(ElementType::F32),
        "f8" => Some(ElementType::F64),
        _ => None,
    };
    Ok((&text[1..], element, order))
}

/// Refuses what comes after the last entry.
fn expect_end(mut reader: impl Read) -> Result<(), ReadDataError> {
    let extra = io::copy(&mut reader, &mut io::sink())?;
    if extra == 0 {
        Ok(())
    } else {
        Err(ReadDataError::ExtraBytes(usize::try_from(extra).unwrap_or(usize::MAX)))
    }
}

fn refuse(expected: &str, found: &str) -> ReadDataError {
    ReadDataError::ParseData(format!("{expected}, found elements of type {found}").into())
}
