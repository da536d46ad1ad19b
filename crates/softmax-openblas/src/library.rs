//! What OpenBLAS says of itself.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int};

// Declarations as in OpenBLAS's cblas.h.
unsafe extern "C" {
    fn openblas_get_config() -> *const c_char;
    fn openblas_get_num_threads() -> c_int;
    fn openblas_set_num_threads(threads: c_int);
}

/// OpenBLAS's version, options and the kernels it picked: `OpenBLAS 0.3.21 … Zen MAX_THREADS=64`.
pub fn config() -> String {
    // SAFETY: the function takes nothing and returns a pointer to a NUL-terminated static string.
    let text = unsafe { CStr::from_ptr(openblas_get_config()) };
    text.to_string_lossy().into_owned()
}

/// How many threads OpenBLAS uses in this process.
pub fn threads() -> usize {
    // SAFETY: the function takes nothing and reads a counter of the library's.
    let threads = unsafe { openblas_get_num_threads() };
    usize::try_from(threads).unwrap_or(1)
}

/// Sets how many threads OpenBLAS uses, in the whole process.
pub fn set_threads(threads: usize) {
    let threads = c_int::try_from(threads).unwrap_or(c_int::MAX).max(1);
    // SAFETY: the function takes any positive number, and limits it to what it was built for.
    unsafe { openblas_set_num_threads(threads) }
}
