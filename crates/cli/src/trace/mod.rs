//! `dunlin trace`: from the commit to the replicas, with the reason for every step.

mod tree;

use std::process::ExitCode;

use anyhow::Result;
use dunlin_host::why::Why;
use dunlin_manifest::is_dns_label;

use crate::ask;
use crate::printer::{self, Output, WrongInput};
use crate::whom::Whom;

/// What to trace.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  dunlin trace component/todo\n  dunlin trace todo --output json | jq '.[].slot'\n  \
    dunlin trace todo --admin 10.0.0.7:8081,10.1.0.7:8081"
)]
pub(crate) struct Options {
    /// The component, such as `component/todo` or `todo`.
    object: String,
    /// Text for people or JSON for scripts: what each host answers.
    #[arg(long, short, default_value = "text")]
    output: Output,
    #[command(flatten)]
    whom: Whom,
}

/// Prints the tree.
///
/// # Errors
/// No host is found. Wrong input: none knows the component.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let component = component(&options.object)?;
    let hosts = options.whom.find().await?;
    let mut answers: Vec<Why> = Vec::new();
    let mut reason = None;
    for answer in ask::all::<Why>(&hosts, &format!("/v1/why?component={component}")).await {
        match answer {
            Ok(why) => answers.push(why),
            Err(error) => reason = Some(error),
        }
    }
    if let (true, Some(reason)) = (answers.is_empty(), reason) {
        ask::known(&hosts, component).await?;
        return Err(reason.context(format!("cannot trace {component} at {}", hosts.words)));
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
