//! What a pattern of subjects is good for, in words.

use dunlin_lattice::permissions::SERVER_LINKS;

/// What somebody can do who may publish there.
pub(super) fn publish(pattern: &str) -> String {
    if pattern == SERVER_LINKS {
        return "ask its server whether that is linked to the hub".to_owned();
    }
    let tokens: Vec<_> = pattern.split('.').skip(1).collect();
    match tokens.as_slice() {
        ["presence", "beat", site, host] => format!("show that {} is alive", whom(site, host)),
        ["presence", "beat", site, ..] => format!("show that {} is alive", whom(site, ">")),
        ["presence", "state", site, rest @ ..] => format!("tell the state of {}", whom(site, first(rest))),
        ["presence", "goodbye", site, rest @ ..] => format!("say goodbye for {}", whom(site, first(rest))),
        ["presence", "ask", to_site, to, site, rest @ ..] => {
            format!("ask {} for its state, as {}", whom(to_site, to), whom(site, first(rest)))
        }
        ["promise", to_site, to, site, rest @ ..] => {
            format!("ask and give promises to {}, as {}", whom(to_site, to), whom(site, first(rest)))
        }
        ["call", to_site, to, site, rest @ ..] => {
            format!("call {}, as {}", whom(to_site, to), whom(site, first(rest)))
        }
        ["reply", site, rest @ ..] => format!("answer calls of {}", whom(site, first(rest))),
        ["nudge", site, rest @ ..] => format!("tell of commits as {}", whom(site, first(rest))),
        ["trace", site, rest @ ..] => format!("tell of the calls that {} handles", whom(site, first(rest))),
        ["watch", name] => format!("ask hosts to tell of their calls, as {}", viewer(name)),
        _ => everything(pattern),
    }
}

/// What somebody hears who may subscribe to it.
pub(super) fn subscribe(pattern: &str) -> String {
    let tokens: Vec<_> = pattern.split('.').skip(1).collect();
    match tokens.as_slice() {
        ["presence", "*", "*", "*"] => "who is alive, and in what state".to_owned(),
        ["presence", ">"] => "who is alive, in what state, and who asks".to_owned(),
        ["presence", "ask", site, rest @ ..] => {
            format!("requests for the state of {}", whom(site, first(rest)))
        }
        ["promise", site, rest @ ..] => format!("promises asked of and given to {}", whom(site, first(rest))),
        ["call", site, rest @ ..] => format!("calls to {}", whom(site, first(rest))),
        ["reply", site, rest @ ..] => format!("answers to calls of {}", whom(site, first(rest))),
        ["nudge", ..] => "what hosts tell of commits".to_owned(),
        ["trace", ..] => "what hosts tell of their calls".to_owned(),
        ["watch", ..] => "who asks hosts to tell of their calls".to_owned(),
        _ => everything(pattern),
    }
}

fn whom(site: &str, host: &str) -> String {
    match (site, host) {
        ("*" | ">", _) => "any host".to_owned(),
        (site, "*" | ">") => format!("any host of {site}"),
        (site, host) => format!("{site}/{host}"),
    }
}

fn viewer(name: &str) -> String {
    if name == "*" { "any viewer".to_owned() } else { name.to_owned() }
}

fn first<'t>(tokens: &[&'t str]) -> &'t str {
    tokens.first().copied().unwrap_or(">")
}

fn everything(pattern: &str) -> String {
    if pattern == ">" { "everything".to_owned() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use dunlin_lattice::permissions::Permissions;
    use dunlin_lattice::subjects::Subjects;
    use dunlin_manifest::HostId;

    use super::*;

    #[test]
    fn every_right_that_is_given_has_words() {
        let subjects = Subjects::new("todo").unwrap();
        let all = [
            Permissions::host(&subjects, &HostId::new("aws", "aws-1")),
            Permissions::site(&subjects, "aws"),
            Permissions::viewer(&subjects, "me").unwrap(),
        ];
        for permissions in all {
            for pattern in &permissions.publish {
                assert_ne!(publish(pattern), "", "{pattern}");
            }
            for pattern in &permissions.subscribe {
                assert_ne!(subscribe(pattern), "", "{pattern}");
            }
        }
        assert_eq!(publish("orders.new"), "");
        assert_eq!(subscribe(">"), "everything");
    }
}
