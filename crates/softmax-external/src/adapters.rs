//! Adapters for other libraries, in Python. `softmax bench --peers` times them, and `cargo xtask libraries` runs the
//! conformance suite on them.

use std::fs;
use std::io;
use std::path::Path;

/// One way to use a library as a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// The backend's name.
    pub name: &'static str,
    /// The file name of its program.
    pub file: &'static str,
}

/// All adapters, in display order.
pub const ADAPTERS: [Adapter; 7] = [
    Adapter { name: "numpy", file: "numpy_textbook.py" },
    Adapter { name: "scikit-learn", file: "scikit_learn.py" },
    Adapter { name: "torch-eager", file: "torch_eager.py" },
    Adapter { name: "torch-compile", file: "torch_compile.py" },
    Adapter { name: "torch-linear-cross-entropy", file: "torch_chunked.py" },
    Adapter { name: "jax", file: "jax_optax.py" },
    Adapter { name: "keras", file: "keras_tensorflow.py" },
];

/// The names and contents of the programs and of the modules that they import.
const FILES: [(&str, &str); 9] = [
    ("softmax_backend.py", include_str!("../python/softmax_backend.py")),
    ("torch_loss.py", include_str!("../python/torch_loss.py")),
    ("numpy_textbook.py", include_str!("../python/numpy_textbook.py")),
    ("scikit_learn.py", include_str!("../python/scikit_learn.py")),
    ("torch_eager.py", include_str!("../python/torch_eager.py")),
    ("torch_compile.py", include_str!("../python/torch_compile.py")),
    ("torch_chunked.py", include_str!("../python/torch_chunked.py")),
    ("jax_optax.py", include_str!("../python/jax_optax.py")),
    ("keras_tensorflow.py", include_str!("../python/keras_tensorflow.py")),
];

impl Adapter {
    /// The command that runs its program, with this Python and the program in this folder.
    pub fn command(self, python: &Path, folder: &Path) -> Vec<String> {
        [python, &folder.join(self.file)].map(|path| path.display().to_string()).to_vec()
    }
}

/// Writes all programs into a folder.
///
/// # Errors
/// If a file can't be written.
pub fn write_adapters(folder: &Path) -> io::Result<()> {
    FILES.iter().try_for_each(|(name, text)| fs::write(folder.join(name), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_adapter_has_its_program() {
        for adapter in ADAPTERS {
            assert!(FILES.iter().any(|(name, _)| *name == adapter.file), "{}", adapter.name);
        }
    }
}
