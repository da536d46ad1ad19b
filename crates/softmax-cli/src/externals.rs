//! Backends that run as processes, beside those that are built in.

use crate::args::ExternalArgs;
use anyhow::bail;
use softmax::Registry;
use softmax_external::{Launch, Launcher};
use softmax_record::Comparison;
use std::sync::Arc;
use std::time::Duration;

/// The external backends of a command line.
#[derive(Debug)]
pub(crate) struct Externals {
    launchers: Vec<Arc<Launcher>>,
}

impl Externals {
    /// Adds them to the backends that are built in.
    pub(crate) fn add(args: &ExternalArgs, registry: &Registry) -> anyhow::Result<(Self, Registry)> {
        let mut registry = registry.clone();
        let mut launchers: Vec<Arc<Launcher>> = Vec::new();
        for launch in &args.external {
            let name = &launch.name;
            let is_taken = registry.entries().any(|entry| entry.name() == name);
            if is_taken || registry.absent().any(|absent| absent.name == name) {
                bail!("--external {name}: expected a name that no other backend has");
            }
            let time_limit = Duration::from_secs_f64(args.external_timeout);
            let launcher = Arc::new(Launcher::new(Launch { time_limit, ..launch.clone() }));
            let (narrow, wide) = (Arc::clone(&launcher), Arc::clone(&launcher));
            registry.add(
                name.clone(),
                move |setup| Box::new(narrow.backend(setup.threads)),
                move |setup| Box::new(wide.backend(setup.threads)),
            );
            launchers.push(launcher);
        }
        Ok((Externals { launchers }, registry))
    }

    fn names(&self) -> impl Iterator<Item = String> {
        self.launchers.iter().map(|launcher| launcher.name().to_owned())
    }

    /// The chosen names and these, none of which is all.
    pub(crate) fn beside(&self, chosen: &[String]) -> Vec<String> {
        if chosen.is_empty() { Vec::new() } else { chosen.iter().cloned().chain(self.names()).collect() }
    }

    /// The same, but where none is chosen these alone, if there are any.
    pub(crate) fn or_beside(&self, chosen: &[String]) -> Vec<String> {
        chosen.iter().cloned().chain(self.names()).collect()
    }

    /// The chosen name, or the one of these, if there is any.
    pub(crate) fn one(&self, chosen: Option<&str>) -> anyhow::Result<Option<String>> {
        match (chosen, self.launchers.as_slice()) {
            (Some(chosen), _) => Ok(Some(chosen.to_owned())),
            (None, []) => Ok(None),
            (None, [launcher]) => Ok(Some(launcher.name().to_owned())),
            (None, _) => bail!("--external: expected one, or --backend with one of their names"),
        }
    }

    /// The one of a name.
    pub(crate) fn find(&self, name: &str) -> Option<&Launcher> {
        self.launchers.iter().map(Arc::as_ref).find(|launcher| launcher.name() == name)
    }

    /// Says of them what this program can't know: their versions, and not how much memory they take.
    pub(crate) fn describe(&self, comparison: &mut Comparison) {
        for measured in &mut comparison.backends {
            if let Some(launcher) = self.find(&measured.name) {
                (measured.version, measured.extra_bytes) = (launcher.version(), None);
            }
        }
    }
}
