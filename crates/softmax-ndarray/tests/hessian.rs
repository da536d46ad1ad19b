//! Hessian-vector products match finite differences of the gradient. The Hessian is symmetric, and positive
//! semidefinite where the loss is convex.

use softmax_conformance::check_hessian;
use softmax_ndarray::NdArray;

#[test]
fn hessian_vector_product_is_the_derivative_of_the_gradient() {
    let report = check_hessian(&mut NdArray::new()).unwrap();
    println!("{report:?}");
    assert!(report.problems > 400);
    assert!(report.difference < 1e-8, "{report:?}");
    assert!(report.asymmetry < 1e-14, "{report:?}");
    assert!(report.negativity < 1e-14, "{report:?}");
}
