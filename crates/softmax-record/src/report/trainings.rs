//! The section that compares the solvers of `softmax fit`.

use super::page::{Figure, Section};
use crate::plot::{self, Axis, Line, PlotError};
use crate::table::Table;
use crate::training::Training;
use crate::units;

/// The number of points to which a line is thinned. Its last point is added in any case.
const MOST_POINTS: usize = 60;

/// A section for each data set, in order of appearance.
pub(super) fn sections(trainings: &[Training]) -> Result<Vec<Section>, PlotError> {
    let mut data: Vec<&str> = trainings.iter().map(|training| training.data.as_str()).collect();
    data.dedup();
    let of = |(k, data): (usize, &&str)| {
        let trainings: Vec<&Training> = trainings.iter().filter(|training| training.data == *data).collect();
        section(k, data, &trainings)
    };
    data.iter().enumerate().map(of).collect()
}

fn section(k: usize, data: &str, trainings: &[&Training]) -> Result<Section, PlotError> {
    let description = format!("largest |gradient| of each solver against time, {data}");
    let lines: Vec<Line> = trainings.iter().map(|training| line(training)).collect();
    let time = Axis { label: "time since the start", format: units::seconds, is_binary: false };
    let gradient = Axis { label: "largest |gradient|", format: |y| format!("{y:e}"), is_binary: false };
    let svg = plot::lines(&description, &lines, time, gradient)?;
    let legend = plot::legend(lines.iter().map(|line| line.name.as_str()));
    let machine = trainings.first().map_or("", |training| training.machine.as_str());
    Ok(Section {
        title: format!("Training: {data}"),
        text: format!("The largest |gradient| of each solver of softmax fit against time, on {machine}."),
        figure: Some(Figure { name: format!("training-{}", k + 1), description, svg, legend }),
        table: Some(table(trainings)),
        commands: trainings.iter().map(|training| training.command.clone()).collect(),
    })
}

fn line(training: &Training) -> Line {
    let thinned = training.curve.len().div_ceil(MOST_POINTS).max(1);
    // The first point is at time 0, which a logarithmic axis does not have.
    let points = training.curve.iter().skip(1).step_by(thinned).chain(training.curve.last());
    let points = points.map(|point| (point.seconds, point.gradient_max));
    Line { name: training.solver.clone(), points: points.filter(|&(x, y)| x > 0.0 && y > 0.0).collect() }
}

fn table(trainings: &[&Training]) -> Table {
    let mut table = Table::new().words(["solver"]).numbers(["iterations", "evaluations", "time", "loss"]);
    table = table.numbers(["largest |gradient|"]).words(["converged"]);
    for training in trainings {
        let Some(last) = training.curve.last() else { continue };
        table.row([
            training.solver.clone(),
            last.iteration.to_string(),
            last.evaluations.to_string(),
            units::seconds(last.seconds),
            units::loss(last.loss),
            units::error(last.gradient_max),
            if training.converged { "yes" } else { "no" }.to_owned(),
        ]);
    }
    table
}
