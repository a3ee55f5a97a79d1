//! Hub and leaves: reached, trusted, and letting us in.

use super::Finding;
use crate::check::facts::{Facts, Look, Place, ServerFacts, Setting, Tls, Trouble, Trust};

/// One line for each server.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    facts.servers.iter().map(|server| one(facts, server)).collect()
}

/// `hub`, `leaf aws`.
pub(super) fn named(place: &Place) -> String {
    match place {
        Place::Hub => "hub".to_owned(),
        Place::Leaf(site) => format!("leaf {site}"),
    }
}

/// The command that makes a server's certificate anew, and what follows.
pub(super) fn renew(setting: Setting, place: &Place) -> String {
    let command = match place {
        _ if setting == Setting::Real => {
            return "start `dunlin dev` again: it makes new certificates".to_owned();
        }
        Place::Hub => "dunlin credentials hub --replace".to_owned(),
        Place::Leaf(site) => format!("dunlin credentials leaf {site} --replace"),
    };
    format!("`{command}`, give the new files to its nats-server, and `nats-server --signal reload`")
}

fn one(facts: &Facts, server: &ServerFacts) -> Finding {
    let (what, address) = (named(&server.place), &server.address);
    let look = match &server.look {
        Ok(look) => look,
        Err(trouble) => {
            let mend = unreached(facts.setting, &server.place, trouble);
            return Finding::bad(what, format!("{address} {trouble}")).mend(mend);
        }
    };
    let here = format!("nats-server {} at {address}", look.version);
    if let Some(tls) = look.tls.as_ref().filter(|tls| tls.trust != Trust::Trusted) {
        let (why, mend) = untrusted(facts, server, tls);
        return Finding::bad(what, format!("{here}: its certificate is not trusted: {why}")).mend(mend);
    }
    match &server.entry {
        Some(Err(words)) => {
            let (why, mend) = refused(facts, look, words);
            Finding::bad(what, format!("{here}: {why}")).mend(mend)
        }
        Some(Ok(_)) if look.tls.is_none() => {
            let found =
                format!("{here} speaks without TLS: whoever is on the way reads and changes what passes");
            Finding::warning(what, found).mend("give it a certificate, and name it tls://…")
        }
        Some(Ok(_)) => {
            let user =
                if facts.viewer.is_some() { "credentials accepted" } else { "let in without credentials" };
            Finding::good(what, format!("{here}: TLS trusted, {user}"))
        }
        None => Finding::bad(what, format!("{here} was not entered")),
    }
}

/// What to do about a server that does not greet.
fn unreached(setting: Setting, place: &Place, trouble: &Trouble) -> String {
    let part = place.part();
    match (setting, trouble) {
        (Setting::Real, Trouble::Silent(_)) => format!("dunlin thaw {part}"),
        (Setting::Real, _) => format!("dunlin revive {part}"),
        (_, Trouble::Refused) => "start its nats-server, or correct the port".to_owned(),
        (_, Trouble::Name(_)) => "correct the name, or its DNS record".to_owned(),
        (_, Trouble::NoConnection(_)) => {
            "see that the machine runs, and that the firewalls in between let this port pass".to_owned()
        }
        (_, Trouble::Silent(_)) => {
            "see what holds it (a stopped process, a full machine, a network that loses packets), or start it again"
                .to_owned()
        }
        (_, Trouble::Closed) => "see in its log why; it may be at its limit of connections".to_owned(),
        (_, Trouble::NoTls) => "give it a certificate: `dunlin credentials` writes a configuration with TLS".to_owned(),
        (_, Trouble::Other(_)) => "see that this is the port for NATS clients, and in its log".to_owned(),
    }
}

fn untrusted(facts: &Facts, server: &ServerFacts, tls: &Tls) -> (String, String) {
    let Tls { certificate, trust } = tls;
    match trust {
        Trust::OutOfTime => {
            let (_, words) = super::span::judge(facts.now, certificate.span);
            (words, renew(facts.setting, &server.place))
        }
        Trust::OtherAuthority => {
            let ours: Vec<_> = facts.authority.iter().map(|authority| authority.name.as_str()).collect();
            let issuer = &certificate.issuer;
            let why = match ours.as_slice() {
                [] => format!("{issuer:?} signed it, whom this machine does not know"),
                ours if ours.contains(&issuer.as_str()) => {
                    format!("another authority with the name {issuer:?} signed it, not that of --authority")
                }
                ours => format!("{issuer:?} signed it, and --authority is {:?}", ours.join(", ")),
            };
            let mend =
                "give --authority the authority.pem that lies where this server's certificate was made";
            (why, mend.to_owned())
        }
        Trust::OtherName => {
            let why = format!("it is for {}", certificate.names.join(", "));
            let mend = match &server.place {
                Place::Hub => "dunlin credentials hub --address NAME --replace".to_owned(),
                Place::Leaf(site) => format!("dunlin credentials leaf {site} --address NAME --replace"),
            };
            (why, format!("name it so in the URL, or `{mend}`"))
        }
        Trust::Trusted => (String::new(), String::new()),
        Trust::Other(words) => (words.clone(), renew(facts.setting, &server.place)),
    }
}

/// Why it does not let us in. What the server says is "authorization violation", whatever the reason.
fn refused(facts: &Facts, look: &Look, words: &str) -> (String, String) {
    if !words.contains("authorization violation") {
        let mend = "see the server's log; it may be at a limit, or have been frozen meanwhile";
        return (words.to_owned(), mend.to_owned());
    }
    let Some(viewer) = &facts.viewer else {
        let why =
            if look.demands_user { "it lets nobody in without credentials" } else { "it does not let us in" };
        return (
            why.to_owned(),
            "give --credentials FILE, a viewer's: `dunlin credentials viewer NAME`".to_owned(),
        );
    };
    let name = &viewer.name;
    let (verdict, when) = super::span::judge(facts.now, viewer.span);
    if verdict == super::Verdict::Bad {
        let short = name.strip_prefix("viewer ").unwrap_or("NAME");
        let mend = format!("dunlin credentials viewer {short} --replace");
        return (format!("it does not accept the credentials of {name}: {when}"), mend);
    }
    let why = format!(
        "it does not accept the credentials of {name}: another operator or account signed them, or they were revoked"
    );
    let mend = "make them where this server's trust.conf was made: `dunlin credentials viewer NAME`; then see that the \
                server has read the newest trust.conf";
    (why, mend.to_owned())
}
