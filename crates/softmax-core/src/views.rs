//! Views whose lifetimes can be shortened inside of other types too: with the element type left to its default, a projection, the
//! compiler takes them for invariant there.

use ndarray::{ArrayBase, Ix1, Ix2, ViewRepr};

pub(crate) type View1<'a, A> = ArrayBase<ViewRepr<&'a A>, Ix1, A>;
pub(crate) type View2<'a, A> = ArrayBase<ViewRepr<&'a A>, Ix2, A>;
