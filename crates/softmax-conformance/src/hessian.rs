//! Checks Hessian-vector products against finite differences of the backend's own gradients.

use crate::generator::Generator;
use crate::suite::cases;
use softmax_core::ndarray::{Array1, Array2};
use softmax_core::{Error, HessianVectorProduct, Outputs, OwnedProblem, Result};

/// The worst errors over the problems of [`check_hessian`].
#[derive(Clone, Copy, Debug, Default)]
pub struct HessianReport {
    /// Number of problems evaluated.
    pub problems: usize,
    /// The largest deviation from finite differences of the gradient, over the largest entry of H·V or 1e-3.
    pub difference: f64,
    /// |uᵀHv − vᵀHu|, over |u||H v| + |v||H u|.
    pub asymmetry: f64,
    /// −vᵀHv where it is positive, over |u||H v| + |v||H u|. Measured only without softcap and z-loss, which make the
    /// loss non-convex.
    pub negativity: f64,
}

/// Evaluates Hessian-vector products in f64 on the suite's cases that cross all options. Skips those that the backend
/// does not support.
///
/// # Errors
/// Any other error of the backend.
pub fn check_hessian(backend: &mut dyn HessianVectorProduct<f64>) -> Result<HessianReport> {
    let mut report = HessianReport::default();
    let mut g = Generator::new(8);
    for case in
        cases().iter().filter(|case| case.name.starts_with("options/") || case.name.starts_with("golden/all"))
    {
        let owned = case.narrowed::<f64>();
        let (d, c) = owned.weights.dim();
        let [u, v] = [(); 2].map(|()| g.matrix(d, c, -1.0, 1.0));
        let (hu, hv) = match (product(backend, &owned, &u), product(backend, &owned, &v)) {
            (Err(Error::Unsupported { .. }), _) => continue,
            (hu, hv) => (hu?, hv?),
        };
        let difference = derivative_along(&owned, (&v, None), |moved| weights_gradient(backend, moved))?;
        let largest = largest(&hv).max(1e-3);
        report.difference = report.difference.max(self::largest(&(&hv - &difference)) / largest);
        let dot = |a: &Array2<f64>, b: &Array2<f64>| (a * b).sum();
        let size = dot(&u, &u).sqrt() * dot(&hv, &hv).sqrt() + dot(&v, &v).sqrt() * dot(&hu, &hu).sqrt();
        if size > 0.0 {
            report.asymmetry = report.asymmetry.max((dot(&u, &hv) - dot(&v, &hu)).abs() / size);
            if owned.objective.softcap.is_none() && owned.objective.z_loss == 0.0 {
                report.negativity = report.negativity.max(-dot(&v, &hv) / size);
            }
        }
        report.problems += 1;
    }
    Ok(report)
}

fn largest(matrix: &Array2<f64>) -> f64 {
    matrix.iter().fold(0.0, |max, x| max.max(x.abs()))
}

fn product(
    backend: &mut dyn HessianVectorProduct<f64>,
    owned: &OwnedProblem<f64>,
    direction: &Array2<f64>,
) -> Result<Array2<f64>> {
    let mut product = Array2::from_elem(direction.dim(), f64::NAN);
    backend.hessian_vector_product(&owned.problem()?, direction.view(), product.view_mut())?;
    Ok(product)
}

/// The derivative of `gradient` along a direction of the weights and, if given, of the bias. Central differences of
/// fourth order: truncation (h⁴) and roundoff (ε/h) are both near 1e-12.
pub(crate) fn derivative_along(
    owned: &OwnedProblem<f64>,
    (weights, bias): (&Array2<f64>, Option<&Array1<f64>>),
    mut gradient: impl FnMut(&OwnedProblem<f64>) -> Result<Array2<f64>>,
) -> Result<Array2<f64>> {
    const H: f64 = 1.0 / 1024.0;
    let mut at = |steps: f64| {
        let mut moved = owned.clone();
        moved.weights.scaled_add(steps * H, weights);
        if let Some(bias) = bias {
            let mut its = moved.bias.unwrap_or_else(|| Array1::zeros(bias.len()));
            its.scaled_add(steps * H, bias);
            moved.bias = Some(its);
        }
        gradient(&moved)
    };
    let near = at(1.0)? - at(-1.0)?;
    let far = at(2.0)? - at(-2.0)?;
    Ok((near * 8.0 - far) / (12.0 * H))
}

fn weights_gradient(
    backend: &mut dyn HessianVectorProduct<f64>,
    owned: &OwnedProblem<f64>,
) -> Result<Array2<f64>> {
    let mut dw = Array2::zeros(owned.weights.dim());
    let mut outputs = Outputs { weights_gradient: Some(dw.view_mut()), ..Outputs::default() };
    backend.evaluate(&owned.problem()?, &mut outputs)?;
    Ok(dw)
}
