//! The lines of a measurement file.

use crate::comparison::{Comparison, Measured};
use crate::machine::Machine;
use crate::shape::Shape;
use crate::time::Time;
use crate::units;
use serde::{Deserialize, Serialize};
use softmax_core::Dtype;

/// The backend that reports are about.
pub const SUBJECT: &str = "fused";

/// A line of the file that `softmax bench` writes: a comparison, its task and its origin.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Record {
    /// The keys of `compare --format json`.
    #[serde(flatten)]
    pub comparison: Comparison,
    /// The limits of the machine, measured just after the comparison.
    #[serde(default)]
    pub roofline: Option<Roofline>,
    /// The request, by which `--resume` recognises the record.
    pub asked: Task,
    /// The version of the program.
    pub version: String,
    /// The command line.
    #[serde(default)]
    pub command: Option<String>,
    /// The machine.
    #[serde(default)]
    pub machine: Option<Machine>,
}

/// The request of a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Task {
    /// Samples, features, classes.
    #[serde(flatten)]
    pub shape: Shape,
    /// The element type of inputs and outputs.
    pub dtype: Dtype,
    /// The number of threads that each contender may use.
    pub threads: usize,
    /// Whether dX is requested as well.
    pub dx: bool,
    /// The seed of the random problem.
    pub seed: u64,
    /// The contenders.
    pub backends: Vec<String>,
    /// Whether each runs in a process of its own.
    #[serde(default)]
    pub isolated: bool,
    /// The sweep that the comparison belongs to.
    #[serde(default)]
    pub sweep: Option<Sweep>,
}

/// A series of measurements: one cost against one size, all else equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sweep {
    /// Memory against the number of samples.
    Memory,
    /// Time against the number of threads.
    Threads,
    /// Time of the two kernels of `fused` against the number of classes.
    Classes,
    /// Time of `fused` in one pass and in two against the number of classes.
    Passes,
    /// Time of `fused` with features in f32, f16 and bf16 against the number of classes.
    Storage,
}

impl Sweep {
    /// Whether its contenders are `fused` in several ways, which take turns in one process.
    pub fn is_of_subject(self) -> bool {
        matches!(self, Sweep::Classes | Sweep::Passes | Sweep::Storage)
    }
}

/// The limits of a machine, and the minimum time of a problem that follows from them.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Roofline {
    /// Floating-point operations per second in the problem's type.
    pub flops: f64,
    /// Bytes per second read from memory.
    pub read_bytes: f64,
    /// The minimum time (floor) of the problem, in seconds.
    pub floor_s: f64,
}

impl Record {
    /// The contenders that were timed, with their times.
    pub fn timed(&self) -> impl Iterator<Item = (&Measured, Time)> {
        self.comparison.backends.iter().filter_map(|measured| Some((measured, measured.time?)))
    }

    /// The time of a contender.
    pub fn time_of(&self, name: &str) -> Option<Time> {
        self.timed().find(|(measured, _)| measured.name == name).map(|(_, time)| time)
    }

    /// The contenders that were timed, without [`SUBJECT`].
    pub fn others(&self) -> impl Iterator<Item = (&Measured, Time)> {
        self.timed().filter(|(measured, _)| measured.name != SUBJECT)
    }

    /// The fastest of the [`others`](Record::others), by its median.
    pub fn best_other(&self) -> Option<(&Measured, Time)> {
        self.others().min_by(|a, b| a.1.median_s.total_cmp(&b.1.median_s))
    }

    /// The floor divided by this time.
    pub fn share_of_floor(&self, time: Time) -> Option<f64> {
        self.roofline.map(|roofline| roofline.floor_s / time.median_s)
    }
}

impl Task {
    /// A description of the problem: `500×3073×10 f32, dX too, 2 threads`.
    pub fn title(&self) -> String {
        let gradients = if self.dx { ", dX too" } else { "" };
        format!("{} {}{gradients}, {}", self.shape.title(), self.dtype, units::threads(self.threads))
    }
}
