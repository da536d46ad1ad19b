//! Checks of the files to write: each is in an existing folder, none is also read, and no two are the same file.

use crate::args::{BenchArgs, CompareArgs, EvalArgs};
use crate::data_args::DataArgs;
use crate::fit_args::{FitArgs, PredictArgs, Validation};
use anyhow::Context;
use softmax_data::{ReadOptions, check_destination, files, is_same_file};
use std::path::{Path, PathBuf};

/// A flag and the file that it names.
type Named<'a> = (&'static str, &'a Path);

pub(crate) fn check_compare(args: &CompareArgs) -> anyhow::Result<()> {
    let outputs = [("--output", &args.output), ("--plot", &args.plot)];
    let outputs: Vec<Named<'_>> =
        outputs.into_iter().filter_map(|(flag, path)| Some((flag, path.as_deref()?))).collect();
    let mut inputs = inputs(&args.problem.data);
    inputs.extend(args.problem.weights.iter().map(|path| ("--weights", path.clone())));
    check(&inputs, &outputs)
}

pub(crate) fn check_fit(args: &FitArgs) -> anyhow::Result<()> {
    let mut inputs = inputs(&args.data);
    if let Some(Validation::File(path)) = &args.validation {
        inputs.extend(files_of("--validation", path, &args.data));
    }
    let plot = args.plot.as_deref().map(|path| ("--plot", path));
    let outputs: Vec<Named<'_>> = [("--out", args.out.as_path())].into_iter().chain(plot).collect();
    check(&inputs, &outputs)
}

pub(crate) fn check_predict(args: &PredictArgs) -> anyhow::Result<()> {
    let mut inputs = inputs(&args.data);
    inputs.push(("--model", args.model.clone()));
    check(&inputs, &[("--out", &args.out)])
}

pub(crate) fn check_eval(args: &EvalArgs) -> anyhow::Result<()> {
    check(&[("--data", args.data.clone())], &[("--out", &args.out)])
}

pub(crate) fn check_bench(args: &BenchArgs) -> anyhow::Result<()> {
    check(&[], &[("--output", &args.output)])
}

/// Whether a file is the standard output of this process, so that what is printed would follow the file's content. A
/// terminal or `/dev/null` has no content.
pub(crate) fn is_standard_output(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{FileTypeExt, MetadataExt};
        let place = |path: &Path| {
            let metadata = std::fs::metadata(path).ok()?;
            (!metadata.file_type().is_char_device()).then(|| (metadata.dev(), metadata.ino()))
        };
        let its = place(path);
        its.is_some() && its == place(Path::new("/dev/stdout"))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// The files that samples are read from.
fn inputs(args: &DataArgs) -> Vec<(&'static str, PathBuf)> {
    let mut inputs = Vec::new();
    if let Some(path) = &args.data {
        inputs.extend(files_of("--data", path, args));
    }
    inputs.extend(args.labels.iter().map(|path| ("--labels", path.clone())));
    inputs
}

/// The files of samples at a path that a flag names, without those of `--labels`.
fn files_of(
    flag: &'static str,
    path: &Path,
    args: &DataArgs,
) -> impl Iterator<Item = (&'static str, PathBuf)> + use<> {
    let options = ReadOptions { format: args.data_format, ..ReadOptions::default() };
    files(path, &options).into_iter().map(move |path| (flag, path))
}

fn check(inputs: &[(&'static str, PathBuf)], outputs: &[Named<'_>]) -> anyhow::Result<()> {
    for (k, &(flag, path)) in outputs.iter().enumerate() {
        check_destination(path).context(flag)?;
        let inputs = inputs.iter().map(|(flag, path)| (*flag, path.as_path()));
        let mut others = inputs.chain(outputs[..k].iter().copied());
        if let Some((other, its)) = others.find(|(_, its)| is_same_file(path, its)) {
            let (path, its) = (path.display(), its.display());
            anyhow::bail!("{flag}: expected a file of its own, found {path}, which {other} has too ({its})");
        }
    }
    Ok(())
}
