//! Shell completions and manual pages, generated from the definition of the command line.

use crate::args::{Cli, CompletionsArgs, ManArgs};
use crate::verdict::Verdict;
use anyhow::Context;
use clap::CommandFactory;
use clap_mangen::Man;
use std::io::Write;

pub(crate) fn completions(args: &CompletionsArgs, out: &mut dyn Write) -> anyhow::Result<Verdict> {
    // The generator can't report a closed pipe, so it writes into memory first.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "softmax", &mut script);
    out.write_all(&script)?;
    Ok(Verdict::AllAgree)
}

pub(crate) fn page(args: &ManArgs, out: &mut dyn Write) -> anyhow::Result<Verdict> {
    let mut program = Cli::command();
    program.build();
    let command = match &args.command {
        None => program,
        Some(name) => {
            let found = program
                .get_subcommands()
                .find(|command| command.get_name() == name && !command.is_hide_set());
            let command = found.cloned().with_context(|| {
                let names: Vec<&str> =
                    program.get_subcommands().filter(|c| !c.is_hide_set()).map(|c| c.get_name()).collect();
                format!("man: expected one of {}, found {name}", names.join(", "))
            })?;
            let title: &'static str = format!("softmax-{name}").leak();
            command.name(title)
        }
    };
    Man::new(command).render(out)?;
    Ok(Verdict::AllAgree)
}
