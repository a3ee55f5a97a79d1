//! `dunlin move`: shows what other numbers of replicas mean, and goes as far as it is told: a file, a commit, a push.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use dunlin_manifest::{Replicas, WasmComponent, did_you_mean};

use super::edit::Edit;
use super::place::{Manifests, Where, parse_component};
use super::publish::{self, Extent, Message};
use super::{How, carry_out, component, edited, follow, repository, seen, well};
use crate::git::Git;
use crate::printer::WrongInput;
use crate::{discovery, rollout};

/// What to move where.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  dunlin move todo gcp=0 aws=2                    what would start and stop; writes nothing\n  \
    dunlin move todo gcp=0 aws=2 --write            edits the file\n  \
    dunlin move todo gcp=0 aws=2 --commit           commits it, and nothing else\n  \
    dunlin move todo gcp=0 aws=2 --commit --watch   and shows what happens until it is done\n  \
    dunlin move todo gcp=all --push                 on every host of gcp, pushed\n  \
    dunlin move todo gcp=0 aws=2 --pr               where the branch is protected\n\n\
    The running lattice follows the manifests; nothing else is told."
)]
pub(crate) struct Options {
    /// The component.
    #[arg(value_parser = parse_component)]
    component: String,
    /// Replicas by site, such as `gcp=0`, or `gcp=all`.
    #[arg(required = true, value_name = "SITE=REPLICAS", value_parser = parse_change)]
    changes: Vec<(String, Replicas)>,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    how: How,
    /// Shows what happens on all hosts until the component is where it should be; ends with 1 if it does not get there.
    #[arg(long)]
    watch: bool,
    /// How long to watch.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = rollout::parse_duration)]
    timeout: Duration,
}

fn parse_change(text: &str) -> Result<(String, Replicas), String> {
    let (site, replicas) = text.split_once('=').ok_or("expected SITE=REPLICAS, such as gcp=2 or gcp=all")?;
    let replicas = match replicas {
        "all" => Replicas::All,
        count => {
            let count = count.parse().ok().filter(|count| *count <= Replicas::MAXIMUM);
            let allowed = Replicas::MAXIMUM;
            Replicas::Count(count.ok_or_else(|| {
                format!("{replicas:?} is no number of replicas; allowed are 0 to {allowed}, and all")
            })?)
        }
    };
    Ok((site.to_owned(), replicas))
}

/// Shows the plan, and goes as far as it was told.
///
/// # Errors
/// No such component or site, the file cannot be edited, or something is in the way of the commit.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let Options { component, changes, place, how, watch, timeout } = options;
    if watch && !how.extent.reaches_hosts() {
        let text = "--watch needs something that hosts follow: add --commit or --push (--write where they follow the \
                    directory itself)";
        return Err(WrongInput(text.to_owned()).into());
    }
    let manifests = Manifests::before(&place.find()?, how.extent)?;
    if watch {
        let top = Git::around(&manifests.directory)?.map(|git| git.root);
        follow::check(&discovery::find(place.process)?, &manifests.directory, top.as_deref(), how.extent)?;
    }
    let wanted = changes.clone();
    let changes = effective(&manifests, &component, changes)?;
    let edit = edit(&manifests, &component, &changes)?;
    if edit.is_none() {
        not_otherwise(&manifests, &component, &wanted)?;
    }
    let seen = seen::of(&manifests, place.process).await;
    let message = message(&manifests, &component, &changes);
    let edits: Vec<Edit> = edit.into_iter().collect();
    let done = carry_out(&manifests, &edits, &how, message, seen.as_ref())?;
    match done {
        Some(done) if watch => {
            let watched = [component];
            let change =
                rollout::Change { process: place.process, commit: done.revision, components: &watched };
            Ok(rollout::watch(change, timeout, how.output).await?.code())
        }
        done => Ok(well(done)),
    }
}

/// Gives `component` so many replicas in each of the named sites, in the file that `dunlin dev` follows.
///
/// # Errors
/// As [`run`].
pub(crate) fn write(directory: &Path, component: &str, changes: &[(String, Replicas)]) -> Result<()> {
    let manifests = Manifests::read(directory)?;
    match edit(&manifests, component, &effective(&manifests, component, changes.to_vec())?)? {
        Some(edit) => edit.write(),
        None => Ok(()),
    }
}

/// The same as a commit, in the working tree of the repository that `dunlin dev` follows.
///
/// # Errors
/// As [`run`].
pub(crate) fn commit(directory: &Path, component: &str, changes: &[(String, Replicas)]) -> Result<()> {
    let manifests = Manifests::before(directory, Extent::COMMIT)?;
    let changes = effective(&manifests, component, changes.to_vec())?;
    let edits: Vec<Edit> = edit(&manifests, component, &changes)?.into_iter().collect();
    publish::publish(&edits, Extent::COMMIT, &message(&manifests, component, &changes)).map(drop)
}

/// The changes that change something: a site that is not listed has no replicas already, and to list it would say nothing
/// new.
///
/// # Errors
/// Wrong input: there is no such component or site.
fn effective(
    manifests: &Manifests,
    name: &str,
    mut changes: Vec<(String, Replicas)>,
) -> Result<Vec<(String, Replicas)>> {
    let spec = &manifests.component(name)?.spec;
    let twice = changes.iter().enumerate().find_map(|(index, change)| {
        changes.iter().take(index).any(|(site, _)| *site == change.0).then_some(&change.0)
    });
    if let Some(twice) = twice {
        return Err(WrongInput(format!("site {twice:?} is named twice; name it once")).into());
    }
    if let Some(lattice) = &manifests.reading.snapshot.lattice
        && let Some((unknown, _)) = changes.iter().find(|(site, _)| !lattice.spec.sites.contains_key(site))
    {
        let known: Vec<_> = lattice.spec.sites.keys().map(String::as_str).collect();
        let hint = did_you_mean(unknown, known.iter().copied()).map(|hint| format!(": {hint}"));
        let hint = hint.unwrap_or_default();
        let text = format!("unknown site {unknown:?}{hint}; the lattice has {}", known.join(", "));
        return Err(WrongInput(text).into());
    }
    changes.retain(|(site, new)| replicas(spec, site) != *new);
    Ok(changes)
}

/// Nothing is to be committed: the head says so already. But then the working tree has to as well, or whoever looks there
/// sees something else than was asked for.
///
/// # Errors
/// Wrong input: it does not.
fn not_otherwise(manifests: &Manifests, name: &str, wanted: &[(String, Replicas)]) -> Result<()> {
    let working = manifests.working.as_ref().and_then(|working| working.components.get(name));
    let otherwise = |object: &dunlin_manifest::Object<WasmComponent>| {
        wanted.iter().any(|(site, count)| replicas(&object.spec, site) != *count)
    };
    if working.is_some_and(otherwise) {
        repository::dirty(&manifests.file_of(&component(name))?.path)?;
    }
    Ok(())
}

/// What a component is asked for in a site.
fn replicas(spec: &WasmComponent, site: &str) -> Replicas {
    spec.sites.get(site).map_or(Replicas::Count(0), |placement| placement.replicas)
}

/// Works out the edit; none if nothing is to change.
fn edit(manifests: &Manifests, name: &str, changes: &[(String, Replicas)]) -> Result<Option<Edit>> {
    let file = manifests.file_of(&component(name))?;
    let after = dunlin_manifest::set_replicas(&file.text, name, changes)
        .map_err(|error| WrongInput(format!("{}: {error}", file.path)))?;
    Ok(edited(&file.path, &file.text, after))
}

/// `todo: move from gcp to aws`, and the numbers.
fn message(manifests: &Manifests, name: &str, changes: &[(String, Replicas)]) -> Message {
    let former = |site: &str| {
        let found = manifests.reading.snapshot.components.get(name);
        found.map_or(Replicas::Count(0), |object| replicas(&object.spec, site))
    };
    let rank = |replicas: Replicas| match replicas {
        Replicas::Count(count) => count,
        Replicas::All => u32::MAX,
    };
    let word = |replicas: Replicas| match replicas {
        Replicas::Count(count) => count.to_string(),
        Replicas::All => "all".to_owned(),
    };
    let pick = |wanted: std::cmp::Ordering| -> Vec<&str> {
        let found = changes.iter().filter(|(site, new)| rank(*new).cmp(&rank(former(site))) == wanted);
        found.map(|(site, _)| site.as_str()).collect()
    };
    let (less, more) = (pick(std::cmp::Ordering::Less), pick(std::cmp::Ordering::Greater));
    let subject = match (less.is_empty(), more.is_empty()) {
        (false, false) => format!("{name}: move from {} to {}", less.join(" and "), more.join(" and ")),
        (true, _) => format!("{name}: more replicas in {}", more.join(" and ")),
        (false, true) => format!("{name}: fewer replicas in {}", less.join(" and ")),
    };
    let lines = changes.iter().map(|(site, new)| format!("{site}: {} -> {}", word(former(site)), word(*new)));
    Message { subject, body: lines.collect::<Vec<_>>().join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODO: &str = "apiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: { name: todo }\nspec:\n  \
        image: example.com/todo:1\n  sites: { a: { replicas: 2 }, b: { replicas: 0 } }  # two\n";

    #[test]
    fn edits_the_file_that_was_read() {
        // Relative, as people give it.
        let folder = tempfile::tempdir_in(".").unwrap();
        let directory = Path::new(folder.path().file_name().unwrap());
        let lattice = "apiVersion: dunlin.dev/v1alpha1\nkind: Lattice\nmetadata: { name: l }\nspec: { sites: { a: {}, b: {} } }\n";
        std::fs::write(directory.join("lattice.yaml"), lattice).unwrap();
        std::fs::write(directory.join("todo.yaml"), TODO).unwrap();
        let changes = [("a".to_owned(), Replicas::Count(0)), ("b".to_owned(), Replicas::Count(2))];
        let manifests = Manifests::read(directory).unwrap();
        assert_eq!(
            message(&manifests, "todo", &changes).text(),
            "todo: move from a to b\n\na: 2 -> 0\nb: 0 -> 2"
        );
        write(directory, "todo", &changes).unwrap();
        let text = std::fs::read_to_string(directory.join("todo.yaml")).unwrap();
        assert!(text.contains("a: { replicas: 0 }, b: { replicas: 2 } }  # two"), "{text}");
        assert!(write(directory, "todo", &[("c".to_owned(), Replicas::All)]).unwrap_err().is::<WrongInput>());
    }

    #[test]
    fn changes_are_read() {
        assert_eq!(parse_change("gcp=all"), Ok(("gcp".into(), Replicas::All)));
        assert_eq!(parse_change("gcp=3"), Ok(("gcp".into(), Replicas::Count(3))));
        for wrong in ["gcp", "gcp=", "gcp=-1", "gcp=1001", "gcp=ALL"] {
            assert!(parse_change(wrong).is_err(), "{wrong}");
        }
    }
}
