//! `cargo xtask report`: records as a page that a person reads.

pub(crate) mod change;
mod figures;
mod html;
mod markdown;
pub(crate) mod page;
mod plot;
mod splice;
mod summary;
pub(crate) mod tables;

use crate::bench::{RECORDS, SweepKind};
use crate::records::{self, Machine, Record, Sweep};
use anyhow::Context;
use clap::Args;
use page::{Page, Section, Table};
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// What `cargo xtask bench` wrote
    #[arg(long, value_name = "FILE", default_value = RECORDS)]
    records: PathBuf,
    /// Records of an earlier run, to say what has changed since
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Where report.html, report.md and its figures go [default: beside the records]
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Replace the block between the markers of this file, such as README.md, by the table of problems
    #[arg(long, value_name = "FILE")]
    splice: Option<PathBuf>,
}

pub(crate) fn run(args: &ReportArgs) -> anyhow::Result<()> {
    let read = |path: &Path| records::read(path).context("run cargo xtask bench first");
    let records = read(&args.records)?;
    let setting =
        setting(&records).with_context(|| format!("{}: expected records", args.records.display()))?;
    let baseline = args.baseline.as_deref().map(records::read).transpose()?;
    let page = page(&records, baseline.as_deref())?;

    let folder = args.output.as_deref().or(args.records.parent()).unwrap_or(Path::new(""));
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| path.display().to_string())
    };
    for figure in page.sections.iter().filter_map(|section| section.figure.as_ref()) {
        write(&format!("{}.svg", figure.name), &figure.svg)?;
    }
    write("report.md", &page.markdown())?;
    write("report.html", &page.html())?;
    println!("{}", folder.join("report.html").display());
    if let Some(path) = &args.splice {
        let table = tables::summary(&records).markdown();
        let block = format!(
            "{setting}\n\n{table}\nWritten by `{}` and `cargo xtask report --splice {}`.",
            commands(&records).join("`, `"),
            path.display()
        );
        splice::splice_file(path, &block)?;
    }
    Ok(())
}

fn machine(machine: &Machine) -> String {
    let Machine { cpu, simd, threads, rustc, commit, date } = machine;
    format!("{cpu}, {simd}, {threads} threads; {rustc}; commit {commit}, {date}.")
}

/// The machine, and what the program was built with.
fn setting(records: &[Record]) -> Option<String> {
    let machine = machine(&records.first()?.machine);
    let entries = records.iter().filter_map(Record::problem).flat_map(|problem| &problem.entries);
    let has_blas = entries.into_iter().any(|entry| entry.name == "openblas" && entry.absent.is_none());
    let blas =
        if has_blas { " In this build `ndarray` multiplies with OpenBLAS, as `openblas` does." } else { "" };
    Some(format!("{machine}{blas}"))
}

/// The commands that made the records, each once.
fn commands<'r>(records: impl IntoIterator<Item = &'r Record>) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    for record in records {
        if !commands.contains(&record.command) {
            commands.push(record.command.clone());
        }
    }
    commands
}

fn page(records: &[Record], baseline: Option<&[Record]>) -> anyhow::Result<Page> {
    let problems = || records.iter().filter(|record| record.problem().is_some());
    let sweep = |kind: SweepKind| records.iter().find_map(|record| Some((record, kind.of(&record.found)?)));
    let mut sections = Vec::new();
    if problems().next().is_some() {
        sections.push(Section {
            title: "Time".to_owned(),
            text: "Loss and gradients of fused beside the fastest of all others, medians of calls that took turns; and how \
                   much of the machine's limits each library reaches, as measured just before each problem: the floor is \
                   the time in which the processor could do the multiply-adds, or read X once."
                .to_owned(),
            figure: Some(figures::floor(records)?),
            table: Some(tables::summary(records)),
            commands: commands(problems()),
        });
        sections.push(Section {
            title: "Side by side".to_owned(),
            text: "All of them, median and median absolute deviation.".to_owned(),
            table: Some(tables::side_by_side(records)),
            commands: commands(problems()),
            ..Section::default()
        });
        sections.push(Section {
            title: "Accuracy".to_owned(),
            text: "The worst error of each over these problems, by an oracle in double-double arithmetic (f64 where a problem \
                   is large): the loss's relative to itself, a gradient's largest difference relative to its largest entry."
                .to_owned(),
            table: Some(tables::accuracy(records)),
            commands: commands(problems()),
            ..Section::default()
        });
    }
    if let Some((record, sweep)) = sweep(SweepKind::Memory) {
        sections.push(Section {
            title: "Memory against samples".to_owned(),
            text: format!(
                "What one evaluation of N samples, {}, holds beyond its inputs and outputs at most. Our backends' is counted \
                 by the allocator, other libraries' is the growth of the process.",
                features_and_classes(sweep)
            ),
            figure: Some(figures::memory(sweep)?),
            commands: commands([record]),
            ..Section::default()
        });
    }
    if let Some((record, sweep)) = sweep(SweepKind::Threads) {
        for (shape, figure) in figures::threads(sweep)? {
            sections.push(Section {
                title: format!("Threads, {shape}"),
                text: "How much faster each is than itself on one thread.".to_owned(),
                figure: Some(figure),
                table: Some(threads(sweep, &shape)),
                commands: commands([record]),
            });
        }
    }
    if let Some((record, sweep)) = sweep(SweepKind::Classes) {
        sections.push(Section {
            title: "Few classes and many".to_owned(),
            text: "fused has a kernel for few classes, up to 64, and one for many: the time of both against the number of \
                   classes, on one problem."
                .to_owned(),
            figure: Some(figures::classes(sweep)?),
            commands: commands([record]),
            ..Section::default()
        });
    }
    if let Some(baseline) = baseline {
        sections.push(Section {
            title: "Since the baseline".to_owned(),
            text: "A difference that is within the deviations of the two runs is called noise.".to_owned(),
            table: Some(change::table(records, baseline)),
            commands: commands(problems()),
            ..Section::default()
        });
    }
    sections.push(Section {
        title: "Where and how".to_owned(),
        text: "benches/METHODOLOGY.md says how this was measured, what it does not measure, and where it is biased.".to_owned(),
        table: Some(versions(records)),
        commands: commands(records),
        ..Section::default()
    });
    Ok(Page { title: "Which softmax backend?".to_owned(), summary: summary::sentences(records), sections })
}

/// `64 features, 2048 classes`, of a sweep over samples.
fn features_and_classes(sweep: &Sweep) -> String {
    let shape = sweep.asked.shapes.first().map_or("", String::as_str);
    let mut sizes = shape.split('x').skip(1);
    let mut next = || sizes.next().unwrap_or("?");
    format!("{} features, {} classes", next(), next())
}

fn threads(sweep: &Sweep, shape: &str) -> Table {
    let plural = |count: &usize| if *count == 1 { "1 thread".to_owned() } else { format!("{count} threads") };
    let counts: Vec<String> = sweep.asked.threads.iter().map(plural).collect();
    let columns: Vec<&str> = counts.iter().map(String::as_str).collect();
    let mut table = Table::new(&["backend"], &columns);
    for name in &sweep.asked.names {
        let cell = |&count: &usize| {
            let mut points = sweep.points.iter();
            let point = points
                .find(|p| p.name == *name && p.threads == count && p.shape.replace('x', "×") == shape)
                .and_then(|point| point.seconds);
            point.map_or("–".to_owned(), |seconds| crate::units::time(seconds.median))
        };
        table.rows.push([name.clone()].into_iter().chain(sweep.asked.threads.iter().map(cell)).collect());
    }
    table
}

/// Machines, and versions of libraries.
fn versions(records: &[Record]) -> Table {
    let mut table = Table::new(&["what", "which"], &[]);
    let mut push = |what: &str, which: String| {
        let row = vec![what.to_owned(), which];
        if !table.rows.contains(&row) {
            table.rows.push(row);
        }
    };
    for record in records {
        let Machine { cpu, simd, threads, rustc, commit, date } = &record.machine;
        push("processor", format!("{cpu}, {simd}, {threads} threads"));
        push("compiler", rustc.clone());
        push("commit", format!("{commit}, measured {date}"));
        for entry in record.problem().into_iter().flat_map(|problem| &problem.entries) {
            if let Some(version) = &entry.version {
                push(&entry.name, version.clone());
            }
        }
    }
    table
}
