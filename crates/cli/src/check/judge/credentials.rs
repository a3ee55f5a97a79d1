//! When certificates and credentials end.

use dunlin_credentials::UserFacts;

use super::{Finding, Verdict, servers, span};
use crate::check::facts::Facts;

/// One line for each server's certificate, and one for the authority.
pub(super) fn certificates(facts: &Facts) -> Vec<Finding> {
    let mut all = Vec::new();
    for server in &facts.servers {
        let Some(tls) = server.look.as_ref().ok().and_then(|look| look.tls.as_ref()) else { continue };
        let (verdict, words) = span::judge(facts.now, tls.certificate.span);
        let finding = Finding::new(format!("certificate {}", server.place.name()), verdict, words);
        let mend = servers::renew(facts.setting, &server.place);
        all.push(if verdict == Verdict::Good { finding } else { finding.mend(mend) });
    }
    for authority in &facts.authority {
        let (verdict, words) = span::judge(facts.now, authority.span);
        let finding = Finding::new("authority", verdict, format!("{} {words}", authority.name));
        let mend = "make new credentials in another directory (`dunlin credentials init`), and let servers, hosts and \
                    viewers trust both authorities while the certificates are replaced";
        all.push(if verdict == Verdict::Good { finding } else { finding.mend(mend) });
    }
    all
}

/// The viewer's credentials, and those of hosts and leaves that are at hand: a line for each that is not well, and one
/// for the others.
pub(super) fn users(facts: &Facts) -> Vec<Finding> {
    let mut all = vec![viewer(facts)];
    if facts.users.is_empty() {
        return all;
    }
    let (mut ends, mut well) = (None::<i64>, 0);
    for user in &facts.users {
        let (verdict, words) = span::judge(facts.now, user.span);
        if verdict == Verdict::Good {
            well += 1;
            ends = [ends, user.span.ends].into_iter().flatten().min();
        } else {
            let finding = Finding::new(format!("credentials {}", user.name), verdict, words);
            all.push(finding.mend(renew(user)));
        }
    }
    if well > 0 {
        let when = match ends {
            None => "none ends".to_owned(),
            Some(ends) => format!(
                "the first {}",
                span::judge(facts.now, dunlin_credentials::Span { begins: None, ends: Some(ends) }).1
            ),
        };
        let others = if well == facts.users.len() { "" } else { "other " };
        all.push(Finding::good("credentials", format!("{well} {others}hosts and leaves: {when}")));
    }
    all
}

fn viewer(facts: &Facts) -> Finding {
    let Some(viewer) = &facts.viewer else {
        let found = "none given: the servers were looked at as nobody";
        return Finding::note("credentials", found);
    };
    let (what, (verdict, words)) =
        (format!("credentials {}", viewer.name), span::judge(facts.now, viewer.span));
    let finding = Finding::new(what.clone(), verdict, words);
    match verdict {
        Verdict::Good if !viewer.name.starts_with("viewer ") => {
            let found = "these are no viewer's: who checks needs no more rights than to look";
            Finding::warning(what, found).mend("dunlin credentials viewer NAME")
        }
        Verdict::Good => finding,
        _ => finding.mend(renew(viewer)),
    }
}

/// The command that makes a user anew.
fn renew(user: &UserFacts) -> String {
    let whose = match user.name.split_once(' ') {
        Some(("host" | "leaf" | "viewer", _)) => user.name.as_str(),
        _ => "viewer NAME",
    };
    let who = match whose.split_once(' ') {
        Some(("leaf", _)) => "that nats-server",
        Some(("host", _)) => "that host",
        _ => return format!("dunlin credentials {whose} --replace"),
    };
    format!("`dunlin credentials {whose} --replace`, and give the file to {who}")
}
