//! OpenBLAS's configuration and its number of threads.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int};

// The declarations match OpenBLAS's cblas.h.
unsafe extern "C" {
    fn openblas_get_config() -> *const c_char;
    fn openblas_get_num_threads() -> c_int;
    fn openblas_set_num_threads(threads: c_int);
}

/// OpenBLAS's version, options and the kernels that it chose: `OpenBLAS 0.3.21 … Zen MAX_THREADS=64`.
pub fn config() -> String {
    // SAFETY: the function takes no arguments and returns a pointer to a NUL-terminated static string.
    let text = unsafe { CStr::from_ptr(openblas_get_config()) };
    text.to_string_lossy().into_owned()
}

/// The number of threads that OpenBLAS uses in this process.
pub fn threads() -> usize {
    // SAFETY: the function takes no arguments and reads a counter of the library.
    let threads = unsafe { openblas_get_num_threads() };
    usize::try_from(threads).unwrap_or(1)
}

/// Sets the number of threads that OpenBLAS uses, for the whole process.
pub fn set_threads(threads: usize) {
    let threads = c_int::try_from(threads).unwrap_or(c_int::MAX).max(1);
    // SAFETY: the function accepts any positive number, and limits it to the maximum of the build.
    unsafe { openblas_set_num_threads(threads) }
}
