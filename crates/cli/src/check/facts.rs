//! What `dunlin check` found, as plain values: everything that is judged, and nothing that is done.

use std::collections::BTreeSet;
use std::time::Duration;

use dunlin_credentials::{CertificateFacts, UserFacts};
use dunlin_host::status::Status;
use dunlin_manifest::HostId;

/// Everything that was found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// The time here, in seconds of the Unix epoch.
    pub(crate) now: i64,
    /// What is looked at.
    pub(crate) setting: Setting,
    /// The NATS servers.
    pub(crate) servers: Vec<ServerFacts>,
    /// The certificates of the authority that was named.
    pub(crate) authority: Vec<CertificateFacts>,
    /// As whom we looked.
    pub(crate) viewer: Option<UserFacts>,
    /// Users whose credentials are at hand.
    pub(crate) users: Vec<UserFacts>,
    /// Hosts whose admin ports were asked.
    pub(crate) hosts: Vec<HostFacts>,
    /// Providers that the manifests keep in Redis, where they are at hand.
    pub(crate) redis: BTreeSet<String>,
    /// What the sites answered.
    pub(crate) routes: Vec<RouteFacts>,
}

/// What is looked at: it decides which command mends something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Setting {
    /// `dunlin dev`: all in one process, no NATS.
    Here,
    /// `dunlin dev --real`: processes on this machine.
    Real,
    /// Servers and hosts that were named.
    #[default]
    Deployed,
}

/// Where a NATS server stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// Between the sites.
    Hub,
    /// In a site.
    Leaf(String),
}

/// One NATS server.
#[derive(Debug, Clone)]
pub(crate) struct ServerFacts {
    pub(crate) place: Place,
    /// `localhost:4222`.
    pub(crate) address: String,
    /// How it greets.
    pub(crate) look: Result<Look, Trouble>,
    /// What it was like inside; `None` if its greeting was reason enough not to go there.
    pub(crate) entry: Option<Result<Entry, String>>,
}

/// A server's greeting, before anybody said who they are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Look {
    pub(crate) version: String,
    /// Whether it asks who is there.
    pub(crate) demands_user: bool,
    /// `None` without TLS.
    pub(crate) tls: Option<Tls>,
}

/// How a server proves who it is.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    pub(crate) certificate: CertificateFacts,
    pub(crate) trust: Trust,
}

/// Whether the server's certificate is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trust {
    Trusted,
    /// Its time is over, or has not come.
    OutOfTime,
    /// Another authority signed it.
    OtherAuthority,
    /// It is for servers of other names.
    OtherName,
    Other(String),
}

/// What was found with credentials.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    /// What a viewer needs and is denied, in words.
    pub(crate) denied: Vec<String>,
    /// What a viewer must not do and is not denied, in words.
    pub(crate) allowed: Vec<String>,
    /// The hosts that were heard.
    pub(crate) heard: BTreeSet<HostId>,
}

/// One host's admin port.
#[derive(Debug, Clone)]
pub(crate) struct HostFacts {
    /// Who should be there, where that is known.
    pub(crate) id: Option<HostId>,
    pub(crate) address: String,
    pub(crate) answer: Result<HostAnswer, Trouble>,
}

/// What a host says of the lattice and of itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct HostAnswer {
    pub(crate) status: Status,
    /// From question to answer.
    pub(crate) took: Duration,
    /// The time here halfway between, in milliseconds of the Unix epoch.
    pub(crate) here: u64,
}

/// One route at one site's address.
#[derive(Debug, Clone)]
pub(crate) struct RouteFacts {
    pub(crate) site: String,
    /// As status shows it: `/`, `shop.example/api`.
    pub(crate) route: String,
    pub(crate) address: String,
    pub(crate) answer: Result<RouteAnswer, Trouble>,
}

/// What came back.
#[derive(Debug, Clone, Default)]
pub(crate) struct RouteAnswer {
    pub(crate) status: u16,
    /// The host that ran the component.
    pub(crate) served_by: Option<String>,
    pub(crate) took: Duration,
    /// The first line of an answer that is Dunlin's own.
    pub(crate) text: String,
}

/// Why there was no sensible answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Trouble {
    /// Its name leads nowhere.
    #[error("cannot be found, its name leads nowhere: {0}")]
    Name(String),
    /// The machine is there, and nothing listens.
    #[error("refuses connections: nothing listens there")]
    Refused,
    /// No word from the machine.
    #[error(
        "takes no connection within {0:?}: the machine is off, or a network or firewall in between drops it"
    )]
    NoConnection(Duration),
    /// The connection stands, and that is all.
    #[error("accepts a connection and says nothing for {0:?}: frozen or overloaded")]
    Silent(Duration),
    /// It hung up.
    #[error("closes the connection without an answer")]
    Closed,
    /// TLS is asked for and not to be had.
    #[error("offers no TLS, though tls:// was asked for")]
    NoTls,
    /// Anything else, in words.
    #[error("{0}")]
    Other(String),
}

impl Facts {
    /// What the hosts that answered say.
    pub(crate) fn answers(&self) -> impl Iterator<Item = &HostAnswer> {
        self.hosts.iter().filter_map(|host| host.answer.as_ref().ok())
    }

    /// What the hosts say of something that is not as it should be, each thing once.
    pub(crate) fn conditions(&self) -> BTreeSet<&dunlin_host::status::Condition> {
        self.answers().flat_map(|answer| &answer.status.conditions).collect()
    }
}

impl Place {
    /// `hub`, or the site.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Hub => "hub",
            Self::Leaf(site) => site,
        }
    }

    /// As `dunlin kill` and its like call it: `hub`, `leaf/aws`.
    pub(crate) fn part(&self) -> String {
        match self {
            Self::Hub => "hub".to_owned(),
            Self::Leaf(site) => format!("leaf/{site}"),
        }
    }
}

impl ServerFacts {
    /// The hosts that were heard there; `None` if nobody could listen.
    pub(crate) fn heard(&self) -> Option<&BTreeSet<HostId>> {
        self.entry.as_ref()?.as_ref().ok().map(|entry| &entry.heard)
    }
}
