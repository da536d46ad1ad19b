//! Runs the commands of the documents exactly as they are written there.

use super::{arrays, save_all, success, words};
use flate2::{Compression, write::GzEncoder};
use safetensors::tensor::{Dtype, TensorView, serialize};
use softmax_external::write_adapters;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const DOCUMENTS: [&str; 7] = [
    "README.md",
    "CONTRIBUTING.md",
    "docs/PROGRAM.md",
    "docs/DERIVATION.md",
    "docs/EXTERNAL.md",
    "benches/METHODOLOGY.md",
    "ARCHITECTURE.md",
];

/// Commands that would run these tests themselves, or that need a program or network access that is not available
/// everywhere.
const RUN_ELSEWHERE: [&str; 6] = [
    ".ci/run",
    "cargo test -p softmax-fused",
    "cargo bench -p softmax-benches --bench fused",
    "cargo bench -p softmax-benches --bench costs",
    "cargo fetch",
    "cargo deny --offline check bans licenses sources",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The lines of all `sh` blocks, without comments.
fn commands() -> Vec<String> {
    let mut commands = Vec::new();
    for document in DOCUMENTS {
        let text = fs::read_to_string(root().join(document)).unwrap();
        for block in text.split("```sh\n").skip(1) {
            let block = block.split_once("```").expect("the block ends").0;
            let lines = block.lines().map(|line| line.split_once(" #").map_or(line, |(command, _)| command));
            commands.extend(lines.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()));
        }
    }
    commands
}

/// A folder with the files that the commands name.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let mut arrays = arrays();
    arrays.y[2] = 1;
    save_all(&folder.path().join("p.npz"), &arrays);
    let gzip = |name: &str, header: &[u8], data: &[u8]| {
        let mut file = GzEncoder::new(File::create(folder.path().join(name)).unwrap(), Compression::fast());
        file.write_all(&[header, data].concat()).unwrap();
        file.finish().unwrap();
    };
    fs::create_dir(folder.path().join("examples")).unwrap();
    fs::copy(root().join("examples/iris.csv"), folder.path().join("examples/iris.csv")).unwrap();
    fs::write(folder.path().join("words.svm"), "2 1:1 3:0.5\n0 2:1\n1 1:0.25 9:2\n2 3:1\n").unwrap();
    let halves: Vec<u8> = (0..24).flat_map(|k| half::bf16::from_f32(k as f32 / 8.0).to_le_bytes()).collect();
    let classes: Vec<u8> = (0..8i64).flat_map(|i| (i % 2).to_le_bytes()).collect();
    let tensors = [
        ("X", TensorView::new(Dtype::BF16, vec![8, 3], &halves).unwrap()),
        ("y", TensorView::new(Dtype::I64, vec![8], &classes).unwrap()),
    ];
    fs::write(folder.path().join("embeddings.safetensors"), serialize(tensors, None).unwrap()).unwrap();
    let images: Vec<u8> = (0..40 * 9).map(|k| (k * k % 251) as u8).collect();
    let labels: Vec<u8> = (0..40).map(|k| k % 10).collect();
    gzip("train-images-idx3-ubyte.gz", &[0, 0, 8, 3, 0, 0, 0, 40, 0, 0, 0, 3, 0, 0, 0, 3], &images);
    gzip("train-labels-idx1-ubyte.gz", &[0, 0, 8, 1, 0, 0, 0, 40], &labels);
    // The Python backend of ten lines from its document.
    write_adapters(folder.path()).unwrap();
    let document = fs::read_to_string(root().join("docs/EXTERNAL.md")).unwrap();
    let backend = document.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    fs::write(folder.path().join("my_backend.py"), backend).unwrap();
    folder
}

/// A Python with NumPy: the one that `SOFTMAX_PYTHON` names, or `python3`.
fn numpy_python() -> Option<String> {
    let python = std::env::var("SOFTMAX_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let output = Command::new(&python).args(["-c", "import numpy"]).output();
    output.is_ok_and(|output| output.status.success()).then_some(python)
}

/// The arguments, if the command runs the program.
fn of_the_program(command: &str) -> Option<&str> {
    let rest = command.strip_prefix("cargo run --release ")?;
    rest.strip_prefix("--features openblas ").unwrap_or(rest).strip_prefix("-- ")
}

#[test]
fn every_command_runs() {
    let (folder, python) = (folder(), numpy_python());
    let mut count = 0;
    for command in commands() {
        if command.contains("python3") {
            // Without Python the command is left out, and `cargo xtask test` says so.
            let Some(python) = &python else { continue };
            let args = of_the_program(&command).unwrap().replace("python3", python);
            run(Command::new("sh").args(["-c", &format!("\"$SOFTMAX\" {args}")]).current_dir(folder.path()));
        } else if let Some(args) = of_the_program(&command) {
            run(Command::new("sh").args(["-c", &format!("\"$SOFTMAX\" {args}")]).current_dir(folder.path()));
        } else if command.starts_with("cargo xtask ") {
            // Only the arguments are checked, because some of these commands take an hour.
            let mut words = command.split(' ').skip(1).collect::<Vec<_>>();
            words.push("--help");
            run(Command::new(env!("CARGO")).args(words).current_dir(root()));
        } else if let Some((package, example)) = example(&command) {
            let manifest = fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap();
            let section =
                manifest.split("[[example]]").find(|s| s.contains(&format!("name = \"{example}\"")));
            assert!(section.is_some_and(|s| s.contains("test = true")), "{command}: no tested example");
        } else {
            assert!(RUN_ELSEWHERE.contains(&command.as_str()), "{command}: nothing runs this");
        }
        count += 1;
    }
    assert!(count > 15, "{count} commands");
}

#[test]
fn the_shown_fit_is_what_fit_prints() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let shown = text.split("```text\n").find(|block| block.starts_with("examples/iris.csv")).unwrap();
    let shown = shown.split("```").next().unwrap();
    let commands = commands();
    let mut args = commands.iter().filter_map(|command| of_the_program(command));
    let fit = args.find(|args| args.starts_with("fit --data examples/iris.csv")).unwrap();
    let printed = success(&words(fit), folder().path());
    // Times vary, and so may the last digits of a minimum on another processor.
    let lasting = |text: &str| -> Vec<String> {
        let varies = |line: &&str| line.starts_with("lbfgs: ") || line.starts_with("loss ");
        text.lines().filter(|line| !varies(line)).map(str::to_owned).collect()
    };
    assert_eq!(lasting(shown), lasting(&printed));
}

/// Collects the keys of an object and of the objects in it, as paths.
fn keys(value: &serde_json::Value, within: &str, keys_found: &mut BTreeSet<String>) {
    for (key, value) in value.as_object().unwrap() {
        let path = format!("{within}{key}");
        match value {
            serde_json::Value::Object(_) if within.is_empty() => keys(value, &format!("{path}."), keys_found),
            serde_json::Value::Array(items) if key == "backends" => {
                keys(&items[0], &format!("{path}."), keys_found);
            }
            _ => assert!(keys_found.insert(path)),
        }
    }
}

#[test]
fn every_key_of_a_record_is_explained() {
    let json = success(&words("compare --backends naive --repeat 1 --format json"), &root());
    let mut found = BTreeSet::new();
    keys(&serde_json::from_str(&json).unwrap(), "", &mut found);
    let text = fs::read_to_string(root().join("benches/METHODOLOGY.md")).unwrap();
    let section = text.split("\n## ").find(|section| section.starts_with("The record")).unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let names = rows.flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2));
    let explained: BTreeSet<String> = names.map(str::to_owned).collect();
    assert_eq!(found, explained);
}

/// The folder of the package and the name of the example, if the command runs one.
fn example(command: &str) -> Option<(&str, &str)> {
    let mut words = command.strip_prefix("cargo run --release -p ")?.split(' ');
    let package = match words.next()? {
        "softmax-examples" => "examples",
        "softmax-burn" => "crates/softmax-burn",
        _ => return None,
    };
    words.find(|word| *word == "--example")?;
    Some((package, words.next()?))
}

fn run(command: &mut Command) {
    // Only a part of the suite, because other tests run all of it.
    command.env("SOFTMAX_CONFORMANCE_FILTER", "closed/");
    let output = command.env("SOFTMAX", env!("CARGO_BIN_EXE_softmax")).output().unwrap();
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, text.concat());
}
