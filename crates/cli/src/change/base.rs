//! What a commit starts from: what the head has, whatever else is in the files. So a change that was written already is
//! committed, and one that is mixed with others is seen to be.

use anyhow::Result;
use dunlin_manifest::File;

use super::place::Manifests;
use super::repository;
use crate::git::Git;

/// The manifests with every file that is changed as the head has it.
///
/// # Errors
/// What git said.
pub(super) fn of_head(manifests: Manifests) -> Result<Manifests> {
    let Some(git) = Git::around(&manifests.directory)? else { return Ok(manifests) };
    let changed = repository::changed(&git)?;
    if changed.is_empty() {
        return Ok(manifests);
    }
    let in_head = |file: &File| {
        let name = git.name_of(file.path.as_ref()).ok().filter(|name| changed.contains(name))?;
        // What the head does not have, or not as text, is refused once it is to be committed.
        let text = String::from_utf8(repository::in_head(&git, &name).ok()?).ok()?;
        Some(File { path: file.path.clone(), text })
    };
    let files: Vec<_> =
        manifests.files.iter().map(|file| in_head(file).unwrap_or_else(|| file.clone())).collect();
    let mut reading = dunlin_manifest::read(&files);
    let unread = |file: &str| !files.iter().any(|known| known.path == file);
    for mistake in manifests.reading.mistakes.iter().filter(|mistake| unread(&mistake.file)) {
        let mistake = mistake.clone();
        reading.add_unreadable(&mistake.file, mistake.found, mistake.allowed, mistake.hint);
    }
    let working = Some(Box::new(manifests.reading.snapshot));
    Ok(Manifests { directory: manifests.directory, files, reading, working })
}
