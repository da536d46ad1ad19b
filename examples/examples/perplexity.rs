//! Evaluates a language model in one pass over its last layer: perplexity, top-1 and top-5 accuracy, and mean entropy
//! of the predictions, without padding tokens: `cargo run --release -p softmax-examples --example perplexity`.

use softmax::ndarray::{Array1, Array2};
use softmax::{Error, Objective, Outputs, Problem, SoftmaxBackend};

const TOKENS: usize = 600;
const FEATURES: usize = 48;
const VOCABULARY: usize = 1000;
/// The label of padding tokens, as in PyTorch.
const PADDING: i64 = -100;

struct Data {
    /// The hidden state of each token's context (N×D).
    hidden: Array2<f32>,
    /// The output embedding (D×C).
    head: Array2<f32>,
    next_tokens: Array1<i64>,
}

/// Hidden states that resemble the next token's embedding, to varying degrees.
fn data() -> Data {
    let noise = |i: usize, k: usize| ((i * 7919 + k * 104_729) % 2003) as f32 / 1001.0 - 1.0;
    let head = Array2::from_shape_fn((FEATURES, VOCABULARY), |(k, c)| noise(c + 5, 3 * k + 1));
    let token = |i: usize| (i * i + 3 * i) % VOCABULARY;
    let hidden = Array2::from_shape_fn((TOKENS, FEATURES), |(i, k)| {
        let certainty = (i % 7) as f32 / 12.0;
        certainty * head[[k, token(i)]] + 0.3 * noise(i, k)
    });
    let next_tokens = Array1::from_shape_fn(TOKENS, |i| if i % 10 == 9 { PADDING } else { token(i) as i64 });
    Data { hidden, head, next_tokens }
}

struct Evaluation {
    tokens: usize,
    perplexity: f64,
    top_1: f64,
    top_5: f64,
    /// The mean entropy of the predictions, in bits.
    entropy: f64,
}

fn evaluate(backend: &mut dyn SoftmaxBackend<f32>, data: &Data) -> Result<Evaluation, Error> {
    let problem = Problem::builder(data.hidden.view(), data.head.view(), data.next_tokens.view())
        .objective(Objective { ignore_index: Some(PADDING), ..Objective::default() })
        .build()?;
    let (mut ranks, mut log_prob) = (Array1::zeros(TOKENS), Array1::zeros(TOKENS));
    let mut entropy = Array1::zeros(TOKENS);
    let mut outputs = Outputs {
        label_rank: Some(ranks.view_mut()),
        label_log_prob: Some(log_prob.view_mut()),
        entropy: Some(entropy.view_mut()),
        ..Outputs::default()
    };
    backend.evaluate(&problem, &mut outputs)?;

    let tokens: Vec<usize> = (0..TOKENS).filter(|&i| problem.counts(i)).collect();
    let mean = |of: &dyn Fn(usize) -> f64| tokens.iter().map(|&i| of(i)).sum::<f64>() / tokens.len() as f64;
    let share_below = |rank: usize| mean(&|i| f64::from(ranks[i] < rank));
    Ok(Evaluation {
        tokens: tokens.len(),
        perplexity: (-mean(&|i| f64::from(log_prob[i]))).exp(),
        top_1: share_below(1),
        top_5: share_below(5),
        entropy: mean(&|i| f64::from(entropy[i])) / std::f64::consts::LN_2,
    })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut backend = softmax::backend("fused")?;
    let Evaluation { tokens, perplexity, top_1, top_5, entropy } = evaluate(backend.as_mut(), &data())?;
    println!("{tokens} tokens, a vocabulary of {VOCABULARY}");
    println!("perplexity {perplexity:.2}, entropy of the predictions {entropy:.2} bits");
    println!("top-1 accuracy {:.1}%, top-5 accuracy {:.1}%", 100.0 * top_1, 100.0 * top_5);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The perplexity is computed from the label log-probabilities, and compared with the exponential of the mean loss.
    #[test]
    fn backends_agree_and_perplexity_is_the_exponential_of_the_loss() {
        let data = data();
        let problem = Problem::builder(data.hidden.view(), data.head.view(), data.next_tokens.view())
            .objective(Objective { ignore_index: Some(PADDING), ..Objective::default() })
            .build()
            .unwrap();
        for name in ["fused", "naive", "ndarray"] {
            let mut backend = softmax::backend(name).unwrap();
            let found = evaluate(backend.as_mut(), &data).unwrap();
            let loss = backend.loss(&problem).unwrap();
            assert!((found.perplexity.ln() - loss).abs() < 1e-5, "{name}: {} {loss}", found.perplexity);
            assert_eq!(found.tokens, TOKENS - TOKENS / 10, "{name}");
            assert!(found.top_1 < found.top_5 && found.top_5 < 1.0, "{name}");
            assert!(found.entropy > 0.0 && found.entropy < (VOCABULARY as f64).log2(), "{name}");
        }
    }
}
