//! Typical mistakes of backends, by kind. Each is made in a right backend, and the suite's cases of that kind must
//! catch it. Most need two conditions together, such as an option and a size.

mod crossed;
mod edges;
mod facts;
mod numbers;
mod outputs;
mod owned;
mod second;
mod state;
mod wrong;

use softmax_conformance::{Runner, Suite};
use std::collections::BTreeMap;
use wrong::{Mistake, Wrong};

fn all() -> Vec<Mistake> {
    [
        crossed::MISTAKES,
        outputs::MISTAKES,
        state::MISTAKES,
        numbers::MISTAKES,
        edges::MISTAKES,
        facts::MISTAKES,
        second::MISTAKES,
    ]
    .concat()
}

#[test]
fn each_wrong_backend_is_caught_by_cases_of_its_kind() {
    let suite = Suite::<f64>::full();
    let mut escaped = Vec::new();
    for mistake in all() {
        let runner = Runner::new().filter(mistake.caught_by).fail_fast();
        let report = runner.run(&suite, move || Box::new(Wrong::new(mistake)));
        match report.failures.first() {
            Some(failure) => println!("{}: {} fails", mistake.name, failure.name),
            None => escaped.push(format!("{} ({} cases ran)", mistake.name, report.ran())),
        }
    }
    assert!(escaped.is_empty(), "not caught: {}", escaped.join(", "));
}

#[test]
fn there_are_two_of_each_kind() {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    all().iter().for_each(|mistake| *kinds.entry(mistake.kind).or_default() += 1);
    println!("{kinds:?}");
    assert_eq!(kinds.len(), 12);
    assert!(kinds.values().all(|&count| count >= 2), "{kinds:?}");
}
