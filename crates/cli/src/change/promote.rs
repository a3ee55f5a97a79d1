//! `dunlin promote`: what was tried in one directory of manifests comes into another: the image with its digest, and
//! nothing else.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use dunlin_manifest::ImageReference;

use super::place::{Manifests, parse_component, tidy};
use super::publish::Message;
use super::{How, carry_out, component, edited, seen, well};
use crate::printer::WrongInput;

/// What to promote.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  dunlin promote todo --from staging --to production            what it would change\n  \
    dunlin promote todo --from staging --to production --commit\n\n\
    Sites, configuration and links of the two stay apart."
)]
pub(crate) struct Options {
    /// The component.
    #[arg(value_parser = parse_component)]
    component: String,
    /// The directory of manifests where it was tried.
    #[arg(long, value_name = "DIRECTORY")]
    from: PathBuf,
    /// The directory of manifests that shall have it.
    #[arg(long, value_name = "DIRECTORY")]
    to: PathBuf,
    #[command(flatten)]
    how: How,
}

/// Shows what it would change, and goes as far as it was told.
///
/// # Errors
/// No such component, an image without a digest, or something is in the way of the commit.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let Options { component: name, from, to, how } = options;
    let (from, to) = (tidy(&from), tidy(&to));
    let (source, target) = (Manifests::read(&from)?, Manifests::before(&to, how.extent)?);
    let image = source.component(&name)?.spec.image.clone();
    let digest = ImageReference::parse(&image).and_then(|image| image.digest);
    if digest.is_none() {
        let hint = format!("pin it first: `dunlin pin {name} --directory {}`", from.display());
        return Err(WrongInput(format!(
            "{image} in {} has no digest, so it may mean something else tomorrow; {hint}",
            from.display()
        ))
        .into());
    }
    target.component(&name)?;
    let file = target.file_of(&component(&name))?;
    let after = dunlin_manifest::set_image(&file.text, &name, &image)
        .map_err(|error| WrongInput(format!("{}: {error}", file.path)))?;
    let edit = edited(&file.path, &file.text, after);
    let seen = seen::of(&target, None).await;
    let subject = format!("{name}: promote {}", super::image::in_short(&image));
    let message = Message { subject, body: format!("{image}\nfrom {}", from.display()) };
    let edits: Vec<_> = edit.into_iter().collect();
    carry_out(&target, &edits, &how, message, seen.as_ref()).map(well)
}
