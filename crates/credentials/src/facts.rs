//! What programs need to know of a credential to say whether it is accepted: whose it is, and from when until when.

use std::path::Path;

use serde::Serialize;

use crate::creds;
use crate::directory::Credentials;
use crate::error::Error;
use crate::files;
use crate::names;
use crate::show;

/// From when until when something is valid, in seconds of the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Span {
    /// Not before this; from ever without it.
    pub begins: Option<i64>,
    /// Not after this; for ever without it.
    pub ends: Option<i64>,
}

/// A user's token, its signature checked. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct UserFacts {
    /// Its name: `host aws/aws-1`, `leaf aws`, `viewer me`.
    pub name: String,
    /// Where it may publish; nothing listed: everywhere.
    pub publish: Vec<String>,
    /// When it is valid.
    pub span: Span,
}

/// A server's certificate, or an authority's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct CertificateFacts {
    /// Its common name.
    pub name: String,
    /// DNS names and IP addresses of the server.
    pub names: Vec<String>,
    /// The common name of the authority that signed it.
    pub issuer: String,
    /// When it is valid.
    pub span: Span,
}

impl UserFacts {
    /// Reads a `.creds` file.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let claims = creds::read(&files::read_secret(path)?)
            .map_err(|reason| Error::Unreadable { path: path.to_owned(), reason })?;
        let publish = show::subjects(&claims.nats, "pub", "allow");
        Ok(Self { publish, span: Span { begins: claims.begins, ends: claims.ends }, name: claims.name })
    }
}

impl CertificateFacts {
    /// Reads every certificate of a PEM file.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn read(path: &Path) -> Result<Vec<Self>, Error> {
        show::certificate_facts(path)
    }

    /// Reads a certificate as a server shows it; `None` if it is damaged.
    #[must_use]
    pub fn of_der(bytes: &[u8]) -> Option<Self> {
        show::certificate_of_der(bytes)
    }
}

impl Credentials {
    /// All users that were made here: the leaves, as which they connect to the hub, the hosts and the viewers.
    ///
    /// # Errors
    /// The directory or one of its files cannot be read.
    pub fn users(&self) -> Result<Vec<UserFacts>, Error> {
        let mut paths: Vec<_> =
            self.sites()?.iter().map(|site| names::leaf(&self.root, site).join(names::HUB_CREDS)).collect();
        for site in files::entries(&names::hosts(&self.root))? {
            paths.extend(files::entries(&site)?);
        }
        paths.extend(files::entries(&names::viewers(&self.root))?);
        let creds = paths.iter().filter(|path| path.is_file());
        creds
            .filter(|path| path.extension().is_some_and(|ends| ends == "creds"))
            .map(|path| UserFacts::read(path))
            .collect()
    }
}

/// A time as people read it, to the minute, from seconds of the Unix epoch.
#[must_use]
pub fn moment(seconds: i64) -> String {
    show::moment(seconds)
}

#[cfg(test)]
mod tests {
    use dunlin_manifest::HostId;

    use super::*;
    use crate::{InitOptions, LeafOptions, Lifetime, UserOptions};

    #[test]
    fn users_and_certificates_say_when_they_end() {
        let folder = tempfile::tempdir().unwrap();
        let hub = "tls://hub.example.com:7422".parse().unwrap();
        let options = InitOptions { sites: vec!["aws".into()], ..InitOptions::new("todo", hub) };
        let made = Credentials::init(&folder.path().join("lattice"), &options).unwrap().credentials;
        made.leaf("aws", &LeafOptions::default()).unwrap();
        made.host(&HostId::new("aws", "aws-1"), UserOptions::default()).unwrap();
        let short = UserOptions { expires: Some(Lifetime::days(2)), ..UserOptions::default() };
        let viewer = made.viewer("me", short).unwrap().path;
        let users = made.users().unwrap();
        let names: Vec<_> = users.iter().map(|user| user.name.as_str()).collect();
        assert_eq!(names, ["leaf aws", "host aws/aws-1", "viewer me"]);
        assert_eq!(users[0].span, Span::default());
        let me = UserFacts::read(&viewer).unwrap();
        assert_eq!((&users[2], me.publish.as_slice()), (&me, ["todo.watch.me".to_owned()].as_slice()));
        let left = me.span.ends.unwrap() - crate::token::now();
        assert!((172_000..=172_800).contains(&left), "{left}");

        let authority = CertificateFacts::read(&made.authority()).unwrap();
        assert_eq!((authority.len(), authority[0].name.as_str()), (1, "Dunlin lattice todo"));
        let certificate = folder.path().join("lattice/leaf-aws/certificate.pem");
        let read = CertificateFacts::read(&certificate).unwrap();
        assert_eq!(
            (read[0].issuer.as_str(), read[0].names[0].as_str()),
            ("Dunlin lattice todo", "localhost")
        );
        assert!(read[0].span.ends > read[0].span.begins);
        let text = std::fs::read_to_string(&certificate).unwrap();
        let (_, block) = x509_parser::pem::parse_x509_pem(text.as_bytes()).unwrap();
        assert_eq!(CertificateFacts::of_der(&block.contents).as_ref(), read.first());
        assert_eq!(CertificateFacts::of_der(b"none"), None);
    }
}
