//! The products go through BLAS. This program defines its own `cblas_dgemm`, which the linker prefers to the library's.
//! It counts the calls and forwards them.

use softmax_openblas::ndarray::{Array1, Array2};
use softmax_openblas::{OpenBlas, Problem, SoftmaxBackend};
use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};

static CALLS: AtomicUsize = AtomicUsize::new(0);

type Dgemm = unsafe extern "C" fn(
    layout: c_int,
    transpose_a: c_int,
    transpose_b: c_int,
    m: c_int,
    n: c_int,
    k: c_int,
    alpha: f64,
    a: *const f64,
    lda: c_int,
    b: *const f64,
    ldb: c_int,
    beta: f64,
    c: *mut f64,
    ldc: c_int,
);

/// # Safety
/// The same as for CBLAS's `cblas_dgemm`.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments)]
pub unsafe extern "C" fn cblas_dgemm(
    layout: c_int,
    transpose_a: c_int,
    transpose_b: c_int,
    m: c_int,
    n: c_int,
    k: c_int,
    alpha: f64,
    a: *const f64,
    lda: c_int,
    b: *const f64,
    ldb: c_int,
    beta: f64,
    c: *mut f64,
    ldc: c_int,
) {
    CALLS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: the name is NUL-terminated. RTLD_NEXT searches the libraries after this program, and OpenBLAS is one of
    // them.
    let next: *mut c_void = unsafe { libc::dlsym(libc::RTLD_NEXT, c"cblas_dgemm".as_ptr()) };
    assert!(!next.is_null(), "no BLAS library behind this program");
    // SAFETY: in any CBLAS, the symbol of this name has this type.
    let dgemm: Dgemm = unsafe { std::mem::transmute::<*mut c_void, Dgemm>(next) };
    // SAFETY: the caller meets CBLAS's contract, and every argument is passed on unchanged.
    unsafe { dgemm(layout, transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) }
}

#[test]
fn the_scores_and_dw_are_calls_of_dgemm() {
    let features = Array2::from_shape_fn((20, 16), |(i, d)| ((i * 7 + d * 3) % 11) as f64 - 5.0);
    let weights = Array2::from_shape_fn((16, 12), |(d, c)| ((d * 5 + c) % 13) as f64 / 13.0);
    let labels = Array1::from_shape_fn(20, |i| (i % 12) as i64);
    let problem = Problem::builder(features.view(), weights.view(), labels.view()).build().unwrap();
    let mut backend = OpenBlas::new();

    backend.loss(&problem).unwrap();
    assert_eq!(CALLS.swap(0, Ordering::Relaxed), 1, "the scores");
    backend.gradients(&problem).unwrap();
    assert_eq!(CALLS.swap(0, Ordering::Relaxed), 2, "the scores and dW");
    assert!(softmax_openblas::config().starts_with("OpenBLAS"), "{}", softmax_openblas::config());
}
