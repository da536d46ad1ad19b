//! A policy-gradient step on a small vocabulary, without the N×C log-probabilities in memory. The objective is PPO's
//! clipped objective with an entropy bonus. The gradients' coefficients depend on the losses, so it takes two passes:
//! `cargo run --release -p softmax-burn --example policy_gradient`.
//!
//! The gradients are compared with those of Burn's autodiff, which holds all log-probabilities.
//!
//! J. Schulman and others, Proximal Policy Optimization Algorithms, arXiv 1707.06347, equation (7).

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use softmax::Fused;
use softmax_burn::ndarray::{Array1, Array2};
use softmax_burn::{Error, Outputs, Problem, SoftmaxBackend, Upstream};

const TOKENS: usize = 64;
const FEATURES: usize = 16;
const VOCABULARY: usize = 200;
const CLIP: f32 = 0.2;
const ENTROPY_BONUS: f32 = 0.01;

/// A batch of tokens, sampled by an older policy.
struct Rollout {
    hidden: Array2<f32>,
    head: Array2<f32>,
    tokens: Array1<i64>,
    old_log_prob: Array1<f32>,
    advantages: Array1<f32>,
}

fn rollout() -> Rollout {
    let wave = |i: usize, k: usize| ((i * 7919 + k * 104_729) % 2003) as f32 / 1001.0 - 1.0;
    Rollout {
        hidden: Array2::from_shape_fn((TOKENS, FEATURES), |(i, k)| wave(i, k)),
        head: Array2::from_shape_fn((FEATURES, VOCABULARY), |(k, c)| 0.5 * wave(c, k + 3)),
        tokens: Array1::from_shape_fn(TOKENS, |i| ((i * i) % VOCABULARY) as i64),
        // Near −log of the vocabulary size. Some tokens were more likely under the old policy than now, some less.
        old_log_prob: Array1::from_shape_fn(TOKENS, |i| -5.3 + 0.8 * wave(i, 1)),
        advantages: Array1::from_shape_fn(TOKENS, |i| wave(i, 2)),
    }
}

/// The derivative of −min(r·A, clip(r)·A)/N with respect to log p: −r·A/N, or 0 if r is clipped.
fn by_log_prob(log_prob: f32, old: f32, advantage: f32) -> f32 {
    let ratio = (log_prob - old).exp();
    let is_clipped = if advantage > 0.0 { ratio > 1.0 + CLIP } else { ratio < 1.0 - CLIP };
    if is_clipped { 0.0 } else { -ratio * advantage / TOKENS as f32 }
}

/// dW and dX of the objective, in two passes.
fn in_two_passes(rollout: &Rollout) -> Result<(Array2<f32>, Array2<f32>), Error> {
    let Rollout { hidden, head, tokens, old_log_prob, advantages } = rollout;
    let problem = Problem::builder(hidden.view(), head.view(), tokens.view()).build()?;
    let mut backend = Fused::new();
    let passes = SoftmaxBackend::<f32>::two_pass(&mut backend).expect("fused has two passes");

    let statistics = passes.forward(&problem)?;
    let mut losses = Array1::zeros(TOKENS);
    let mut of_rows = Outputs { sample_losses: Some(losses.view_mut()), ..Outputs::default() };
    passes.summarize(&problem, &statistics, &mut of_rows)?;

    // log p is −ℓ.
    let by_loss = Array1::from_shape_fn(TOKENS, |i| -by_log_prob(-losses[i], old_log_prob[i], advantages[i]));
    let by_entropy = Array1::from_elem(TOKENS, -ENTROPY_BONUS / TOKENS as f32);
    let upstream =
        Upstream { losses: Some(by_loss.view()), entropy: Some(by_entropy.view()), ..Upstream::default() };
    let (mut dw, mut dx) = (Array2::zeros(head.dim()), Array2::zeros(hidden.dim()));
    let mut gradients = Outputs {
        weights_gradient: Some(dw.view_mut()),
        features_gradient: Some(dx.view_mut()),
        ..Outputs::default()
    };
    passes.backward(&problem, &statistics, &upstream, &mut gradients)?;
    Ok((dw, dx))
}

/// dW and dX of the objective by Burn's autodiff, from all log-probabilities.
fn by_autodiff(rollout: &Rollout) -> (Vec<f32>, Vec<f32>) {
    let device = Device::flex().autodiff();
    let matrix = |array: &Array2<f32>| {
        let data = TensorData::new(array.iter().copied().collect(), [array.nrows(), array.ncols()]);
        Tensor::<2>::from_data(data, &device).require_grad()
    };
    let column = |array: &Array1<f32>| {
        Tensor::<2>::from_data(TensorData::new(array.to_vec(), [array.len(), 1]), &device)
    };
    let (hidden, head) = (matrix(&rollout.hidden), matrix(&rollout.head));
    let tokens = TensorData::new(rollout.tokens.to_vec(), [TOKENS, 1]);
    let advantages = column(&rollout.advantages);

    let log_p = log_softmax(hidden.clone().matmul(head.clone()), 1);
    let log_prob = log_p.clone().gather(1, Tensor::<2, Int>::from_data(tokens, &device));
    let ratio = (log_prob - column(&rollout.old_log_prob)).exp();
    let clipped = ratio.clone().clamp(1.0 - CLIP, 1.0 + CLIP) * advantages.clone();
    let unclipped = ratio * advantages;
    let surrogate = unclipped.clone().mask_where(clipped.clone().lower(unclipped), clipped);
    let entropy = -(log_p.clone().exp() * log_p).sum_dim(1);
    let objective = -(surrogate.mean() + entropy.mean() * ENTROPY_BONUS);

    let gradients = objective.backward();
    let of = |tensor: &Tensor<2>| {
        let gradient = tensor.grad(&gradients).expect("the objective depends on it");
        gradient.try_into_vec_as::<f32>().expect("of f32")
    };
    (of(&head), of(&hidden))
}

/// The largest difference between two gradients, relative to the largest entry.
fn difference(ours: &Array2<f32>, theirs: &[f32]) -> f32 {
    let largest = theirs.iter().fold(0.0, |max: f32, x| max.max(x.abs()));
    ours.iter().zip(theirs).fold(0.0, |max: f32, (a, b)| max.max((a - b).abs())) / largest
}

fn main() -> Result<(), Error> {
    let rollout = rollout();
    let (dw, dx) = in_two_passes(&rollout)?;
    let (autodiff_dw, autodiff_dx) = by_autodiff(&rollout);
    println!("dW of the head: {:.1e} from autodiff's", difference(&dw, &autodiff_dw));
    println!("dX of the body: {:.1e} from autodiff's", difference(&dx, &autodiff_dx));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_passes_have_the_gradients_of_autodiff() {
        let rollout = rollout();
        let (dw, dx) = in_two_passes(&rollout).unwrap();
        let (autodiff_dw, autodiff_dx) = by_autodiff(&rollout);
        // The tolerance allows for f32 roundings in sums of up to 200 terms.
        assert!(difference(&dw, &autodiff_dw) < 2e-6, "{}", difference(&dw, &autodiff_dw));
        assert!(difference(&dx, &autodiff_dx) < 2e-6, "{}", difference(&dx, &autodiff_dx));
    }

    #[test]
    fn some_tokens_are_clipped_and_some_are_not() {
        let Rollout { hidden, head, tokens, old_log_prob, advantages } = rollout();
        let problem = Problem::builder(hidden.view(), head.view(), tokens.view()).build().unwrap();
        let mut losses = Array1::<f32>::zeros(TOKENS);
        let mut outputs = Outputs { sample_losses: Some(losses.view_mut()), ..Outputs::default() };
        Fused::new().evaluate(&problem, &mut outputs).unwrap();
        let of = |i: usize| by_log_prob(-losses[i], old_log_prob[i], advantages[i]);
        let clipped = (0..TOKENS).filter(|&i| advantages[i] != 0.0 && of(i) == 0.0).count();
        assert!(clipped > TOKENS / 10 && clipped < TOKENS * 9 / 10, "{clipped}");
    }
}
