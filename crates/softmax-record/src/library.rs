//! Results of the conformance suite for other libraries.

use crate::comparison::Comparison;
use serde::{Deserialize, Serialize};
use softmax_core::{Dtype, Feature};

/// The results of `cargo xtask libraries`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Libraries {
    /// The libraries, in display order.
    pub libraries: Vec<Library>,
    /// The symptoms of wrong cases, worst first: name and meaning.
    pub symptoms: Vec<(String, String)>,
    /// The comparison of all libraries on the digits, in each element type.
    pub digits: Vec<Comparison>,
}

/// The results of the conformance suite for one way to use a library.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Library {
    /// The backend's name.
    pub name: String,
    /// The library and version that it reports.
    pub version: String,
    /// The command that runs the suite on it.
    pub command: String,
    /// The time of the suite in seconds.
    pub seconds: f64,
    /// Why some cases were left out, if any were.
    pub limited: Option<String>,
    /// The features that it does not support.
    pub lacks: Vec<Feature>,
    /// One run for each element type that it supports.
    pub runs: Vec<LibraryRun>,
    /// The wrong cases by symptom, worst first.
    pub findings: Vec<Finding>,
}

/// A run of the suite in one element type.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct LibraryRun {
    /// The element type.
    pub dtype: Dtype,
    /// The number of cases that ran.
    pub ran: usize,
    /// The number of cases that need an unsupported feature.
    pub unsupported: usize,
    /// The number of wrong cases.
    pub wrong: usize,
}

/// Cases that are wrong in the same way.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Finding {
    /// The symptom.
    pub symptom: String,
    /// The number of cases, in all element types.
    pub cases: usize,
    /// The name of the smallest case.
    pub case: String,
    /// The element type of the smallest case.
    pub dtype: Dtype,
    /// The size and options of the smallest case, if it is a single problem.
    pub problem: Option<String>,
    /// What was expected and what was found.
    pub message: String,
}

impl Library {
    /// The number of cases that ran, over all element types.
    pub fn ran(&self) -> usize {
        self.runs.iter().map(|run| run.ran).sum()
    }

    /// The number of unsupported cases, over all element types.
    pub fn unsupported(&self) -> usize {
        self.runs.iter().map(|run| run.unsupported).sum()
    }

    /// The number of wrong cases, over all element types.
    pub fn wrong(&self) -> usize {
        self.runs.iter().map(|run| run.wrong).sum()
    }

    /// The number of wrong cases with this symptom.
    pub fn wrong_by(&self, symptom: &str) -> usize {
        self.findings.iter().find(|finding| finding.symptom == symptom).map_or(0, |finding| finding.cases)
    }
}
