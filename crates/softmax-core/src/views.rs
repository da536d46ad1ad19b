//! View types that stay covariant in their lifetime inside other types. With ndarray's default for the element type,
//! which is an associated type, the compiler treats that lifetime as invariant.

use ndarray::{ArrayBase, Ix1, Ix2, ViewRepr};

pub(crate) type View1<'a, A> = ArrayBase<ViewRepr<&'a A>, Ix1, A>;
pub(crate) type View2<'a, A> = ArrayBase<ViewRepr<&'a A>, Ix2, A>;
