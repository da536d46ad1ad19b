//! What the conformance suite finds out about another library.

use crate::comparison::Comparison;
use serde::{Deserialize, Serialize};
use softmax_core::{Dtype, Feature};

/// All that `cargo xtask libraries` finds out.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Libraries {
    /// The libraries, in the order in which they are shown.
    pub libraries: Vec<Library>,
    /// The ways to be wrong, the worst first, each with what it means.
    pub symptoms: Vec<(String, String)>,
    /// All of them on the digits, in each element type.
    pub digits: Vec<Comparison>,
}

/// A library, by one way to use it, as the conformance suite judges it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Library {
    /// Its name as a backend.
    pub name: String,
    /// What it says that it is.
    pub version: String,
    /// The command that judges it.
    pub command: String,
    /// Seconds of the suite.
    pub seconds: f64,
    /// Why not all cases were requested, where they were not.
    pub limited: Option<String>,
    /// What it does not have.
    pub lacks: Vec<Feature>,
    /// The suite in each element type that it has.
    pub runs: Vec<LibraryRun>,
    /// What is wrong, by symptom, the worst first.
    pub findings: Vec<Finding>,
}

/// A run of the suite.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct LibraryRun {
    /// The element type.
    pub dtype: Dtype,
    /// How many cases ran.
    pub ran: usize,
    /// How many ask for something that it does not have.
    pub unsupported: usize,
    /// How many are wrong.
    pub wrong: usize,
}

/// Cases that are wrong in the same way.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Finding {
    /// The symptom.
    pub symptom: String,
    /// How many cases, of all element types.
    pub cases: usize,
    /// The name of the smallest.
    pub case: String,
    /// Its element type.
    pub dtype: Dtype,
    /// Its size and its options in words, where it is one problem.
    pub problem: Option<String>,
    /// What was expected, and what was found.
    pub message: String,
}

impl Library {
    /// How many cases ran, in all types together.
    pub fn ran(&self) -> usize {
        self.runs.iter().map(|run| run.ran).sum()
    }

    /// How many are unsupported.
    pub fn unsupported(&self) -> usize {
        self.runs.iter().map(|run| run.unsupported).sum()
    }

    /// How many are wrong.
    pub fn wrong(&self) -> usize {
        self.runs.iter().map(|run| run.wrong).sum()
    }

    /// How many are wrong in one way.
    pub fn wrong_by(&self, symptom: &str) -> usize {
        self.findings.iter().find(|finding| finding.symptom == symptom).map_or(0, |finding| finding.cases)
    }
}
