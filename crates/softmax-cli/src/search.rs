//! `softmax verify --minutes` and `--problems`: random problems for a time or in a given number. Each finding is
//! printed with the command that reproduces it.

use crate::args::{Format, VerifyArgs};
use crate::interrupt;
use crate::json::write_json;
use crate::progress::Progress;
use crate::verdict::Verdict;
use serde::Serialize;
use softmax::{BackendElement, Entry, Error, Setup, SoftmaxBackend};
use softmax_conformance::RandomProblem;
use softmax_record::{Palette, Table};
use std::io::Write;
use std::time::{Duration, Instant};

/// The number of findings after which the search on a backend stops.
const MOST_FINDINGS: usize = 10;

/// The length of a search.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Extent {
    /// A time for each backend.
    Time(Duration),
    /// A number of problems for each backend.
    Count(usize),
}

impl Extent {
    /// The length on the command line. `None` if it does not request a search.
    pub(crate) fn of(args: &VerifyArgs) -> Option<Self> {
        let time = args.minutes.map(|minutes| Extent::Time(Duration::from_secs_f64(60.0 * minutes)));
        time.or(args.problems.map(Extent::Count))
    }
}

/// The result of the search on a backend.
#[derive(Debug, Serialize)]
struct Search {
    backend: String,
    /// The number of problems that were judged, in both element types together.
    problems: usize,
    /// The number of problems that the backend does not support, in both element types together.
    unsupported: usize,
    findings: Vec<Finding>,
    #[serde(skip)]
    interrupted: bool,
}

/// A wrong answer.
#[derive(Debug, Serialize)]
struct Finding {
    seed: u64,
    dtype: &'static str,
    problem: String,
    messages: Vec<String>,
}

pub(crate) fn run(
    args: &VerifyArgs,
    extent: Extent,
    entries: &[&Entry],
    setup: Setup,
    palette: Palette,
    out: &mut dyn Write,
) -> anyhow::Result<Verdict> {
    interrupt::listen();
    let mut searches = Vec::new();
    for entry in entries {
        searches.push(search(entry, setup, extent, args.seed));
        if interrupt::requested() {
            break;
        }
    }
    match args.format {
        Format::Json => write_json(&searches, out)?,
        Format::Table => write_table(&searches, palette, out)?,
    }
    Ok(if searches.iter().any(|search| search.interrupted) {
        Verdict::Interrupted
    } else if searches.iter().all(|search| search.findings.is_empty()) {
        Verdict::AllAgree
    } else {
        Verdict::Disagreement
    })
}

/// Evaluates random problems with one instance of the backend for each element type. After a wrong answer the instance
/// is replaced, so that each finding is independent of the earlier ones.
fn search(entry: &Entry, setup: Setup, extent: Extent, first_seed: u64) -> Search {
    let mut single: Box<dyn SoftmaxBackend<f32>> = entry.make(setup);
    let mut double: Box<dyn SoftmaxBackend<f64>> = entry.make(setup);
    let mut search = Search {
        backend: entry.name().to_owned(),
        problems: 0,
        unsupported: 0,
        findings: Vec::new(),
        interrupted: false,
    };
    let progress = Progress::new(1);
    progress.doing(format!("{} random problems", entry.name()));
    let start = Instant::now();
    for (done, seed) in (first_seed..).enumerate() {
        let (at, of, is_over) = match extent {
            Extent::Count(count) => (done, count, done >= count),
            Extent::Time(time) => {
                let elapsed = start.elapsed();
                (elapsed.as_secs() as usize, time.as_secs() as usize, elapsed >= time)
            }
        };
        progress.at(at, of);
        search.interrupted = interrupt::requested();
        if is_over || search.interrupted || search.findings.len() >= MOST_FINDINGS {
            break;
        }
        let problem = RandomProblem::new(seed);
        match search.judge(&problem, seed, single.as_mut()) {
            Judged::Right => {}
            Judged::Wrong => single = entry.make(setup),
            Judged::Gone => break,
        }
        match search.judge(&problem, seed, double.as_mut()) {
            Judged::Right => {}
            Judged::Wrong => double = entry.make(setup),
            Judged::Gone => break,
        }
    }
    search
}

/// The judgement of an answer.
enum Judged {
    /// The answer is right, or the backend does not support the problem.
    Right,
    Wrong,
    /// There is no answer, and the backend will not give another.
    Gone,
}

impl Search {
    fn judge<T: BackendElement>(
        &mut self,
        problem: &RandomProblem,
        seed: u64,
        backend: &mut dyn SoftmaxBackend<T>,
    ) -> Judged {
        let (messages, judged) = match problem.judge(backend) {
            Err(Error::Unsupported { .. }) => {
                self.unsupported += 1;
                return Judged::Right;
            }
            Err(error @ Error::Gone { .. }) => (vec![error.to_string()], Judged::Gone),
            Err(error) => (vec![error.to_string()], Judged::Wrong),
            Ok(messages) => (messages, Judged::Wrong),
        };
        self.problems += 1;
        if messages.is_empty() {
            return Judged::Right;
        }
        let (dtype, problem) = (T::DTYPE.name(), problem.to_string());
        self.findings.push(Finding { seed, dtype, problem, messages });
        judged
    }
}

fn write_table(searches: &[Search], palette: Palette, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut table = Table::new().words(["backend"]).numbers(["answers", "not supported", "wrong"]);
    for search in searches {
        let counts =
            [search.problems, search.unsupported, search.findings.len()].map(|count| count.to_string());
        table.row([vec![search.backend.clone()], counts.to_vec()].concat());
    }
    writeln!(out, "{}", table.text(palette))?;
    for search in searches {
        for finding in &search.findings {
            let Finding { seed, dtype, problem, messages } = finding;
            writeln!(out, "\n{} {dtype} {}", search.backend, palette.bad(format!("FAILED {problem}")))?;
            messages.iter().try_for_each(|message| writeln!(out, "  {message}"))?;
            let backend = &search.backend;
            writeln!(out, "  again: softmax verify --backends {backend} --seed {seed} --problems 1")?;
        }
    }
    Ok(())
}
