//! Tests of backends in other processes. The process is this program, with an argument that says how it misbehaves.

use libtest_mimic::{Arguments, Failed, Trial};
use softmax_conformance::{Runner, Suite, Symptom};
use softmax_core::ndarray::{Array1, Array2};
use softmax_core::{
    Backend, Element, Error, Feature, OutputSet, OwnedOutputs, OwnedProblem, OwnedTargets, SoftmaxBackend,
};
use softmax_external::{External, Launch, Launcher, serve};
use softmax_naive::Naive;
use std::io::{BufRead, Write, stdin, stdout};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, command, how] = &arguments[..]
        && command == "serve"
    {
        misbehave(how);
        return ExitCode::SUCCESS;
    }
    libtest_mimic::run(&Arguments::from_args(), trials()).exit_code()
}

fn trials() -> Vec<Trial> {
    let mut trials = vec![
        Trial::test("the_suite_passes_in_f32", || suite(Suite::<f32>::shared())),
        Trial::test("the_suite_passes_in_f64", || suite(Suite::<f64>::shared())),
        Trial::test("answers_have_the_bits_of_the_backend", bits),
        Trial::test("a_repetition_takes_time", repetition),
        Trial::test("what_is_not_supported_is_refused", unsupported),
        Trial::test("a_process_that_ends_is_started_again", restart),
        Trial::test("a_process_that_always_fails_is_given_up", gone),
        Trial::test("a_command_that_is_not_there_is_gone", absent),
    ];
    // Each misbehaviour, with a part of the error message.
    let faults = [
        ("end", "ended with exit status: 3: out of luck"),
        ("hang", "gave no answer within 0.5 s"),
        ("garbage", "expected an answer in JSON"),
        ("endless", "beyond 65536 bytes"),
        ("binary", "expected a line of JSON, found no text"),
        ("other-id", "expected an answer to call 1, found one to 7"),
        ("no-correct", "expected correct, since there are labels, found none"),
        ("no-file", "expected outputs in the file that the request names as answer, found no file"),
        ("no-arrays", "expected a file of safetensors"),
        ("large-file", "expected a file of at most"),
        ("other-shape", "dW: expected F64 of shape [3, 4], found F64 of shape [4, 3]"),
        ("other-type", "dW: expected F64 of shape [3, 4], found F32 of shape [3, 4]"),
        ("no-dw", "dW: expected F64 of shape [3, 4], found no such array"),
        ("error", "the answer is no"),
        ("nothing", "expected loss, unsupported or error, found none of them"),
        ("refuse-speed", "expected the name of a feature in unsupported, found \"speed\""),
    ];
    trials.extend(faults.map(|(how, message)| {
        Trial::test(format!("{how}_is_an_error_of_one_line"), move || fault(how, message))
    }));
    let false_starts = [
        ("start-silent", "the process ended with exit status: 0"),
        ("start-garbage", "expected a first line of JSON"),
        ("start-protocol", "expected protocol 1, found 2"),
        ("start-hang", "gave no answer within 0.5 s"),
        ("start-feature", "expected names of features in supports, found \"speed\""),
        ("start-no-type", "expected f32 or f64 in supports, found neither"),
    ];
    trials.extend(
        false_starts
            .map(|(how, message)| Trial::test(format!("{how}_is_gone"), move || false_start(how, message))),
    );
    // Mistakes that users have reported in libraries, with the cases that must catch each.
    let mistakes = [
        ("confident", "closed/"),
        ("ignored", "crossed/"),
        ("bias", "crossed/"),
        ("smoothing", "crossed/"),
        ("denominator", "crossed/"),
    ];
    trials.extend(mistakes.map(|(kind, cases)| {
        in_python(format!("a_mistake_of_the_kind_{kind}_is_caught"), move |python| {
            mistaken(python, kind, cases)
        })
    }));
    trials.push(in_python("the_careful_backend_in_numpy_passes_in_f32".to_owned(), |python| {
        careful(python, Suite::<f32>::shared())
    }));
    trials.push(in_python("the_careful_backend_in_numpy_passes_in_f64".to_owned(), |python| {
        careful(python, Suite::<f64>::shared())
    }));
    trials
}

/// A test that needs a Python with NumPy: the one that `SOFTMAX_PYTHON` names, or `python3`. Ignored if there is none.
fn in_python(name: String, test: impl FnOnce(&str) -> Result<(), Failed> + Send + 'static) -> Trial {
    let python = std::env::var("SOFTMAX_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_numpy = Command::new(&python).args(["-c", "import numpy"]).stderr(Stdio::null()).status();
    let has_numpy = has_numpy.is_ok_and(|status| status.success());
    Trial::test(name, move || test(&python)).with_ignored_flag(!has_numpy)
}

fn program_in_python(python: &str, file: &str, arguments: &[&str]) -> Launcher {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file).display().to_string();
    let command = [&[python, &file], arguments].concat().into_iter().map(str::to_owned).collect();
    Launcher::new(Launch { name: "numpy".to_owned(), command, time_limit: Duration::from_secs(60) })
}

/// Without the mistake, these cases pass: see [`careful`].
fn mistaken(python: &str, kind: &str, cases: &str) -> Result<(), Failed> {
    let launcher = program_in_python(python, "tests/mistaken.py", &[kind]);
    let report = Runner::new().filter(cases).run(Suite::<f64>::shared(), || Box::new(launcher.backend(None)));
    assert!(!report.failures.is_empty() && report.misuse.is_empty(), "{report}");
    let is_wrong =
        |symptom: Symptom| matches!(symptom, Symptom::Digits | Symptom::Wrong | Symptom::NotFinite);
    let faults = || report.failures.iter().flat_map(|failure| &failure.faults);
    assert!(faults().all(|fault| is_wrong(fault.symptom)), "it answers, if wrongly: {report}");
    Ok(())
}

fn careful<T: Element>(python: &str, suite: &Suite<T>) -> Result<(), Failed> {
    let launcher = program_in_python(python, "python/numpy_careful.py", &[]);
    let report = Runner::new().run(suite, || Box::new(launcher.backend(None)));
    report.assert_success();
    assert!(report.ran() > 2000, "{report}");
    Ok(())
}

fn launcher(how: &str) -> Launcher {
    let program = std::env::current_exe().unwrap().display().to_string();
    let command = vec![program, "serve".to_owned(), how.to_owned()];
    let time_limit = if how.contains("hang") { Duration::from_millis(500) } else { Duration::from_secs(60) };
    Launcher::new(Launch { name: "mine".to_owned(), command, time_limit })
}

fn problem<T: Element>() -> OwnedProblem<T> {
    let number = |i: usize| T::narrow((i as f64 * 0.7).sin());
    let x = Array2::from_shape_fn((5, 3), |(i, j)| number(i * 3 + j));
    let w = Array2::from_shape_fn((3, 4), |(i, j)| number(100 + i * 4 + j));
    OwnedProblem::new(x, w, OwnedTargets::Labels(Array1::from_vec(vec![0, 1, 2, 3, 1])))
}

/// Computes the loss and dW, and returns the loss.
fn evaluate<T: Element>(backend: &mut dyn SoftmaxBackend<T>) -> Result<f64, Error> {
    let owned = problem::<T>();
    Ok(backend.gradients(&owned.problem()?)?.loss)
}

fn suite<T: Element>(suite: &Suite<T>) -> Result<(), Failed> {
    let launcher = launcher("well");
    let report = Runner::new().run(suite, || Box::new(launcher.backend(None)));
    report.assert_complete_but(|feature| feature == Feature::TwoPasses);
    Ok(())
}

fn bits() -> Result<(), Failed> {
    let owned = problem::<f32>();
    let problem = owned.problem()?;
    let mut there = OwnedOutputs::zeros(&problem, OutputSet::ALL);
    let mut here = OwnedOutputs::zeros(&problem, OutputSet::ALL);
    let mut backend = launcher("well").backend(None);
    let evaluation = backend.evaluate(&problem, &mut there.as_outputs())?;
    assert_eq!(evaluation, Naive::new().evaluate(&problem, &mut here.as_outputs())?);
    assert_eq!(there, here);
    assert!(backend.device_time().is_some_and(|time| time < Duration::from_secs(1)));
    assert_eq!(backend.version(), Some("naive 1"));
    Ok(())
}

fn repetition() -> Result<(), Failed> {
    let mut backend = launcher("well").alone(Some(1));
    assert!(backend.repeat().is_err(), "there is nothing to repeat");
    evaluate::<f64>(&mut backend)?;
    assert!(backend.repeat()? > 0.0);
    Ok(())
}

fn unsupported() -> Result<(), Failed> {
    let mut backend = launcher("only-f32").backend(None);
    evaluate::<f32>(&mut backend)?;
    let refused = evaluate::<f64>(&mut backend);
    assert!(matches!(refused, Err(Error::Unsupported { feature: Feature::F64, .. })), "{refused:?}");
    // A feature that the process refuses only in its answer.
    let refused = evaluate::<f32>(&mut launcher("refuse").backend(None));
    assert!(matches!(refused, Err(Error::Unsupported { feature: Feature::Softcap, .. })), "{refused:?}");
    Ok(())
}

/// Asserts that the error is one line of limited length and contains `message`.
fn assert_line(error: &Error, message: &str) {
    let text = error.to_string();
    assert!(text.contains(message), "{text}");
    assert!(!text.contains('\n') && text.len() < 600, "{text}");
}

fn fault(how: &str, message: &str) -> Result<(), Failed> {
    let start = Instant::now();
    let error = evaluate::<f64>(&mut launcher(how).backend(None)).expect_err("it did something wrong");
    assert!(matches!(&error, Error::Backend { backend, .. } if backend == "mine"), "{error:?}");
    assert_line(&error, message);
    assert!(start.elapsed() < Duration::from_secs(30));
    Ok(())
}

fn false_start(how: &str, message: &str) -> Result<(), Failed> {
    let error = evaluate::<f64>(&mut launcher(how).backend(None)).expect_err("it did not start");
    assert!(matches!(error, Error::Gone { .. }), "{error:?}");
    assert_line(&error, message);
    Ok(())
}

fn restart() -> Result<(), Failed> {
    let launcher = launcher("end-at-second");
    let mut backend: External = launcher.backend(None);
    let expected = evaluate::<f64>(&mut Naive::new())?;
    assert_eq!(evaluate::<f64>(&mut backend)?, expected);
    assert!(evaluate::<f64>(&mut backend).is_err());
    for _ in 0..5 {
        assert_eq!(evaluate::<f64>(&mut backend)?, expected, "a new process");
        assert!(evaluate::<f64>(&mut backend).is_err());
    }
    Ok(())
}

fn gone() -> Result<(), Failed> {
    let launcher = launcher("garbage");
    let mut results = (0..5).map(|_| evaluate::<f64>(&mut launcher.backend(None)));
    assert!(results.by_ref().take(3).all(|result| matches!(result, Err(Error::Backend { .. }))));
    assert!(results.all(|result| matches!(result, Err(Error::Gone { .. }))));
    // The suite stops there as well, and reports a failure.
    let report = Runner::new().run(Suite::<f64>::shared(), || Box::new(launcher.backend(None)));
    assert!(!report.is_success());
    assert!(report.ran() < 5, "{} cases ran", report.ran());
    Ok(())
}

fn absent() -> Result<(), Failed> {
    let launcher = Launcher::new("mine=/no/such/program".parse::<Launch>()?);
    let error = evaluate::<f64>(&mut launcher.backend(None)).expect_err("there is no such program");
    assert_line(&error, "could not start /no/such/program: No such file");
    Ok(())
}

/// The main function of the other process.
fn misbehave(how: &str) {
    match how {
        "well" => {
            serve(Box::new(Naive::new()), Box::new(Naive::new()), "naive 1").unwrap();
            return;
        }
        "start-silent" => return,
        "start-garbage" => return println!("Welcome to the library!"),
        "start-protocol" => return println!(r#"{{"protocol": 2, "version": "mine", "supports": []}}"#),
        "start-feature" => return println!(r#"{{"protocol": 1, "version": "mine", "supports": ["speed"]}}"#),
        "start-no-type" => return println!(r#"{{"protocol": 1, "version": "mine", "supports": ["bias"]}}"#),
        "start-hang" => std::thread::sleep(Duration::from_secs(1000)),
        _ => {}
    }
    let supports = if how == "only-f32" { r#""f32""# } else { r#""f32", "f64""# };
    println!(r#"{{"protocol": 1, "version": "mine", "supports": [{supports}, "bias_gradient"]}}"#);
    for (k, line) in stdin().lock().lines().enumerate() {
        let line = line.unwrap();
        let id = line.split_once(r#""id":"#).unwrap().1.split(',').next().unwrap();
        let path = line.split('"').find(|part| part.ends_with("answer.safetensors")).unwrap();
        match how {
            "end-at-second" if k == 1 => std::process::exit(1),
            "end" => {
                eprintln!("out of luck");
                std::process::exit(3);
            }
            "hang" => std::thread::sleep(Duration::from_secs(1000)),
            "garbage" => println!("the loss is 2"),
            "endless" => {
                let _ = (0..).try_for_each(|_| stdout().write_all(&[b'x'; 4096]));
            }
            "binary" => stdout().write_all(b"\xff\xfe\n").unwrap(),
            "other-id" => println!(r#"{{"id": 7, "loss": 1, "correct": 1}}"#),
            "no-correct" => println!(r#"{{"id": {id}, "loss": 1}}"#),
            "error" => println!(r#"{{"id": {id}, "error": "the answer\nis no"}}"#),
            "nothing" => println!(r#"{{"id": {id}}}"#),
            "refuse-speed" => println!(r#"{{"id": {id}, "unsupported": "speed"}}"#),
            "refuse" => println!(r#"{{"id": {id}, "unsupported": "softcap"}}"#),
            _ => {
                write_answer(how, Path::new(path), &line);
                let loss = evaluate::<f64>(&mut Naive::new()).unwrap();
                println!(r#"{{"id": {id}, "loss": {loss:?}, "correct": 1}}"#);
            }
        }
    }
}

/// Writes dW and db as a safetensors file by hand, or something faulty.
fn write_answer(how: &str, path: &Path, request: &str) {
    let (kind, size) =
        if request.contains(r#""f64""#) && how != "other-type" { ("F64", 8) } else { ("F32", 4) };
    let shape = if how == "other-shape" { "[4,3]" } else { "[3,4]" };
    let dw = if how == "no-dw" { "dV" } else { "dW" };
    let (of_dw, all) = (12 * size, 16 * size);
    let header = format!(
        r#"{{"{dw}":{{"dtype":"{kind}","shape":{shape},"data_offsets":[0,{of_dw}]}},"db":{{"dtype":"{kind}","shape":[4],"data_offsets":[{of_dw},{all}]}}}}"#
    );
    let whole = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; all]].concat();
    match how {
        "no-file" => {}
        "no-arrays" => std::fs::write(path, "none").unwrap(),
        "large-file" => std::fs::write(path, vec![0; 1 << 20]).unwrap(),
        _ => std::fs::write(path, whole).unwrap(),
    }
}
