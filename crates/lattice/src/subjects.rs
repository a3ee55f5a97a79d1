//! The names of the lattice's subjects: how each is written and read, and which patterns hosts listen to.
//!
//! Every subject names its sender (`from-site.from-host`) in a fixed place, because the bus lets a user publish
//! under its own names only; readers therefore trust the subject and not what a payload says of its sender.
//! Parsing is strict: one value has one spelling, so that no two subjects mean the same.

mod token;

use dunlin_manifest::{HostId, is_dns_label};

/// The subjects of one lattice, all of which begin with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subjects {
    lattice: String,
}

/// A call's subject, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallSubject {
    /// The host that should execute it.
    pub to: HostId,
    /// The host that asks.
    pub from: HostId,
    /// The component it is for.
    pub component: String,
    /// The function, unescaped: `wasi:http/handler@0.3.0.handle`.
    pub function: String,
}

/// A reply's subject, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplySubject {
    /// The host that sent the call and awaits the reply.
    pub caller: HostId,
    /// Its connection, as the caller named it.
    pub connection: String,
    /// Which of its calls, or streams.
    pub id: String,
}

/// What a host says of itself to all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announcement {
    /// I am here.
    Beat,
    /// I am here, and this is my state.
    State,
    /// I stop.
    Goodbye,
}

impl Announcement {
    pub(crate) const fn token(self) -> &'static str {
        match self {
            Self::Beat => "beat",
            Self::State => "state",
            Self::Goodbye => "goodbye",
        }
    }

    fn parse(token: &str) -> Option<Self> {
        [Self::Beat, Self::State, Self::Goodbye].into_iter().find(|kind| kind.token() == token)
    }
}

impl Subjects {
    /// The subjects of the lattice of this name; `None` if the name is not a DNS label.
    #[must_use]
    pub fn new(lattice: &str) -> Option<Self> {
        is_dns_label(lattice).then(|| Self { lattice: lattice.to_owned() })
    }

    /// The lattice's name.
    #[must_use]
    pub fn lattice(&self) -> &str {
        &self.lattice
    }

    /// Where a call goes: `{lattice}.call.{to}.{from}.{component}.{function}`; the function is escaped.
    #[must_use]
    pub fn call(&self, to: &HostId, from: &HostId, component: &str, function: &str) -> String {
        let function = token::escape(function);
        let Self { lattice } = self;
        format!("{lattice}.call.{}.{}.{}.{}.{component}.{function}", to.site, to.host, from.site, from.host)
    }

    /// The pattern of all calls to a host.
    #[must_use]
    pub fn calls_to(&self, host: &HostId) -> String {
        format!("{}.call.{}.{}.*.*.*.*", self.lattice, host.site, host.host)
    }

    /// Reads a call's subject; `None` if it is not one of this lattice.
    #[must_use]
    pub fn parse_call(&self, subject: &str) -> Option<CallSubject> {
        let [to_site, to_host, from_site, from_host, component, function] = self.tokens("call", subject)?;
        Some(CallSubject {
            to: host(to_site, to_host)?,
            from: host(from_site, from_host)?,
            component: label(component)?,
            function: token::unescape(function)?,
        })
    }

    /// Where the reply of one call is awaited: `{lattice}.reply.{site}.{host}.{connection}.{id}`.
    #[must_use]
    pub fn reply(&self, caller: &HostId, connection: &str, id: &str) -> String {
        format!("{}.reply.{}.{}.{connection}.{id}", self.lattice, caller.site, caller.host)
    }

    /// The pattern of all replies to one connection of a host.
    #[must_use]
    pub fn replies_to(&self, caller: &HostId, connection: &str) -> String {
        self.reply(caller, connection, "*")
    }

    /// Reads a reply's subject; `None` if it is not one of this lattice. A callee answers to no other.
    #[must_use]
    pub fn parse_reply(&self, subject: &str) -> Option<ReplySubject> {
        let [site, name, connection, id] = self.tokens("reply", subject)?;
        Some(ReplySubject { caller: host(site, name)?, connection: plain(connection)?, id: plain(id)? })
    }

    /// Where a host announces itself: `{lattice}.presence.{beat|state|goodbye}.{site}.{host}`.
    #[must_use]
    pub fn announcement(&self, kind: Announcement, from: &HostId) -> String {
        format!("{}.presence.{}.{}.{}", self.lattice, kind.token(), from.site, from.host)
    }

    /// The pattern of all announcements of all hosts (one pattern, so that they stay in order).
    #[must_use]
    pub fn announcements(&self) -> String {
        format!("{}.presence.*.*.*", self.lattice)
    }

    /// Reads an announcement's subject; `None` if it is not one of this lattice.
    #[must_use]
    pub fn parse_announcement(&self, subject: &str) -> Option<(Announcement, HostId)> {
        let [kind, site, name] = self.tokens("presence", subject)?;
        Some((Announcement::parse(kind)?, host(site, name)?))
    }

    /// Where a host is asked for its state: `{lattice}.presence.ask.{to}.{from}`.
    #[must_use]
    pub fn state_ask(&self, to: &HostId, from: &HostId) -> String {
        format!("{}.presence.ask.{}.{}.{}.{}", self.lattice, to.site, to.host, from.site, from.host)
    }

    /// The pattern of all requests for a host's state.
    #[must_use]
    pub fn state_asks_to(&self, host: &HostId) -> String {
        format!("{}.presence.ask.{}.{}.*.*", self.lattice, host.site, host.host)
    }

    /// Reads the subject of a request for a state as `(to, from)`; `None` if it is not one of this lattice.
    #[must_use]
    pub fn parse_state_ask(&self, subject: &str) -> Option<(HostId, HostId)> {
        let ["ask", to_site, to_host, from_site, from_host] = self.tokens("presence", subject)? else {
            return None;
        };
        Some((host(to_site, to_host)?, host(from_site, from_host)?))
    }

    /// Where promises are asked for and given: `{lattice}.promise.{to}.{from}`.
    #[must_use]
    pub fn promise(&self, to: &HostId, from: &HostId) -> String {
        format!("{}.promise.{}.{}.{}.{}", self.lattice, to.site, to.host, from.site, from.host)
    }

    /// The pattern of everything about promises that is meant for a host.
    #[must_use]
    pub fn promises_to(&self, host: &HostId) -> String {
        format!("{}.promise.{}.{}.*.*", self.lattice, host.site, host.host)
    }

    /// Reads a promise's subject as `(to, from)`; `None` if it is not one of this lattice.
    #[must_use]
    pub fn parse_promise(&self, subject: &str) -> Option<(HostId, HostId)> {
        let [to_site, to_host, from_site, from_host] = self.tokens("promise", subject)?;
        Some((host(to_site, to_host)?, host(from_site, from_host)?))
    }

    /// Where a host publishes metadata of its calls on demand: `{lattice}.trace.{site}.{host}.{component}`.
    #[must_use]
    pub fn trace(&self, from: &HostId, component: &str) -> String {
        format!("{}.trace.{}.{}.{component}", self.lattice, from.site, from.host)
    }

    /// The pattern of all traces of all hosts.
    #[must_use]
    pub fn traces(&self) -> String {
        format!("{}.trace.*.*.*", self.lattice)
    }

    /// Reads a trace's subject as `(from, component)`; `None` if it is not one of this lattice.
    #[must_use]
    pub fn parse_trace(&self, subject: &str) -> Option<(HostId, String)> {
        let [site, name, component] = self.tokens("trace", subject)?;
        Some((host(site, name)?, label(component)?))
    }

    /// Where a viewer asks all hosts to tell of their calls for a while: `{lattice}.watch.{viewer}`.
    #[must_use]
    pub fn watch(&self, viewer: &str) -> String {
        format!("{}.watch.{viewer}", self.lattice)
    }

    /// The pattern of what all viewers ask.
    #[must_use]
    pub fn watches(&self) -> String {
        self.watch("*")
    }

    /// Reads the subject of a viewer's request as its name; `None` if it is not one of this lattice.
    #[must_use]
    pub fn parse_watch(&self, subject: &str) -> Option<String> {
        let [viewer] = self.tokens("watch", subject)?;
        label(viewer)
    }

    /// Where a host tells of a commit that it has seen: `{lattice}.nudge.{site}.{host}`.
    #[must_use]
    pub fn nudge(&self, from: &HostId) -> String {
        format!("{}.nudge.{}.{}", self.lattice, from.site, from.host)
    }

    /// The pattern of what all hosts tell of commits.
    #[must_use]
    pub fn nudges(&self) -> String {
        format!("{}.nudge.*.*", self.lattice)
    }

    /// Reads a nudge's subject as the host that tells; `None` if it is not one of this lattice.
    #[must_use]
    pub fn parse_nudge(&self, subject: &str) -> Option<HostId> {
        let [site, name] = self.tokens("nudge", subject)?;
        host(site, name)
    }

    /// The tokens after `{lattice}.{kind}.`, if there are exactly `N`.
    fn tokens<'s, const N: usize>(&self, kind: &str, subject: &'s str) -> Option<[&'s str; N]> {
        let rest = subject.strip_prefix(self.lattice.as_str())?.strip_prefix('.')?;
        let rest = rest.strip_prefix(kind)?.strip_prefix('.')?;
        let mut tokens = [""; N];
        let mut parts = rest.split('.');
        for token in &mut tokens {
            *token = parts.next()?;
        }
        parts.next().is_none().then_some(tokens)
    }
}

fn host(site: &str, host: &str) -> Option<HostId> {
    (is_dns_label(site) && is_dns_label(host)).then(|| HostId::new(site, host))
}

fn label(token: &str) -> Option<String> {
    is_dns_label(token).then(|| token.to_owned())
}

/// Names that hosts make up for connections and calls: letters, digits, `-` and `_`.
fn plain(token: &str) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    ((1..=64).contains(&token.len()) && token.bytes().all(allowed)).then(|| token.to_owned())
}

#[cfg(test)]
mod tests;
