//! The size of a problem.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// N samples, D features and C classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Shape {
    /// Samples.
    pub n: usize,
    /// Features.
    pub d: usize,
    /// Classes.
    pub c: usize,
}

impl Shape {
    /// `500×3073×10`, for reports. [`Display`](fmt::Display) uses the letter x, as the command line does.
    pub fn title(self) -> String {
        format!("{}×{}×{}", self.n, self.d, self.c)
    }

    /// The title, with a name before it if the shape is that of a well-known problem: `digits, 1797×64×10`.
    pub fn named(self) -> String {
        let name = match (self.n, self.d, self.c) {
            (1797, 64, 10) => "digits",
            (60000, 784, 10) => "MNIST",
            (50000, 3073, 10) => "CIFAR-10",
            (500, 3073, 10) => "a batch of CIFAR-10",
            (1024, 2048, 1000) => "an ImageNet head",
            (1024, 1024, 32768) => "a language model's head",
            (4096, 512, 65536) => "a large vocabulary",
            _ => return self.title(),
        };
        format!("{name}, {}", self.title())
    }

    /// Floating-point operations of one evaluation: 4·N·D·C for the scores and dW, 6·N·D·C with dX.
    pub fn operations(self, dx: bool) -> f64 {
        let products = if dx { 6.0 } else { 4.0 };
        products * self.n as f64 * self.d as f64 * self.c as f64
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.n, self.d, self.c)
    }
}

/// Why a text is not a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// The text is not three numbers with the last at least 1.
    #[error("expected NxDxC, such as 500x3073x10, with C at least 1")]
    Syntax,
    /// The arrays would be larger than the address space.
    #[error("expected a problem whose arrays fit into the address space")]
    TooLarge,
}

impl FromStr for Shape {
    type Err = ShapeError;

    fn from_str(text: &str) -> Result<Self, ShapeError> {
        let numbers: Option<Vec<usize>> = text.split(['x', '×']).map(|n| n.parse().ok()).collect();
        let Some([n, d, c]) = numbers.and_then(|numbers| <[usize; 3]>::try_from(numbers).ok()) else {
            return Err(ShapeError::Syntax);
        };
        let has_addresses =
            |rows: usize, columns: usize| rows.checked_mul(columns).and_then(|x| x.checked_mul(8)).is_some();
        if !(has_addresses(n, d) && has_addresses(d, c) && has_addresses(n, c)) {
            return Err(ShapeError::TooLarge);
        }
        if c == 0 { Err(ShapeError::Syntax) } else { Ok(Shape { n, d, c }) }
    }
}
