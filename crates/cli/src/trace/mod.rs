//! `dunlin trace`: from the commit to the replicas, with the reason for every step.

mod tree;

use std::process::ExitCode;

use anyhow::Result;
use dunlin_host::why::Why;
use dunlin_manifest::is_dns_label;

use crate::printer::{self, Output, WrongInput};
use crate::{ask, discovery};

/// What to trace.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  dunlin trace component/todo\n  dunlin trace todo --output json | jq '.[].slot'"
)]
pub(crate) struct Options {
    /// The component, such as `component/todo` or `todo`.
    object: String,
    /// Text for people or JSON for scripts: what each host answers.
    #[arg(long, short, default_value = "text")]
    output: Output,
    /// The `dunlin dev` to ask, where several run.
    #[arg(long)]
    process: Option<u32>,
}

/// Prints the tree.
///
/// # Errors
/// No `dunlin dev` runs, or none of its hosts knows the component.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let component = component(&options.object)?;
    let running = discovery::find(options.process)?;
    let mut answers: Vec<Why> = Vec::new();
    let mut reason = None;
    for (_, answer) in ask::all::<Why>(&running, &format!("/v1/why?component={component}")).await {
        match answer {
            Ok(why) => answers.push(why),
            Err(error) => reason = Some(error),
        }
    }
    if let (true, Some(reason)) = (answers.is_empty(), reason) {
        return Err(reason.context(format!("cannot trace {component}; `dunlin status` lists what there is")));
    }
    if options.output == Output::Json {
        return printer::json(&answers);
    }
    tree::render(component, &answers).iter().for_each(printer::line);
    Ok(ExitCode::SUCCESS)
}

fn component(object: &str) -> Result<&str> {
    let name = object.strip_prefix("component/").unwrap_or(object);
    if is_dns_label(name) {
        return Ok(name);
    }
    let text =
        format!("{object:?} names no component; expected NAME or component/NAME, such as component/todo");
    Err(WrongInput(text).into())
}
