//! Mistakes in the second derivative.

use crate::wrong::{Made, Mistake};

const SECOND: &str = "second derivative";

pub(crate) const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "the penalty has no second derivative",
        kind: SECOND,
        caught_by: "hessian/",
        made: Made::Hessian(|problem, direction, product| {
            if problem.has_targets() {
                product.scaled_add(-problem.objective().l2, &direction);
            }
        }),
    },
    Mistake {
        name: "the second derivative of a sum is a mean",
        kind: SECOND,
        caught_by: "hessian/",
        made: Made::Hessian(|problem, _, product| {
            if problem.objective().reduction == softmax_core::Reduction::Sum {
                product.mapv_inplace(|h| h / problem.n_samples().max(1) as f64);
            }
        }),
    },
    Mistake {
        name: "the second derivative's last class beyond 64 is not written",
        kind: SECOND,
        caught_by: "hessian/",
        made: Made::Hessian(|problem, _, product| {
            if problem.n_classes() > 64 {
                product.column_mut(problem.n_classes() - 1).fill(0.0);
            }
        }),
    },
    Mistake {
        name: "the second derivative takes no notice of the bias's direction",
        kind: SECOND,
        caught_by: "hessian/",
        made: Made::HessianOfBias(|direction, _| direction.fill(0.0)),
    },
    Mistake {
        name: "the second derivative of the bias's last class is not written",
        kind: SECOND,
        caught_by: "hessian/",
        made: Made::HessianOfBias(|_, product| {
            if let Some(last) = product.last_mut() {
                *last = 0.0;
            }
        }),
    },
];
