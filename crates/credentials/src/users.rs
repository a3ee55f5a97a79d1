//! Hosts and viewers: the users that connect as clients.

use std::path::Path;

use dunlin_lattice::permissions::Permissions;
use dunlin_manifest::HostId;
use serde_json::Value;

use crate::account::{self, Door, user_rights};
use crate::creds;
use crate::directory::Credentials;
use crate::error::Error;
use crate::files::{self, Outcome, Written};
use crate::key::Kind;
use crate::lifetime::Lifetime;
use crate::{names, show, token};

/// How long a user is let in, and whether it is made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UserOptions {
    /// When the credentials end: never unless told otherwise, because a host that is forgotten should not fall out
    /// of the lattice. Servers end the connections of a user whose time is over.
    pub expires: Option<Lifetime>,
    /// Makes another user in the place of one that is there. The old one stays valid until it is revoked.
    pub replace: bool,
}

impl Credentials {
    /// Makes the credentials of a host, or says that they are there.
    ///
    /// # Errors
    /// The site has no leaf; a name cannot be one; what is there has ended or has other rights, and
    /// `options.replace` is not set; or the file cannot be written.
    pub fn host(&self, id: &HostId, options: UserOptions) -> Result<Written, Error> {
        self.known_site(&id.site)?;
        names::check("host", &id.host)?;
        let rights = user_rights(&Permissions::host(&self.subjects()?, id), Door::Client);
        self.user(&names::host(&self.root, id), &format!("host {id}"), rights, options)
    }

    /// Makes the credentials of somebody who looks on, or says that they are there.
    ///
    /// # Errors
    /// As [`Credentials::host`].
    pub fn viewer(&self, name: &str, options: UserOptions) -> Result<Written, Error> {
        names::check("viewer", name)?;
        let permissions = Permissions::viewer(&self.subjects()?, name)
            .ok_or_else(|| Error::Name { what: "viewer", name: name.to_owned() })?;
        let rights = user_rights(&permissions, Door::Client);
        self.user(&names::viewer(&self.root, name), &format!("viewer {name}"), rights, options)
    }

    /// Makes a user, unless there is one with the same rights that has not ended.
    pub(crate) fn user(
        &self,
        path: &Path,
        name: &str,
        rights: Value,
        options: UserOptions,
    ) -> Result<Written, Error> {
        if path.exists() && !options.replace {
            let found = creds::read(&files::read_secret(path)?)
                .map_err(|reason| Error::Unreadable { path: path.to_owned(), reason })?;
            let ours = self.token(names::ACCOUNT_TOKEN)?.0.subject;
            if found.nats != rights || found.issuer != ours {
                return Err(Error::Differs { path: path.to_owned() });
            }
            if let Some(ends) = found.ends.filter(|ends| *ends <= token::now()) {
                return Err(Error::Ended { path: path.to_owned(), ended: show::moment(ends) });
            }
            return Ok(Written { path: path.to_owned(), outcome: Outcome::Kept });
        }
        files::create_directory(path.parent().unwrap_or(Path::new(".")))?;
        let account = self.key(Kind::Account, names::ACCOUNT_SEED)?;
        let made = account::user(name, rights, options.expires.map(Lifetime::ends), &account)?;
        files::write(path, made.expose(), options.replace)
    }
}
