//! Comparisons as text, Markdown and CSV.

use crate::comparison::{Comparison, Measured, ProblemRecord, Skipped};
use crate::palette::Palette;
use crate::record::{Record, Roofline};
use crate::table::{Cell, Table};
use crate::units;
use softmax_core::{OutputKind, Quantity};

impl Comparison {
    /// Text for a terminal: the problem, a row for each contender, the disagreements, and the verdict last.
    pub fn text(&self, palette: Palette) -> String {
        self.text_beside(None, palette)
    }

    fn text_beside(&self, roofline: Option<&Roofline>, palette: Palette) -> String {
        let ProblemRecord { cpu, dtype, .. } = &self.problem;
        let mut text = format!("{}\n{cpu}, {}\n", self.problem.headline(), self.problem.setting());
        let (arithmetic, loss) = (&self.reference.arithmetic, self.reference.loss);
        text += &format!("reference: {arithmetic}, loss {loss:.10}\n");
        if let Some(Roofline { flops, read_bytes, floor_s }) = roofline {
            let (gigaflops, gigabytes, floor) = (flops / 1e9, read_bytes / 1e9, units::seconds(*floor_s));
            text += &format!("floor: {floor}, {gigaflops:.0} GFLOP/s in {dtype}, {gigabytes:.1} GB/s\n");
        }
        text += &format!("\n{}\n", self.table(roofline).text(palette));
        if self.problem.gradients.len() > 1 {
            text += &format!("\n{}\n", self.gradient_errors().text(palette));
        }
        text.extend(self.remarks().map(|line| format!("\n{line}\n")));
        let verdict = self.verdict();
        text + &format!("\n{}\n", if self.agree { palette.good(verdict) } else { palette.bad(verdict) })
    }

    /// Markdown for a document: the problem, the table of [`text`](Comparison::text), and remarks.
    pub fn markdown(&self) -> String {
        let (problem, setting) = (self.problem.headline(), self.problem.setting());
        let mut text = format!("{problem}, {setting}.\n\n{}", self.table(None).markdown());
        text.extend(self.remarks().map(|line| format!("\n{line}\n")));
        text
    }

    /// A row for each contender, including those that were skipped. A cell without a number is empty.
    pub fn csv(&self) -> Table {
        let problem = ["backend", "n", "d", "c", "dtype", "threads", "agrees"];
        let errors = ["loss", "loss_error", "gradient_error", "dW_error", "db_error", "dX_error"];
        let time = ["median_s", "min_s", "mad_s", "rounds", "speedup"];
        let rest = ["extra_bytes", "gflops", "device_s", "note"];
        let columns: Vec<&str> = [&problem[..], &errors, &time, &rest].concat();
        let mut table = Table::new().words(columns.iter().copied());
        let ProblemRecord { shape, dtype, threads, .. } = &self.problem;
        let place = [shape.n, shape.d, shape.c].map(|size| size.to_string());
        let place = place.into_iter().chain([dtype.to_string(), threads.to_string()]);
        let blank = |number: Option<f64>| number.map_or(String::new(), |x| x.to_string());
        for backend in &self.backends {
            let notes: Vec<&str> = backend.failures.iter().map(|failure| failure.message.as_str()).collect();
            let mut row = vec![backend.name.clone()];
            row.extend(place.clone());
            row.push(if backend.agrees() { "yes" } else { "no" }.to_owned());
            row.extend([backend.loss, backend.loss_error, backend.gradient_error].map(|x| x.to_string()));
            let gradients = [
                Quantity::Output(OutputKind::WeightsGradient),
                Quantity::Output(OutputKind::BiasGradient),
                Quantity::Output(OutputKind::FeaturesGradient),
            ];
            row.extend(gradients.map(|gradient| blank(backend.errors.get(&gradient).copied())));
            let time = backend.time;
            row.extend([time.map(|t| t.median_s), time.map(|t| t.min_s), time.map(|t| t.mad_s)].map(blank));
            row.push(time.map_or(String::new(), |time| time.rounds.to_string()));
            row.push(blank(backend.speedup));
            row.push(backend.extra_bytes.map_or(String::new(), |bytes| bytes.to_string()));
            row.extend([blank(backend.gflops), blank(backend.device_s), notes.join("; ")]);
            table.row(row);
        }
        for Skipped { name, reason, .. } in &self.skipped {
            let mut row = vec![name.clone()];
            row.extend(place.clone());
            row.resize(columns.len() - 1, String::new());
            row.push(reason.clone());
            table.row(row);
        }
        table
    }

    fn table(&self, roofline: Option<&Roofline>) -> Table {
        let numbers = ["loss", "loss err", "grad err", "time", "speed-up", "memory"];
        let mut table = Table::new().words(["backend"]).numbers(numbers);
        table = table.numbers(roofline.map(|_| "of floor")).words(["agrees"]);
        for backend in &self.backends {
            let seconds = backend.time.map(|time| time.median_s);
            let mut row: Vec<Cell> = vec![
                backend.name.as_str().into(),
                units::loss(backend.loss).into(),
                units::error(backend.loss_error).into(),
                units::error(backend.gradient_error).into(),
                Cell::optional(seconds, units::seconds),
                Cell::optional(backend.speedup, units::factor),
                Cell::optional(backend.extra_bytes, units::bytes),
            ];
            row.extend(roofline.map(|roofline| {
                Cell::optional(seconds, |seconds| units::percent(roofline.floor_s / seconds))
            }));
            row.push(match backend.peer {
                true => "–".into(),
                false if backend.agrees() => "yes".into(),
                false => Cell::bad("NO"),
            });
            table.row(row);
        }
        table
    }

    fn gradient_errors(&self) -> Table {
        let gradients = &self.problem.gradients;
        let mut table = Table::new().words(["gradient error"]).numbers(gradients.iter().map(|g| g.symbol()));
        for backend in &self.backends {
            let error = |gradient| Cell::optional(backend.errors.get(gradient).copied(), units::error);
            table.row([backend.name.as_str().into()].into_iter().chain(gradients.iter().map(error)));
        }
        table
    }

    /// Remarks about device times, widened inputs, skipped contenders and disagreements.
    fn remarks(&self) -> impl Iterator<Item = String> {
        let on_device = |b: &Measured| Some(format!("{} {}", b.name, units::seconds(b.device_s?)));
        let on_device: Vec<String> = self.backends.iter().filter_map(on_device).collect();
        let devices =
            (!on_device.is_empty()).then(|| format!("Without transfers: {}.", on_device.join(", ")));
        let widened: Vec<&str> =
            self.backends.iter().filter(|b| b.widened).map(|b| b.name.as_str()).collect();
        let widened = (!widened.is_empty())
            .then(|| format!("Inputs were widened to {}: {}.", self.problem.dtype, widened.join(", ")));
        let skipped = self.skipped.iter().map(|s| format!("{} was skipped: {}", s.name, s.reason));
        let failures = self
            .backends
            .iter()
            .flat_map(|b| b.failures.iter().map(move |failure| format!("{}: {}", b.name, failure.message)));
        devices.into_iter().chain(widened).chain(skipped).chain(failures)
    }

    fn verdict(&self) -> String {
        let wrong: Vec<&str> = self.judged().filter(|b| !b.agrees()).map(|b| b.name.as_str()).collect();
        match (wrong.as_slice(), self.judged().count()) {
            ([], 0) => "Nothing was compared.".to_owned(),
            ([], 1) => "The backend agrees with the reference.".to_owned(),
            ([], count) => format!("All {count} backends agree with the reference."),
            (wrong, count) => format!("{} of {count} backends disagree: {}.", wrong.len(), wrong.join(", ")),
        }
    }
}

impl Record {
    /// The text of [`Comparison::text`], with the floor if that was measured.
    pub fn text(&self, palette: Palette) -> String {
        self.comparison.text_beside(self.roofline.as_ref(), palette)
    }
}

impl ProblemRecord {
    fn headline(&self) -> String {
        let ProblemRecord { source, shape, dtype, .. } = self;
        let empty = match self.classes_without_samples {
            0 => String::new(),
            count => format!(" ({count} of them without a sample)"),
        };
        let (n, d, c) = (shape.n, shape.d, shape.c);
        format!("{source}: {n} samples × {d} features × {c} classes{empty}, {dtype}")
    }

    fn setting(&self) -> String {
        format!("{}; loss and {}", units::threads(self.threads), self.gradients())
    }
}
