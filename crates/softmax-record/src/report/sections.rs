//! The sections of a report, from records.

use super::page::{Figure, Page, Section};
use super::provenance::{commands, versions};
use super::series::{Series, series};
use super::tables::{names, problems};
use super::{change, libraries, summary, tables, trainings};
use crate::library::Libraries;
use crate::plot::{self, Axis, Line, PlotError, Row};
use crate::record::{Record, Sweep};
use crate::training::Training;
use crate::units;

/// The report of records, of what has changed since a baseline, of other libraries, and of solvers.
///
/// # Errors
/// If a picture can't be drawn.
pub fn page(
    records: &[Record],
    baseline: Option<&[Record]>,
    libraries: Option<&Libraries>,
    trainings: &[Training],
) -> Result<Page, PlotError> {
    let of_problems = commands(problems(records));
    let mut sections = Vec::new();
    if problems(records).next().is_some() {
        sections.push(Section {
            title: "Time".to_owned(),
            text: "Loss and gradients of fused beside the fastest of all others, medians of calls that took turns; and how \
                   much of the machine's limits each library reaches, as measured just before each problem: the floor is \
                   the time in which the processor could do the multiply-adds, or read X once."
                .to_owned(),
            figure: floor(records)?,
            table: Some(tables::summary(records)),
            commands: of_problems.clone(),
        });
        sections.push(Section {
            title: "Side by side".to_owned(),
            text: "All of them, median and median absolute deviation.".to_owned(),
            table: Some(tables::side_by_side(records)),
            commands: of_problems.clone(),
            ..Section::default()
        });
        sections.push(Section {
            title: "Accuracy".to_owned(),
            text: "The worst error of each over these problems, by an oracle in double-double arithmetic (f64 where a problem \
                   is large): the loss's relative to itself, a gradient's largest difference relative to its largest entry."
                .to_owned(),
            table: Some(tables::accuracy(records)),
            commands: of_problems.clone(),
            ..Section::default()
        });
    }
    for series in series(records) {
        sections.push(of_sweep(&series)?);
    }
    if let Some(baseline) = baseline {
        sections.push(Section {
            title: "Since the baseline".to_owned(),
            text: "A difference that is within the deviations of the two runs is called noise.".to_owned(),
            table: Some(change::changes(records, baseline)),
            commands: of_problems,
            ..Section::default()
        });
    }
    sections.extend(trainings::sections(trainings)?);
    sections.extend(libraries.map_or_else(Vec::new, libraries::sections));
    sections.push(Section {
        title: "Where and how".to_owned(),
        text: "benches/METHODOLOGY.md says how this was measured, what it does not measure, and where it is biased.".to_owned(),
        table: Some(versions(records)),
        commands: commands(records),
        ..Section::default()
    });
    Ok(Page { title: "Which softmax backend?".to_owned(), summary: summary::sentences(records), sections })
}

fn of_sweep(series: &Series<'_>) -> Result<Section, PlotError> {
    let shape = series.shape;
    let count = |count| format!("{count:.0}");
    let plain = |label| Axis { label, format: count, is_binary: false };
    let time = Axis { label: "time of a call, median", format: units::seconds, is_binary: false };
    let mut lines = series.lines();
    let (name, title, text, x, y) = match series.sweep {
        Sweep::Memory => {
            let label = "memory beyond inputs and outputs";
            let bytes = Axis { label, format: |bytes| units::bytes(bytes as u64), is_binary: true };
            let text = format!(
                "What one evaluation of N samples, {} features, {} classes, holds beyond its inputs and outputs at most. \
                 Our backends' is counted by the allocator, other libraries' is the growth of the process.",
                shape.d, shape.c
            );
            ("memory".to_owned(), "Memory against samples".to_owned(), text, plain("samples"), bytes)
        }
        Sweep::Threads => {
            let speedup = Axis { label: "speed-up over one thread", format: units::factor, is_binary: false };
            for Line { points, .. } in &mut lines {
                let alone = points.iter().find(|(threads, _)| *threads == 1.0).map_or(f64::NAN, |one| one.1);
                points.iter_mut().for_each(|(_, cost)| *cost = alone / *cost);
            }
            let text = "How much faster each is than itself on one thread.".to_owned();
            (
                format!("threads-{shape}"),
                format!("Threads, {}", shape.title()),
                text,
                plain("threads"),
                speedup,
            )
        }
        Sweep::Classes => {
            let text = "fused has a kernel for few classes, up to 64, and one for many: the time of both against the number \
                        of classes, on one problem."
                .to_owned();
            ("classes".to_owned(), "Few classes and many".to_owned(), text, plain("classes"), time)
        }
    };
    let description = format!("{title}: {} of each against {}", y.label, x.label);
    let svg = plot::lines(&description, &lines, x, y)?;
    let figure = Some(Figure { name, description, svg });
    let commands = commands(series.records.iter().copied());
    Ok(Section { title, text, figure, table: Some(series.table()), commands })
}

/// Each problem's floor over the times of all, where a floor was measured.
fn floor(records: &[Record]) -> Result<Option<Figure>, PlotError> {
    let row = |record: &Record| {
        let dots =
            record.timed().filter_map(|(one, time)| Some((one.name.clone(), record.share_of_floor(time)?)));
        Row { name: record.asked.title(), dots: dots.collect() }
    };
    let rows: Vec<Row> = problems(records).filter(|record| record.roofline.is_some()).map(row).collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let description = "share of the machine's limits that each library reaches on each problem".to_owned();
    let svg = plot::shares(&description, &rows, &names(records))?;
    Ok(Some(Figure { name: "floor".to_owned(), description, svg }))
}
