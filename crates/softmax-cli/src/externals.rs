//! External backends, which run as processes, in addition to the built-in ones.

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
    /// Adds the external backends of the command line to a copy of `registry`.
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

    /// The chosen names and the external ones. If none is chosen, an empty list, which selects all backends.
    pub(crate) fn beside(&self, chosen: &[String]) -> Vec<String> {
        if chosen.is_empty() { Vec::new() } else { chosen.iter().cloned().chain(self.names()).collect() }
    }

    /// The chosen names and the external ones. If none is chosen, the external ones alone, if there are any.
    pub(crate) fn or_beside(&self, chosen: &[String]) -> Vec<String> {
        chosen.iter().cloned().chain(self.names()).collect()
    }

    /// The chosen name, or that of the only external backend, if there is one. Fails if there are several.
    pub(crate) fn one(&self, chosen: Option<&str>) -> anyhow::Result<Option<String>> {
        match (chosen, self.launchers.as_slice()) {
            (Some(chosen), _) => Ok(Some(chosen.to_owned())),
            (None, []) => Ok(None),
            (None, [launcher]) => Ok(Some(launcher.name().to_owned())),
            (None, _) => bail!("--external: expected one, or --backend with one of their names"),
        }
    }

    /// The launcher of the external backend with this name.
    pub(crate) fn find(&self, name: &str) -> Option<&Launcher> {
        self.launchers.iter().map(Arc::as_ref).find(|launcher| launcher.name() == name)
    }

    /// Sets the versions that external backends report, and removes their memory, which this program can't measure.
    pub(crate) fn describe(&self, comparison: &mut Comparison) {
        for measured in &mut comparison.backends {
            if let Some(launcher) = self.find(&measured.name) {
                (measured.version, measured.extra_bytes) = (launcher.version(), None);
            }
        }
    }
}
