use softmax_core::names;
use std::path::Path;

/// The file name suffixes of the formats, for messages.
pub(crate) const SUFFIXES: &str =
    ".npz, .npy, .csv, .svm, -ubyte, .bin, the last four with .gz too, or .safetensors";

/// The format of a data file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// NumPy's archive of arrays: X, y or Y, and optional arrays.
    Npz,
    /// A single NumPy array: X, with the labels in another file.
    Npy,
    /// A table with a row per sample, with or without a header.
    Csv,
    /// MNIST's images, with the labels in another file.
    Idx,
    /// CIFAR-10's binary batches: one file, or a folder of them.
    Cifar10,
    /// The sparse text format of svmlight and libsvm.
    Svmlight,
    /// Named tensors: X, y or Y, and optional tensors.
    Safetensors,
}

names!(Format, "format",
    Npz => "npz",
    Npy => "npy",
    Csv => "csv",
    Idx => "idx",
    Cifar10 => "cifar10",
    Svmlight => "svmlight",
    Safetensors => "safetensors",
);

impl Format {
    /// Whether other kinds of files share the name's suffix, so that [`of_name`](Self::of_name) only guesses.
    pub fn is_guess(path: &Path) -> bool {
        let name =
            path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        !path.is_dir() && [".txt", ".data", ".bin"].iter().any(|suffix| name.ends_with(suffix))
    }

    /// The format that a file's name suggests, with or without `.gz`.
    pub fn of_name(path: &Path) -> Option<Format> {
        if path.is_dir() {
            return Some(Format::Cifar10);
        }
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| name.ends_with(suffix));
        match () {
            () if ends(&[".npz"]) => Some(Format::Npz),
            () if ends(&[".npy"]) => Some(Format::Npy),
            () if ends(&[".csv", ".tsv", ".data"]) => Some(Format::Csv),
            () if ends(&["-ubyte", ".idx", "-idx1", "-idx3"]) => Some(Format::Idx),
            () if ends(&[".svm", ".svmlight", ".libsvm", ".scale", ".txt"]) => Some(Format::Svmlight),
            () if ends(&[".safetensors"]) => Some(Format::Safetensors),
            () if ends(&[".bin"]) => Some(Format::Cifar10),
            () => None,
        }
    }
}
