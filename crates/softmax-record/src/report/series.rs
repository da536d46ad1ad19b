//! The records of a sweep: one cost against one size.

use crate::comparison::Measured;
use crate::plot::Line;
use crate::record::{Record, Sweep, Task};
use crate::shape::Shape;
use crate::table::{Cell, Table};
use crate::units;

/// The records of one sweep, which differ only in the size that it varies.
pub(super) struct Series<'r> {
    pub(super) sweep: Sweep,
    /// The common shape. N or C is 0 if the sweep varies it.
    pub(super) shape: Shape,
    pub(super) records: Vec<&'r Record>,
}

/// All sweeps, in order of their first record.
pub(super) fn series(records: &[Record]) -> Vec<Series<'_>> {
    let mut all: Vec<Series<'_>> = Vec::new();
    for record in records {
        let Some(sweep) = record.asked.sweep else { continue };
        let shape = match (sweep, record.asked.shape) {
            (Sweep::Memory, shape) => Shape { n: 0, ..shape },
            (Sweep::Threads, shape) => shape,
            (Sweep::Classes | Sweep::Passes | Sweep::Storage, shape) => Shape { c: 0, ..shape },
        };
        match all.iter_mut().find(|series| series.sweep == sweep && series.shape == shape) {
            Some(series) => series.records.push(record),
            None => all.push(Series { sweep, shape, records: vec![record] }),
        }
    }
    all
}

impl Series<'_> {
    /// The value of the varied size.
    fn place(&self, task: &Task) -> usize {
        match self.sweep {
            Sweep::Memory => task.shape.n,
            Sweep::Threads => task.threads,
            Sweep::Classes | Sweep::Passes | Sweep::Storage => task.shape.c,
        }
    }

    /// The cost of a contender: bytes for [`Sweep::Memory`], else seconds.
    fn cost(&self, measured: &Measured) -> Option<f64> {
        match self.sweep {
            Sweep::Memory => measured.extra_bytes.map(|bytes| bytes as f64),
            _ => measured.time.map(|time| time.median_s),
        }
    }

    /// One line for each contender: its costs against the varied size.
    pub(super) fn lines(&self) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        for record in &self.records {
            for measured in &record.comparison.backends {
                let Some(cost) = self.cost(measured) else { continue };
                let point = (self.place(&record.asked) as f64, cost);
                match lines.iter_mut().find(|line| line.name == measured.name) {
                    Some(line) => line.points.push(point),
                    None => lines.push(Line { name: measured.name.clone(), points: vec![point] }),
                }
            }
        }
        lines
    }

    /// A row for each contender, and a column for each value of the varied size.
    pub(super) fn table(&self) -> Table {
        let places: Vec<usize> = self.records.iter().map(|record| self.place(&record.asked)).collect();
        let header = places.iter().map(|&place| match self.sweep {
            Sweep::Memory => format!("{place} samples"),
            Sweep::Threads => units::threads(place),
            Sweep::Classes | Sweep::Passes | Sweep::Storage => format!("{place} classes"),
        });
        let mut table = Table::new().words(["name"]).numbers(header);
        for Line { name, points } in self.lines() {
            let cell = |&place: &usize| {
                let cost = points.iter().find(|(at, _)| *at == place as f64).map(|(_, cost)| *cost);
                Cell::optional(cost, |cost| match self.sweep {
                    Sweep::Memory => units::bytes(cost as u64),
                    _ => units::seconds(cost),
                })
            };
            table.row([name.into()].into_iter().chain(places.iter().map(cell)));
        }
        table
    }
}
