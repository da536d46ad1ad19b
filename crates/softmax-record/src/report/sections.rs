//! Builds the sections of a report from records.

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

/// The report on records, on changes since a baseline, on other libraries, and on solvers.
///
/// # Errors
/// If a picture can't be drawn.
pub fn page(
    records: &[Record],
    baseline: Option<&[Record]>,
    libraries: Option<&Libraries>,
    trainings: &[Training],
) -> Result<Page, PlotError> {
    let mut sections = Vec::new();
    if problems(records).next().is_some() {
        sections.push(Section {
            title: "Time".to_owned(),
            text: "Median times of loss and gradients with fused and with the fastest of all others; the calls took turns. The \
                   figure shows which share of the floor each library reaches: more is better. The floor is the time in which \
                   this processor can do the multiply-adds or read X once, as measured before each problem."
                .to_owned(),
            figure: floor(records)?,
            table: Some(tables::summary(records)),
            ..Section::default()
        });
        sections.push(Section {
            title: "Side by side".to_owned(),
            text: "Median times of all libraries, with the median absolute deviation.".to_owned(),
            table: Some(tables::side_by_side(records)),
            ..Section::default()
        });
        sections.push(Section {
            title: "Accuracy".to_owned(),
            text: "The largest error of each library over these problems, against a reference in double-double arithmetic (f64 \
                   for large problems). The error of the loss is relative to the loss; that of a gradient is its largest \
                   difference relative to its largest entry."
                .to_owned(),
            table: Some(tables::accuracy(records)),
            ..Section::default()
        });
    }
    for series in series(records) {
        sections.push(of_sweep(&series)?);
    }
    if let Some(baseline) = baseline {
        sections.push(Section {
            title: "Since the baseline".to_owned(),
            text: "A difference within the deviations of the two runs is noise.".to_owned(),
            table: Some(change::changes(records, baseline)),
            ..Section::default()
        });
    }
    sections.extend(trainings::sections(trainings)?);
    sections.extend(libraries.map_or_else(Vec::new, libraries::sections));
    sections.push(Section {
        title: "Where and how".to_owned(),
        text: "These commands made the measurements. benches/METHODOLOGY.md describes the method, what it does not measure, and \
               where it is biased."
            .to_owned(),
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
    let of_subject =
        |ways: &str| format!("{ways}: {} samples and {} features, loss and dW, f32.", shape.n, shape.d);
    let (name, title, text, x, y) = match series.sweep {
        Sweep::Memory => {
            let label = "memory beyond inputs and outputs";
            let bytes = Axis { label, format: |bytes| units::bytes(bytes as u64), is_binary: true };
            let text = format!(
                "The peak memory of one evaluation with {} features and {} classes, beyond its inputs and outputs. For the \
                 backends of this project the allocator counts it; for other libraries it is the growth of the process.",
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
            let mut text = "The speed-up of each library over itself on one thread.".to_owned();
            let most = lines.iter().flat_map(|line| line.points.iter().map(move |point| (line, point)));
            let noise: Vec<String> = most
                .filter(|(_, (threads, speedup))| speedup > threads)
                .map(|(line, (threads, speedup))| {
                    format!("{} {} on {threads:.0} threads", line.name, units::factor(*speedup))
                })
                .collect();
            if !noise.is_empty() {
                text += &format!(" A speed-up above the number of threads is noise: {}.", noise.join(", "));
            }
            (
                format!("threads-{shape}"),
                format!("Threads, {}", shape.title()),
                text,
                plain("threads"),
                speedup,
            )
        }
        Sweep::Classes => {
            let text = of_subject(
                "The kernel of fused for up to 64 classes, narrow, and the one for any number, wide",
            );
            ("classes".to_owned(), "Few classes and many".to_owned(), text, plain("classes"), time)
        }
        Sweep::Passes => {
            let text = of_subject(
                "fused in one pass, which computes 4·N·D·C operations, and in two, which compute the scores twice: 6·N·D·C",
            );
            ("passes".to_owned(), "One pass and two".to_owned(), text, plain("classes"), time)
        }
        Sweep::Storage => {
            let text = of_subject(
                "fused with the same features stored in f32, f16 and bf16, which give the same bits",
            );
            ("storage".to_owned(), "Half precision".to_owned(), text, plain("classes"), time)
        }
    };
    let description = format!("{title}: {} of each against {}", y.label, x.label);
    let svg = plot::lines(&description, &lines, x, y)?;
    let legend = plot::legend(lines.iter().map(|line| line.name.as_str()));
    let figure = Some(Figure { name, description, svg, legend });
    Ok(Section { title, text, figure, table: Some(series.table()), ..Section::default() })
}

/// A figure of each problem's floor divided by the time of each contender. `None` if no floor was measured.
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
    let description =
        "share of the floor that each library reaches on each problem; more is better".to_owned();
    let svg = plot::shares(&description, &rows, &names(records))?;
    // The plot has its own legend.
    Ok(Some(Figure { name: "floor".to_owned(), description, svg, legend: Vec::new() }))
}
