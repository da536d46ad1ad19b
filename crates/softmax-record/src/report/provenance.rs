//! The origin of records: machines, versions and commands.

use super::tables;
use crate::machine::Machine;
use crate::record::Record;
use crate::table::Table;
use crate::units;

/// The block of a document with the times of [`SUBJECT`](crate::SUBJECT) and the commands that write it; `last` is the
/// last command. `None` if there are no records.
pub fn performance(records: &[Record], last: &str) -> Option<String> {
    let (setting, table) = (setting(records)?, tables::summary(records).markdown());
    let commands = commands(records);
    let all = commands.iter().map(String::as_str).chain([last]).collect::<Vec<_>>().join("` and `");
    Some(format!("{setting}\n\n{table}\nWritten by `{all}`."))
}

/// The machine and the build of the program, in one sentence.
pub(super) fn setting(records: &[Record]) -> Option<String> {
    let first = records.first()?;
    let problem = &first.comparison.problem;
    let threads = units::threads(problem.threads);
    let mut setting = match &first.machine {
        None => format!("{}, {threads}", problem.cpu),
        Some(machine) => {
            let rustc = machine.rustc.as_ref().map_or(String::new(), |rustc| format!("; {rustc}"));
            format!("{}, {}, {threads}{rustc}; {}", machine.cpu, machine.simd, when(machine))
        }
    };
    setting.push('.');
    Some(setting)
}

/// The commit and the date.
pub(super) fn when(machine: &Machine) -> String {
    let Machine { commit, date, .. } = machine;
    commit.as_ref().map_or(date.clone(), |commit| format!("commit {commit}, {date}"))
}

/// The commands that produced the records, without duplicates.
pub(super) fn commands<'r>(records: impl IntoIterator<Item = &'r Record>) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    for command in records.into_iter().filter_map(|record| record.command.as_ref()) {
        if !commands.contains(command) {
            commands.push(command.clone());
        }
    }
    commands
}

/// A table of machines and versions of libraries.
pub(super) fn versions(records: &[Record]) -> Table {
    let mut table = Table::new().words(["what", "which"]);
    for machine in records.iter().filter_map(|record| record.machine.as_ref()) {
        let Machine { cpu, simd, threads, rustc, .. } = machine;
        table.row_once(["processor", &format!("{cpu}, {simd}, {}", units::threads(*threads))]);
        table.row_once(["compiler", rustc.as_deref().unwrap_or("unknown")]);
        table.row_once(["measured", &when(machine)]);
    }
    for backend in records.iter().flat_map(|record| &record.comparison.backends) {
        table.row_once([&backend.name, backend.version.as_deref().unwrap_or("unknown")]);
    }
    table
}
