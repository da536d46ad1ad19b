//! The report on other libraries: their results in the conformance suite.

use super::page::{Page, Section};
use super::tables;
use crate::library::{Libraries, Library};
use crate::record::Record;
use crate::table::{Cell, Table};
use crate::units;
use softmax_core::{Feature, Quantity};

const COMMAND: &str = "cargo xtask libraries";

/// The page about other libraries, with time and memory if these were measured.
pub fn libraries_page(libraries: &Libraries, records: &[Record]) -> Page {
    let count = libraries.libraries.len();
    let right: Vec<&str> =
        libraries.libraries.iter().filter(|one| one.wrong() == 0).map(|one| one.name.as_str()).collect();
    let none_wrong = match right.as_slice() {
        [] => "Each has cases that are wrong.".to_owned(),
        right => format!("Without a wrong case: {}.", right.join(", ")),
    };
    let summary = vec![
        format!("{count} ways to compute the loss with other libraries, put to this project's conformance suite. {none_wrong}"),
        "A case is wrong where any output is further from the oracle than the bound of the case, which is derived from the \
         rounding errors of a careful computation in the same element type. A wrong case may lose only digits that few users \
         need; the columns say what kind of error it is."
            .to_owned(),
        "Each library is used by its documented interface, except that scikit-learn's loss has only a private one, and that \
         NumPy has no such loss: numpy is the textbook's formula. Options that a library does not have are unsupported, and not \
         emulated."
            .to_owned(),
    ];
    let mut sections = sections(libraries);
    if let Some(first) = records.first() {
        let cpu = &first.comparison.problem.cpu;
        sections.push(Section {
            title: "Time".to_owned(),
            text: format!(
                "Loss and dW on {cpu}: medians of calls that took turns, and median absolute deviations, without the transfer of \
                 arrays."
            ),
            table: Some(tables::side_by_side(records)),
            commands: vec![COMMAND.to_owned()],
            ..Section::default()
        });
        sections.push(Section {
            title: "Memory".to_owned(),
            text: "The peak of memory that a call held beyond inputs and outputs. fused's is counted by the allocator, that of \
                   the others is the growth of the process. –: not measured."
                .to_owned(),
            table: Some(tables::memory(records)),
            ..Section::default()
        });
    }
    Page { title: "Which libraries compute this loss right?".to_owned(), summary, sections }
}

/// The sections about other libraries in a report.
pub(super) fn sections(libraries: &Libraries) -> Vec<Section> {
    let findings = libraries.libraries.iter().filter(|one| !one.findings.is_empty());
    let meanings: Vec<String> =
        libraries.symptoms.iter().map(|(name, meaning)| format!("{name}: {meaning}")).collect();
    let mut sections = vec![Section {
        title: "Libraries".to_owned(),
        text: format!(
            "How many cases of the suite ran, how many were wrong, and in which way, in f32 and f64 together; u is the unit \
             roundoff, 2⁻²⁴ or 2⁻⁵³. {}.",
            meanings.join("; ")
        ),
        table: Some(table(libraries)),
        commands: vec![COMMAND.to_owned()],
        ..Section::default()
    }];
    sections.extend(findings.map(of_library));
    if !libraries.digits.is_empty() {
        sections.push(Section {
            title: "On the digits".to_owned(),
            text: "1797 samples, 64 features, 10 classes, small random weights, dW: errors against the oracle, the loss's relative \
                   to itself, the gradient's largest difference relative to its largest entry."
                .to_owned(),
            table: Some(digits(libraries)),
            ..Section::default()
        });
    }
    sections
}

/// The table of libraries in Markdown, for a document.
pub fn libraries_summary(libraries: &Libraries) -> String {
    table(libraries).markdown()
}

fn table(libraries: &Libraries) -> Table {
    let symptoms = libraries.symptoms.iter().map(|(name, _)| name.as_str());
    let mut table = Table::new().words(["library", "version"]).numbers(["cases", "unsupported", "wrong"]);
    table = table.numbers(symptoms.clone());
    for one in &libraries.libraries {
        let counts = [one.ran(), one.unsupported(), one.wrong()].into_iter();
        let counts = counts.chain(symptoms.clone().map(|symptom| one.wrong_by(symptom)));
        let words = [one.name.clone(), one.version.clone()].into_iter();
        table.row(words.chain(counts.map(|count| count.to_string())));
        if let Some(limited) = &one.limited {
            table.note(format!("{}: {limited}", one.name));
        }
    }
    table
}

fn of_library(one: &Library) -> Section {
    let mut table = Table::new().words(["wrong by"]).numbers(["cases"]);
    table = table.words(["smallest example", "problem", "expected and found"]);
    for finding in &one.findings {
        table.row([
            finding.symptom.clone(),
            finding.cases.to_string(),
            format!("{} {}", finding.dtype, finding.case),
            finding.problem.clone().unwrap_or_else(|| "–".to_owned()),
            finding.message.clone(),
        ]);
    }
    let lacks: Vec<&str> = one.lacks.iter().copied().map(Feature::name).collect();
    Section {
        title: one.name.clone(),
        text: format!("{}. It does not have: {}.", one.version, lacks.join(", ")),
        table: Some(table),
        commands: vec![one.command.clone()],
        ..Section::default()
    }
}

fn digits(libraries: &Libraries) -> Table {
    let mut table = Table::new().words(["library", "type"]).numbers(["loss", "dW"]);
    for comparison in &libraries.digits {
        for one in &comparison.backends {
            let gradients = one.errors.iter().filter(|(quantity, _)| Quantity::is_gradient(**quantity));
            let gradient = gradients.map(|(_, &error)| error).fold(0.0, f64::max);
            let errors: [Cell; 2] = [units::error(one.loss_error).into(), units::error(gradient).into()];
            let words: [Cell; 2] = [one.name.as_str().into(), comparison.problem.dtype.to_string().into()];
            table.row(words.into_iter().chain(errors));
        }
    }
    table
}
