//! Brings the head of a branch into the clone, whatever way leads to the repository. Blocks.

use std::process::Command;
use std::sync::Arc;

use gix::bstr::{BStr, ByteSlice};
use gix::progress::Discard;
use gix::protocol::transport::Protocol;
use gix::protocol::transport::client::TransportWithoutIO as _;
use gix::protocol::transport::client::blocking_io::Transport;
use gix::protocol::transport::client::blocking_io::http::Options;
use gix::protocol::transport::client::git::ConnectMode;
use gix::protocol::transport::client::git::blocking_io::Connection;
use gix::remote::Direction;
use gix::remote::fetch::Tags;
use gix::url::Scheme;
use gix::{ObjectId, Remote, Repository};

use super::bound::{Bound, Counted};
use super::credentials::{self, missing};
use super::http::{self, Bounded};
use super::program::{self, Program};
use super::read::{self, Unread};
use super::settings::{GitSettings, HEAD};
use super::ssh;
use super::trouble::{Trouble, words};

/// Fetches, and says what the branch points to.
pub(super) fn fetch(
    clone: &Repository,
    settings: &GitSettings,
    bound: &Arc<Bound>,
) -> Result<ObjectId, Unread> {
    let fetched = connect(clone, settings, bound);
    bound.release();
    fetched.map_err(|trouble| {
        if let Some(why) = bound.stopped() {
            return Unread::Not(Trouble::stopped(why, bound.limits()));
        }
        let Trouble { reason, remedy } = trouble;
        let reason = settings.url.redact(&reason);
        // A clone that has lost what it had fails in the middle of a fetch, in words of its own.
        if is_sound(clone, settings) {
            Unread::Not(Trouble { reason, remedy })
        } else {
            Unread::Damaged(reason)
        }
    })
}

/// Whether what was fetched last, if anything was, is still there.
fn is_sound(clone: &Repository, settings: &GitSettings) -> bool {
    match clone.try_find_reference(HEAD) {
        Ok(None) => true,
        Ok(Some(head)) => {
            let id = head.target().try_id().map(ToOwned::to_owned);
            id.is_some_and(|id| !matches!(read::read(clone, id, &settings.path), Err(Unread::Damaged(_))))
        }
        Err(_) => false,
    }
}

fn connect(clone: &Repository, settings: &GitSettings, bound: &Arc<Bound>) -> Result<ObjectId, Trouble> {
    let of = |error: gix::Error| Trouble::of(words(&error));
    let remote = clone.remote_at(settings.url.url().clone()).map_err(of)?.with_fetch_tags(Tags::None);
    let remote = remote.with_refspecs([settings.refspec().as_str()], Direction::Fetch).map_err(of)?;
    // `url.<base>.insteadOf` of the user's configuration may have led elsewhere.
    let Some(url) = remote.url(Direction::Fetch).cloned() else {
        return Err(Trouble::of("there is no URL to fetch from".into()));
    };
    match url.scheme {
        Scheme::Http | Scheme::Https => {
            let mut transport = gix::protocol::transport::client::blocking_io::http::Transport::new_http(
                Bounded::new(bound),
                url.clone(),
                Protocol::V2,
                false,
            );
            if let Some(login) = settings.url.login() {
                transport.set_identity(login).map_err(|error| Trouble::of(error.to_string()))?;
            }
            let options = clone.transport_options(url.to_bstring().as_bstr(), None).map_err(of)?;
            let options = options.and_then(|options| options.downcast::<Options>().ok());
            let mut options = options.map(|options| *options).unwrap_or_default();
            http::configure(&mut options, &settings.configuration, bound).map_err(Trouble::of)?;
            receive(&remote, transport, Some(options), settings, bound)
        }
        Scheme::Ssh => run(&remote, ssh::command(clone, &url)?, "ssh", &url, settings, bound),
        Scheme::File => {
            let mut command = Command::new("git");
            command.arg("upload-pack").arg(os(url.path.as_bstr())?);
            command.env("GIT_PROTOCOL", "version=2");
            run(&remote, command, "git", &url, settings, bound)
        }
        other => Err(Trouble::new(
            format!("{other}:// is not fetched from"),
            "look at url.<base>.insteadOf in Git's configuration, which leads there",
        )),
    }
}

fn os(path: &BStr) -> Result<std::ffi::OsString, Trouble> {
    let path = gix::path::from_bstr(path);
    path.map(|path| path.into_owned().into()).map_err(|_| Trouble::of("its path cannot be one here".into()))
}

/// Fetches from a program that speaks Git's protocol over its standard input and output.
fn run(
    remote: &Remote<'_>,
    command: Command,
    name: &str,
    url: &gix::Url,
    settings: &GitSettings,
    bound: &Arc<Bound>,
) -> Result<ObjectId, Trouble> {
    let started = program::start(command, bound).map_err(|error| match name {
        "git" => Trouble::of(missing(error).to_string()),
        _ => Trouble::of(format!("{name} cannot be started: {error}")),
    });
    let Program { input, output, complaints } = started?;
    let connection = Connection::new(
        Counted::new(output, bound),
        input,
        Protocol::V2,
        url.path.clone(),
        None::<(String, Option<u16>)>,
        ConnectMode::Process,
        false,
    );
    receive(remote, connection, None, settings, bound).map_err(|trouble| {
        bound.release();
        match complaints.words() {
            said if said.is_empty() => trouble,
            // The program knows better what it died of than the library, which only saw it go.
            said => Trouble::of(said),
        }
    })
}

fn receive<T: Transport>(
    remote: &Remote<'_>,
    transport: T,
    options: Option<Options>,
    settings: &GitSettings,
    bound: &Arc<Bound>,
) -> Result<ObjectId, Trouble> {
    let of = |error: gix::Error| Trouble::of(words(&error));
    let mut connection = remote
        .to_connection_with_transport(transport)
        .with_credentials(|action| credentials::ask(action, &settings.configuration, bound));
    if let Some(options) = options {
        connection.set_transport_options(Box::new(options));
    }
    let prepared = connection.prepare_fetch(Discard, gix::remote::ref_map::Options::default()).map_err(of)?;
    let head = prepared.ref_map().mappings.first().and_then(|mapping| mapping.remote.as_id());
    let Some(head) = head.map(ToOwned::to_owned) else {
        let branch = settings.branch_in_words();
        return Err(match settings.branch {
            None => Trouble::new(
                format!("{branch} has no commit"),
                "commit the manifests there, or name another branch",
            ),
            Some(_) => Trouble::new(format!("there is no {branch}"), "push it, or name another branch"),
        });
    };
    prepared.receive(Discard, bound.flag()).map_err(of)?;
    Ok(head)
}
