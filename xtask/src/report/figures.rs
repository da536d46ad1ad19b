//! Records as pictures.

use super::page::Figure;
use super::plot::{self, Line, Row, Scale};
use super::tables::names;
use crate::records::{Point, Record, Sweep};
use crate::units::{bytes, three_digits, time};

const SAMPLES: Scale = Scale { label: "samples", format: |n| format!("{n:.0}"), is_binary: false };
const CLASSES: Scale = Scale { label: "classes", format: |c| format!("{c:.0}"), is_binary: false };
const THREADS: Scale =
    Scale { label: "threads", format: |threads| format!("{threads:.0}"), is_binary: false };
const TIME: Scale = Scale { label: "time of a call, median", format: time, is_binary: false };
const MEMORY: Scale = Scale { label: "memory beyond inputs and outputs", format: bytes, is_binary: true };
const SPEEDUP: Scale = Scale {
    label: "speed-up over one thread",
    format: |x| format!("{}×", three_digits(x)),
    is_binary: false,
};

/// Each problem's floor over the times of everyone.
pub(crate) fn floor(records: &[Record]) -> anyhow::Result<Figure> {
    let rows: Vec<Row> = records
        .iter()
        .filter_map(Record::problem)
        .map(|problem| Row {
            name: problem.task.title(),
            dots: problem
                .timed()
                .map(|(entry, seconds)| (entry.name.clone(), problem.roofline.floor_s / seconds.median))
                .collect(),
        })
        .collect();
    Ok(Figure {
        name: "floor",
        description: "share of the machine's limits that each library reaches on each problem".to_owned(),
        svg: plot::shares(&rows, &names(records))?,
    })
}

pub(crate) fn memory(sweep: &Sweep) -> anyhow::Result<Figure> {
    let lines = lines(sweep, |_| true, |point| Some((size(point, 0)?, point.extra_bytes? as f64)));
    Ok(Figure {
        name: "memory",
        description: "memory of each library against the number of samples".to_owned(),
        svg: plot::lines(&lines, SAMPLES, MEMORY)?,
    })
}

/// One figure for each shape.
pub(crate) fn threads(sweep: &Sweep) -> anyhow::Result<Vec<(String, Figure)>> {
    let names = ["threads-1", "threads-2", "threads-3", "threads-4"];
    let figure = |(shape, name): (&String, &'static str)| {
        let alone = |name: &str| {
            let one = sweep.points.iter().find(|p| p.name == name && p.shape == *shape && p.threads == 1);
            Some(one?.seconds?.median)
        };
        let speedup =
            |point: &Point| Some((point.threads as f64, alone(&point.name)? / point.seconds?.median));
        let lines = lines(sweep, |point| point.shape == *shape, speedup);
        let title = shape.replace('x', "×");
        let description = format!("speed-up of each backend against the number of threads, {title}");
        Ok((title, Figure { name, description, svg: plot::lines(&lines, THREADS, SPEEDUP)? }))
    };
    sweep.asked.shapes.iter().zip(names).map(figure).collect()
}

pub(crate) fn classes(sweep: &Sweep) -> anyhow::Result<Figure> {
    let lines = lines(sweep, |_| true, |point| Some((size(point, 2)?, point.seconds?.median)));
    Ok(Figure {
        name: "classes",
        description: "time of the two kernels of fused against the number of classes".to_owned(),
        svg: plot::lines(&lines, CLASSES, TIME)?,
    })
}

/// A line for each name, of those points that are wanted.
fn lines(
    sweep: &Sweep,
    wanted: impl Fn(&Point) -> bool,
    place: impl Fn(&Point) -> Option<(f64, f64)>,
) -> Vec<Line> {
    let of = |name: &String| Line {
        name: name.clone(),
        points: sweep.points.iter().filter(|p| p.name == *name && wanted(p)).filter_map(&place).collect(),
    };
    sweep.asked.names.iter().map(of).filter(|line| !line.points.is_empty()).collect()
}

/// N, D or C.
fn size(point: &Point, place: usize) -> Option<f64> {
    point.shape.split('x').nth(place)?.parse().ok()
}
