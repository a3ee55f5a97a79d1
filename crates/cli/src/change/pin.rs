//! `dunlin pin`: writes digests behind tags, so that what runs is what was meant when it was committed.

use std::process::ExitCode;

use anyhow::{Context, Error, Result};
use dunlin_manifest::ImageReference;

use super::place::{Manifests, Where, parse_component, with};
use super::publish::Message;
use super::{How, carry_out, component, edited, image};
use crate::printer::{self, WrongInput};

/// What to pin.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  dunlin pin                     what every tag means now; writes nothing\n  \
    dunlin pin todo --commit       registry.example.com/todo:1.4.0 -> …:1.4.0@sha256:…\n  \
    dunlin pin todo --again        where a tag was moved on purpose\n\n\
    Registries are asked with the credentials of `docker login`. Where one does not know an image, the others are pinned\n\
    all the same, and it ends with 1."
)]
pub(crate) struct Options {
    /// The components; all whose image has no digest, if none is named.
    #[arg(value_parser = parse_component)]
    components: Vec<String>,
    /// Asks also for images that have a digest, and writes what their tags mean now.
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    how: How,
}

/// Asks the registries, shows what would change, and goes as far as it was told.
///
/// # Errors
/// No such component, or something is in the way of the commit. Images that cannot be pinned are told, each by itself.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let Options { components, again, place, how } = options;
    let manifests = Manifests::before(&place.find()?, how.extent)?;
    let names: Vec<String> = match components.is_empty() {
        true => manifests.reading.snapshot.components.keys().cloned().collect(),
        false => components,
    };
    let mut files = manifests.files.clone();
    let (mut pinned, mut failed) = (Vec::new(), Vec::new());
    let images = names.iter().map(|name| Ok((name, &manifests.component(name)?.spec.image)));
    for (name, image) in images.collect::<Result<Vec<_>>>()? {
        let new = match resolve(name, image, again).await {
            Ok(Some(new)) => new,
            Ok(None) => continue,
            Err(error) => {
                failed.push(error);
                continue;
            }
        };
        if new == *image {
            continue;
        }
        let file = manifests.file_of(&component(name))?;
        let place = file.path.clone();
        // Another component in it may have been pinned before.
        let text = files.iter().find(|file| file.path == place).unwrap_or(file).text.as_str();
        let after = dunlin_manifest::set_image(text, name, &new)
            .map_err(|error| WrongInput(format!("{place}: {error}")))?;
        files = with(&files, &place, &after);
        pinned.push((name.as_str(), new));
    }
    let changed = manifests.files.iter().zip(files);
    let edits: Vec<_> = changed.filter_map(|(old, new)| edited(&old.path, &old.text, new.text)).collect();
    let told = failed.iter().map(printer::failure).count();
    if !edits.is_empty() || told == 0 {
        carry_out(&manifests, &edits, &how, message(&pinned), None)?;
    }
    Ok(code(&failed))
}

/// Wrong input is what nobody has to ask a registry for.
fn code(failed: &[Error]) -> ExitCode {
    match failed {
        [] => ExitCode::SUCCESS,
        all if all.iter().all(|error| error.is::<WrongInput>()) => ExitCode::from(printer::INVALID),
        _ => ExitCode::FAILURE,
    }
}

/// The image with the digest that its tag has now; nothing if it has one already and is not asked for again.
async fn resolve(name: &str, image: &str, again: bool) -> Result<Option<String>> {
    let wrong = |text: String| WrongInput(format!("{name}: {text}"));
    let parsed = ImageReference::parse(image).ok_or_else(|| wrong(format!("{image:?} is no image")))?;
    let has_digest = parsed.digest.is_some();
    if has_digest && (!again || parsed.tag.is_none()) {
        return Ok(None);
    }
    if parsed.registry.is_empty() {
        let hint = "write it, as in registry.example.com/todo:1.4.0";
        return Err(wrong(format!("{image} names no registry to ask; {hint}")).into());
    }
    let digest = image::digest(&parsed).await.with_context(|| format!("cannot pin {name}"))?;
    let tag = parsed.tag.map(|tag| format!(":{tag}")).unwrap_or_default();
    Ok(Some(format!("{}/{}{tag}@{digest}", parsed.registry, parsed.repository)))
}

fn message(pinned: &[(&str, String)]) -> Message {
    let names: Vec<_> = pinned.iter().map(|(name, _)| *name).collect();
    let subject = match pinned {
        [(name, image)] => format!("{name}: pin {}", image::in_short(image)),
        _ => format!("{}: pin images", names.join(", ")),
    };
    let lines: Vec<_> = pinned.iter().map(|(_, image)| image.as_str()).collect();
    Message { subject, body: lines.join("\n") }
}
