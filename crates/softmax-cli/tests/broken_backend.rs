//! Tests that a backend with one wrong entry is detected, with the backend, the output and the index in the message.

use softmax::{
    Backend, Descriptor, Element, Evaluation, Naive, Outputs, Problem, Registry, Result, SoftmaxBackend,
};
use std::process::ExitCode;

/// [`Naive`] with the sign of one entry of dW flipped.
struct SignFlipped(Naive);

impl Backend for SignFlipped {
    fn descriptor(&self) -> Descriptor {
        Descriptor { name: "sign-flipped".into(), ..self.0.descriptor() }
    }
}

impl<T: Element> SoftmaxBackend<T> for SignFlipped {
    fn evaluate(&mut self, problem: &Problem<'_, T>, outputs: &mut Outputs<'_, T>) -> Result<Evaluation> {
        let evaluation = self.0.evaluate(problem, outputs)?;
        if let Some(entry) = outputs.weights_gradient.as_mut().and_then(|dw| dw.get_mut([42, 7])) {
            *entry = -*entry;
        }
        Ok(evaluation)
    }
}

fn run(args: &[&str]) -> (ExitCode, String, String) {
    let mut registry = Registry::built_in();
    registry.add(
        "sign-flipped",
        |_| Box::new(SignFlipped(Naive::new())),
        |_| Box::new(SignFlipped(Naive::new())),
    );
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let args = std::iter::once("softmax").chain(args.iter().copied()).map(Into::into);
    let code = softmax_cli::run(args, &registry, &mut out, &mut err);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

#[test]
fn compare_names_backend_output_and_place() {
    for dtype in ["f32", "f64"] {
        let (code, out, err) =
            run(&["compare", "--backends", "ndarray,sign-flipped", "--repeat", "1", "--dtype", dtype]);
        assert_eq!(code, ExitCode::from(1), "{out}{err}");
        assert!(out.contains("sign-flipped: weights gradient at [42, 7]: expected"), "{out}");
        assert!(out.ends_with("1 of 2 backends disagree: sign-flipped.\n"), "{out}");
        assert_eq!(err, "");
    }
}

#[test]
fn json_lists_the_failure() {
    let (code, out, _) =
        run(&["compare", "--backends", "ndarray,sign-flipped", "--repeat", "1", "--format", "json"]);
    assert_eq!(code, ExitCode::from(1));
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["agree"], false);
    assert_eq!(json["backends"][0]["failures"].as_array().unwrap().len(), 0);
    let wrong = &json["backends"][1];
    assert_eq!(wrong["name"], "sign-flipped");
    assert_eq!(wrong["failures"][0]["output"], "weights gradient");
    assert_eq!(wrong["failures"][0]["index"], serde_json::json!([42, 7]));
    assert!(wrong["time"].is_null(), "a wrong answer is not timed");
}

#[test]
fn verify_reports_the_broken_backend() {
    let (code, out, _) = run(&["verify", "--backends", "naive,sign-flipped", "--filter", "sizes/000"]);
    assert_eq!(code, ExitCode::from(0), "entry [42, 7] is not there: {out}");
    // 1000×70×10 has it.
    let (code, out, _) = run(&["verify", "--backends", "naive,sign-flipped", "--filter", "1000x70x10"]);
    assert_eq!(code, ExitCode::from(1), "{out}");
    assert!(out.contains("FAILED") && out.contains("weights gradient at [42, 7]"), "{out}");
    assert!(out.ends_with("2 of 4 runs of the suite failed.\n"), "{out}");
}
