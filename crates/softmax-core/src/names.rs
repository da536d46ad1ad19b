//! Enums with named variants: one table of names for `Display`, `FromStr` and lists.

use std::fmt;

/// The error for a string that is not the name of any variant of an enum. `Display` is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName {
    /// The kind of name that was expected: `element type`, `reduction`, …
    pub kind: &'static str,
    /// The valid names.
    pub expected: Vec<&'static str>,
    /// The string that is not a valid name.
    pub found: String,
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected one of {}, found {}", self.kind, self.expected.join(", "), self.found)
    }
}

impl std::error::Error for UnknownName {}

/// Implements `name`, `ALL`, `Display` and `FromStr` for an enum without data. For this project's crates.
#[doc(hidden)]
#[macro_export]
macro_rules! names {
    ($type:ident, $kind:literal, $($variant:ident => $name:literal),+ $(,)?) => {
        impl $type {
            /// Every variant, in the order of their declaration.
            pub const ALL: &'static [$type] = &[$($type::$variant),+];

            /// The name that `Display` writes and `FromStr` reads.
            pub const fn name(self) -> &'static str {
                match self {
                    $($type::$variant => $name),+
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::UnknownName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|variant| variant.name() == text).ok_or_else(|| {
                    let expected = Self::ALL.iter().map(|variant| variant.name()).collect();
                    $crate::UnknownName { kind: $kind, expected, found: text.to_owned() }
                })
            }
        }
    };
}

pub(crate) use crate::names;
