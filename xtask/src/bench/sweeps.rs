//! One thing against another: memory against samples, time against threads, time against classes.

use super::contest::{Contest, take_turns};
use crate::records::{Asked, Found, Point, Seconds, Sweep, Task};
use serde::Deserialize;

/// What is swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Memory,
    Threads,
    Classes,
}

/// Problems of a vocabulary, where the scores are what takes memory.
const MEMORY: [&str; 4] = ["256x64x2048", "1024x64x2048", "4096x64x2048", "16384x64x2048"];

/// One of few classes and one of many.
const THREADS: [&str; 2] = ["16384x784x10", "512x1024x1000"];

/// Classes, in multiples of vectors and between them, and the samples and features that go with them.
const CLASSES: [usize; 13] = [2, 4, 7, 10, 16, 24, 32, 48, 64, 96, 128, 192, 256];
const SAMPLES: usize = 8192;
const FEATURES: usize = 784;

impl Kind {
    pub(crate) const ALL: [Kind; 3] = [Kind::Memory, Kind::Threads, Kind::Classes];

    /// What there is to be measured.
    pub(crate) fn asked(self, contest: &Contest<'_>, threads: usize) -> Asked {
        let owned = |shapes: &[&str]| shapes.iter().map(|&shape| shape.to_owned()).collect();
        match self {
            Kind::Memory => Asked { shapes: owned(&MEMORY), names: contest.names(), threads: vec![threads] },
            Kind::Threads => {
                let powers = (0..).map(|power| 1 << power).take_while(|&count| count < threads);
                let counts = powers.chain([threads]).collect();
                Asked { shapes: owned(&THREADS), names: contest.backends.to_vec(), threads: counts }
            }
            Kind::Classes => Asked {
                shapes: CLASSES.iter().map(|classes| format!("{SAMPLES}x{FEATURES}x{classes}")).collect(),
                names: vec!["narrow".to_owned(), "wide".to_owned()],
                threads: vec![threads],
            },
        }
    }

    /// Measures it, with so many seconds for each shape.
    pub(crate) fn measure(self, contest: &Contest<'_>, asked: Asked, seconds: f64) -> anyhow::Result<Found> {
        let points = match self {
            Kind::Memory => memory(contest, &asked)?,
            Kind::Threads => threads(contest, &asked, seconds)?,
            Kind::Classes => classes(contest, &asked, seconds)?,
        };
        let sweep = Sweep { asked, points };
        Ok(match self {
            Kind::Memory => Found::Memory(sweep),
            Kind::Threads => Found::Threads(sweep),
            Kind::Classes => Found::Classes(sweep),
        })
    }

    /// What was measured, if it is this.
    pub(crate) fn of(self, found: &Found) -> Option<&Sweep> {
        match (self, found) {
            (Kind::Memory, Found::Memory(sweep))
            | (Kind::Threads, Found::Threads(sweep))
            | (Kind::Classes, Found::Classes(sweep)) => Some(sweep),
            _ => None,
        }
    }
}

fn plain(shape: &str) -> Task {
    Task { shape: shape.to_owned(), dtype: "f32".to_owned(), dx: false }
}

/// What the first evaluation takes. Whoever can't is left out.
fn memory(contest: &Contest<'_>, asked: &Asked) -> anyhow::Result<Vec<Point>> {
    let mut points = Vec::new();
    for shape in &asked.shapes {
        let task = plain(shape);
        let problem = contest.write_problem(&task)?;
        for name in &asked.names {
            eprintln!("memory, {shape}: {name}");
            for &threads in &asked.threads {
                let Ok(contender) = contest.start(name, &task, &problem, threads) else { continue };
                points.push(Point {
                    name: name.clone(),
                    shape: shape.clone(),
                    threads,
                    seconds: None,
                    extra_bytes: contender.worker.ready.extra_bytes,
                });
            }
        }
    }
    Ok(points)
}

fn threads(contest: &Contest<'_>, asked: &Asked, seconds: f64) -> anyhow::Result<Vec<Point>> {
    let mut points = Vec::new();
    for shape in &asked.shapes {
        eprintln!("threads, {shape}");
        let task = plain(shape);
        let problem = contest.write_problem(&task)?;
        let mut contenders = Vec::new();
        for name in &asked.names {
            for &threads in &asked.threads {
                contenders.push(contest.start(name, &task, &problem, threads)?);
            }
        }
        take_turns(&mut contenders, seconds)?;
        points.extend(contenders.into_iter().map(|contender| Point {
            seconds: contender.seconds(),
            name: contender.name,
            shape: shape.clone(),
            threads: contender.threads,
            extra_bytes: None,
        }));
    }
    Ok(points)
}

/// As `softmax workbench kernels` prints it.
#[derive(Deserialize)]
struct Kernels {
    classes: usize,
    narrow: Option<Seconds>,
    wide: Option<Seconds>,
}

fn classes(contest: &Contest<'_>, asked: &Asked, seconds: f64) -> anyhow::Result<Vec<Point>> {
    eprintln!("classes");
    let list = CLASSES.map(|classes| classes.to_string()).join(",");
    let [samples, features, threads] = [SAMPLES, FEATURES, asked.threads[0]].map(|x| x.to_string());
    let budget = seconds.to_string();
    let sizes = ["--samples", &samples, "--features", &features, "--classes", &list];
    let how = ["--threads", &threads, "--time-budget", &budget];
    let text = String::from_utf8(contest.workbench(&[&["kernels"], &sizes[..], &how[..]].concat(), &[])?)?;
    let mut points = Vec::new();
    for line in text.lines() {
        let Kernels { classes, narrow, wide } = serde_json::from_str(line)?;
        for (name, seconds) in [("narrow", narrow), ("wide", wide)] {
            points.extend(seconds.map(|seconds| Point {
                name: name.to_owned(),
                shape: format!("{SAMPLES}x{FEATURES}x{classes}"),
                threads: asked.threads[0],
                seconds: Some(seconds),
                extra_bytes: None,
            }));
        }
    }
    Ok(points)
}
