//! Tests that records are written, read back and shown correctly.

use softmax_core::{Dtype, OutputKind, Quantity};
use softmax_record::{
    Comparison, CurvePoint, Failure, Journal, JournalError, Machine, Measured, Palette, ProblemRecord,
    Record, ReferenceRecord, Roofline, Shape, Skipped, Sweep, Task, Time, Training, read, report,
};
use std::fs;
use tempfile::TempDir;

const SHAPE: Shape = Shape { n: 40, d: 12, c: 5 };

fn measured(name: &str, median_s: Option<f64>, error: f64) -> Measured {
    Measured {
        name: name.to_owned(),
        peer: name == "numpy",
        version: Some("1.2.3".to_owned()),
        loss: 1.5,
        loss_error: error,
        gradient_error: error,
        errors: [(Quantity::Loss, error), (Quantity::Output(OutputKind::WeightsGradient), error)].into(),
        time: median_s.map(|median_s| Time { median_s, min_s: median_s, mad_s: 0.0, rounds: 3 }),
        device_s: None,
        speedup: None,
        extra_bytes: Some(2048),
        gflops: None,
        widened: false,
        failures: Vec::new(),
    }
}

fn comparison(backends: Vec<Measured>) -> Comparison {
    let problem = ProblemRecord {
        shape: SHAPE,
        classes_without_samples: 0,
        dtype: Dtype::F32,
        source: "synthetic".to_owned(),
        threads: 2,
        cpu: "a processor".to_owned(),
        gradients: vec![Quantity::Output(OutputKind::WeightsGradient)],
        shards: None,
    };
    let reference = ReferenceRecord { loss: 1.5, arithmetic: "double-double oracle".to_owned() };
    Comparison::new(problem, reference, backends, vec![Skipped::new("jax", "is not there")], None)
}

fn record(backends: Vec<Measured>, sweep: Option<Sweep>, threads: usize) -> Record {
    Record {
        asked: Task {
            shape: SHAPE,
            dtype: Dtype::F32,
            threads,
            dx: false,
            seed: 0,
            backends: backends.iter().map(|backend| backend.name.clone()).collect(),
            isolated: true,
            sweep,
        },
        comparison: comparison(backends),
        roofline: Some(Roofline { flops: 1e11, read_bytes: 1e10, floor_s: 1e-4 }),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: Some("softmax bench".to_owned()),
        machine: Some(Machine::this("avx2".to_owned(), Some("rustc 1".to_owned()), None)),
    }
}

fn records() -> Vec<Record> {
    let good = || {
        vec![
            measured("naive", Some(2e-3), 1e-7),
            measured("fused", Some(5e-4), 1e-7),
            measured("numpy", Some(1e-3), 3e-7),
        ]
    };
    let sweeps =
        [Sweep::Memory, Sweep::Threads, Sweep::Threads, Sweep::Classes, Sweep::Passes, Sweep::Storage];
    let sweeps = sweeps.into_iter().enumerate().map(|(k, sweep)| record(good(), Some(sweep), k));
    [record(good(), None, 2)].into_iter().chain(sweeps).collect()
}

fn json(records: &[Record]) -> Vec<String> {
    records.iter().map(|record| serde_json::to_string(record).unwrap()).collect()
}

#[test]
fn appended_records_are_read_back_and_a_cut_line_is_removed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("r.jsonl");
    let mut journal = Journal::create(&path).unwrap();
    records().iter().for_each(|record| journal.append(record).unwrap());
    assert_eq!(json(&read(&path).unwrap()), json(&records()));
    assert!(matches!(Journal::create(&path), Err(JournalError::Exists(_))));
    assert!(matches!(Journal::resume(&path), Err(JournalError::InUse(_))));
    drop(journal);

    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 10]).unwrap();
    let (mut journal, known) = Journal::resume(&path).unwrap();
    assert_eq!(known.len(), 6);
    journal.append(&records()[6]).unwrap();
    drop(journal);
    assert_eq!(fs::read_to_string(&path).unwrap(), whole);

    // A line that is cut within a character.
    fs::write(&path, [whole.as_bytes(), b"{\"command\": \"\xc3"].concat()).unwrap();
    assert_eq!(Journal::resume(&path).unwrap().1.len(), 7);
    assert_eq!(fs::read_to_string(&path).unwrap(), whole);
}

#[test]
fn changes_compare_runs_with_the_same_number_of_threads() {
    let run = |threads, median_s| record(vec![measured("fused", Some(median_s), 1e-7)], None, threads);
    let table = report::changes(&[run(2, 1.0)], &[run(1, 2.0), run(2, 1.0)]).markdown();
    assert!(table.contains("1.00×") && !table.contains("0.50×"), "{table}");
    // Without a run on as many threads, another run is the baseline, and a note says so.
    let table = report::changes(&[run(2, 1.0)], &[run(1, 2.0)]).markdown();
    assert!(table.contains("0.50×") && table.contains("different machines or threads"), "{table}");
}

#[test]
fn a_file_of_something_else_is_refused_by_its_line_and_stays_as_it_is() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("letter.txt");
    let record = json(&records()).remove(0);
    for (text, line) in
        [("Dear Sir,", 1), ("{}\n", 1), (&format!("{record}\nyours,\n"), 2), (&format!("{record}\nyours"), 2)]
    {
        fs::write(&path, text).unwrap();
        let error = Journal::resume(&path).unwrap_err().to_string();
        assert!(error.contains("letter.txt") && error.contains(&format!("line {line}:")), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    assert!(matches!(Journal::resume(folder.path()), Err(JournalError::Folder(_))));
}

#[test]
fn non_finite_numbers_are_read_back_as_nan() {
    let mut wrong = measured("fused", None, f64::INFINITY);
    wrong.loss = f64::NAN;
    wrong.failures.push(Failure { output: "loss".to_owned(), index: Vec::new(), message: String::new() });
    let line = json(&[record(vec![wrong], None, 1)]).remove(0);
    let read: Record = serde_json::from_str(&line).unwrap();
    let backend = &read.comparison.backends[0];
    assert!(backend.loss.is_nan() && backend.errors[&Quantity::Loss].is_nan());
    assert!(!read.comparison.agree);
}

#[test]
fn a_record_of_bench_needs_no_machine_and_no_floor() {
    let mut line: serde_json::Value = serde_json::from_str(&json(&records())[0]).unwrap();
    for key in ["roofline", "machine", "command"] {
        assert!(line.as_object_mut().unwrap().remove(key).is_some());
    }
    assert!(line["asked"].as_object_mut().unwrap().remove("isolated").is_some());
    let read: Record = serde_json::from_value(line).unwrap();
    assert!(!read.asked.isolated);
    assert!(report::page(&[read], None, None, &[]).unwrap().html().contains("fused"));
}

#[test]
fn peers_are_shown_and_do_not_decide_whether_all_agree() {
    let of = |names: &[&str]| comparison(names.iter().map(|name| measured(name, Some(1.0), 1.0)).collect());
    assert!(of(&["naive", "numpy"]).agree && !of(&["numpy"]).agree);
    let text = of(&["naive", "numpy"]).text(Palette::PLAIN);
    assert!(text.contains("numpy    ") && text.contains("The backend agrees"), "{text}");
    let both = of(&["naive", "numpy"]);
    assert_eq!(both.backends[1].speedup, Some(1.0));
}

fn trainings() -> Vec<Training> {
    let point = |k: usize| CurvePoint {
        iteration: k,
        evaluations: k + 1,
        loss: 1.0,
        gradient_max: 10f64.powi(-(k as i32)),
        seconds: 0.1 * k as f64,
    };
    let of = |solver: &str| Training {
        data: "digits".to_owned(),
        machine: "a processor".to_owned(),
        command: format!("softmax fit --solver {solver}"),
        solver: solver.to_owned(),
        converged: true,
        curve: (0..9).map(point).collect(),
    };
    ["lbfgs", "newton-cg"].map(of).to_vec()
}

#[test]
fn a_report_has_every_section_and_figure() {
    let page = report::page(&records(), Some(&records()), None, &trainings()).unwrap();
    let (html, markdown) = (page.html(), page.markdown());
    let of_sweeps = ["Memory against samples", "Threads, 40×12×5", "One pass and two", "Half precision"];
    for title in [&["Time", "Side by side", "Accuracy", "Training: digits"][..], &of_sweeps].concat() {
        assert!(html.contains(title) && markdown.contains(&format!("\n## {title}\n")), "{title}");
    }
    let names: Vec<String> = page.files().into_iter().map(|(name, _)| name).collect();
    let figures = ["memory", "threads-40x12x5", "classes", "passes", "storage", "training-1"];
    let figures = figures.map(|name| format!("{name}.svg")).to_vec();
    assert_eq!(names, [&["report.html", "report.md", "floor.svg"].map(str::to_owned)[..], &figures].concat());
    assert!(markdown.contains("- Use fused, because it is the fastest on every problem.\n"), "{markdown}");
    assert_eq!(markdown.matches("softmax bench\n").count(), 1, "{markdown}");
    assert!(markdown.contains("faster than the fastest of the others on 1 of 1 problems"), "{markdown}");
    assert!(markdown.contains("| 40×12×5 | f32 | dW | 500 µs | 20% | numpy | 1.00 ms | 2.00× | 2.00× |"));
    assert!(markdown.contains("within the noise"));
    assert!(markdown.contains("| newton-cg | 8 | 9 | 800 ms | 1.000000 | 1.0e-8 | yes |"), "{markdown}");
    let block = report::performance(&records(), "the last").unwrap();
    assert!(block.ends_with("Written by `softmax bench` and `the last`."), "{block}");
}
