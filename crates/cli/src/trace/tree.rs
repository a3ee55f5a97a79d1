//! The tree of `dunlin trace`, from what all hosts answer. Pure.

use std::collections::{BTreeMap, BTreeSet};

use dunlin_host::events::{Event, in_words};
use dunlin_host::status::{Kstatus, Truth};
use dunlin_host::why::{Why, WhySlot};
use dunlin_manifest::short_revision;
use dunlin_providers::logging::escape;

use crate::logs::time_of_day;
use crate::printer::{BAD, BOLD, DIM, GOOD, WARN, styled};

/// So many events of each host are shown.
const EVENTS: usize = 5;

/// One line with what hangs from it.
#[derive(Debug, Default)]
struct Node {
    text: String,
    below: Vec<Node>,
}

fn node(text: impl Into<String>) -> Node {
    Node { text: text.into(), below: Vec::new() }
}

/// The tree as lines.
pub(super) fn render(component: &str, answers: &[Why]) -> Vec<String> {
    let Some(first) = answers.first() else { return Vec::new() };
    let mut root =
        node(format!("{}  {}", styled(BOLD, format!("component/{component}")), result(first.result)));
    root.below.extend(declared(answers));
    // Of a component that Git does not have any more there is neither.
    let image = [("image", first.image.as_str()), ("identity", short(&first.identity))];
    let image: Vec<_> = image
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(name, text)| format!("{} {text}", label(name)))
        .collect();
    if !image.is_empty() {
        root.below.push(node(image.join("   ")));
    }
    for (name, link) in &first.links {
        let declared = if link.declared.is_empty() { String::new() } else { format!(" ({})", link.declared) };
        let at = match (link.at.as_slice(), link.target.contains('/')) {
            (_, false) => String::new(),
            ([], true) => styled(BAD, "  at no host"),
            (hosts, true) => format!("  at {}", hosts.join(" ")),
        };
        root.below.push(node(format!("{} {name} → {}{declared}{at}", label("link"), link.target)));
    }
    root.below.extend(sites(answers));
    root.below.extend(conditions(first));
    let mut lines = vec![root.text];
    draw(&root.below, "", &mut lines);
    lines
}

/// Where it is declared: once, if all hosts follow the same revision.
fn declared(answers: &[Why]) -> Vec<Node> {
    let mut by_revision: BTreeMap<&str, (&Why, Vec<&str>)> = BTreeMap::new();
    for why in answers {
        by_revision.entry(&why.revision).or_insert((why, Vec::new())).1.push(&why.host);
    }
    let several = by_revision.len() > 1;
    let line = |(revision, (why, hosts)): (&str, (&Why, Vec<&str>))| {
        let at = if several { format!("  at {}", hosts.join(" ")) } else { String::new() };
        let by = why
            .commit
            .as_ref()
            .map(|commit| format!("  by {}: {}", escape(&commit.author), escape(&commit.subject)));
        let declared = if why.declared.is_empty() { "nowhere" } else { &why.declared };
        node(format!(
            "{} {declared} in revision {}{}{at}",
            label("declared"),
            short_revision(revision),
            by.unwrap_or_default()
        ))
    };
    by_revision.into_iter().map(line).collect()
}

fn sites(answers: &[Why]) -> Vec<Node> {
    let of_host: BTreeMap<&str, &Why> = answers.iter().map(|why| (why.host.as_str(), why)).collect();
    let mut shown = BTreeSet::new();
    let mut nodes = Vec::new();
    let names: BTreeSet<&String> = answers.iter().flat_map(|why| why.sites.keys()).collect();
    for name in names {
        // Who is of the site knows best.
        let own = answers
            .iter()
            .find(|why| why.host.split('/').next() == Some(name) && why.sites.contains_key(name));
        let Some(site) = own.or(answers.first()).and_then(|why| why.sites.get(name)) else { continue };
        let mut below = node(format!("{} asks for {}", styled(BOLD, name), site.asked));
        if let Some(shortage) = &site.shortage {
            below.text.push_str(&styled(WARN, format!("  {shortage}")));
        }
        for ranked in &site.ranked {
            shown.insert(ranked.host.as_str());
            let style = if ranked.wanted { GOOD } else { DIM };
            let text = format!("{}  {}", ranked.host, styled(style, escape(&ranked.why)));
            below.below.push(host(text, of_host.get(ranked.host.as_str()).copied()));
        }
        nodes.push(below);
    }
    // Sites that are not asked for any more, and may still have something.
    for why in answers.iter().filter(|why| !shown.contains(why.host.as_str())) {
        if why.slot.is_some() || !why.events.is_empty() {
            let text = format!("{}  {}", why.host, styled(DIM, "its site is not asked for"));
            nodes.push(host(text, Some(why)));
        }
    }
    nodes
}

fn host(text: String, answer: Option<&Why>) -> Node {
    let mut node = node(text);
    let Some(why) = answer else { return node };
    if let Some(slot) = &why.slot {
        node.text.push_str(&format!(" · {}", slot_in_words(slot)));
    }
    // What the host waits for itself; the rest is told at the top.
    let own = why.waits.iter().filter(|wait| wait.of == why.host);
    node.below.extend(own.map(|wait| self::node(styled(WARN, escape(&wait.to_string())))));
    // In the order of what is shown: a host may note what happened a moment after something else.
    let mut events: Vec<_> = why.events.iter().collect();
    events.sort_by_key(|event| event.time);
    let skip = events.len().saturating_sub(EVENTS);
    node.below.extend(events.into_iter().skip(skip).map(|event| self::node(event_in_words(event))));
    node
}

fn slot_in_words(slot: &WhySlot) -> String {
    let style = match slot.status.state.as_str() {
        "ready" => GOOD,
        "failed" => BAD,
        _ => WARN,
    };
    let update = slot.update.as_ref().map(|update| format!(", {} is to take over", short(update)));
    format!(
        "{} since {} with identity {}{}",
        styled(style, &slot.status.state),
        in_words(slot.since),
        short(&slot.status.identity),
        update.unwrap_or_default()
    )
}

fn event_in_words(event: &Event) -> String {
    let when = time_of_day(event.time.saturating_mul(1000));
    format!("{}  {}", styled(DIM, when), escape(&event.what.to_string()))
}

fn conditions(why: &Why) -> Vec<Node> {
    let mut below = node(styled(BOLD, "conditions"));
    below.text.push_str(&styled(DIM, format!("  as {} sees them", why.host)));
    for condition in why.conditions.iter().filter(|condition| condition.kind != "Reconciling") {
        let style = match (condition.kind.as_str(), condition.status) {
            ("Stalled", Truth::True) | ("Accepted" | "Ready", Truth::False) => BAD,
            ("Progressing", Truth::True) | (_, Truth::Unknown) => WARN,
            _ => GOOD,
        };
        let status = styled(style, format!("{:?}", condition.status));
        let message = if condition.message.is_empty() {
            String::new()
        } else {
            format!(": {}", escape(&condition.message))
        };
        let age = styled(DIM, format!("  since {}", in_words(condition.age)));
        below.below.push(node(format!("{} {status} {}{message}{age}", condition.kind, condition.reason)));
    }
    vec![below]
}

/// What kstatus makes of it, in words and colour.
pub(crate) fn result(result: Kstatus) -> String {
    match result {
        Kstatus::Current => styled(GOOD, "as asked"),
        Kstatus::InProgress => styled(WARN, "in progress"),
        Kstatus::Failed => styled(BAD, "stalled"),
    }
}

fn label(text: &str) -> String {
    styled(DIM, text)
}

/// The first digits of an identity.
fn short(identity: &str) -> &str {
    identity.get(..7).unwrap_or(identity)
}

fn draw(nodes: &[Node], indent: &str, lines: &mut Vec<String>) {
    for (index, node) in nodes.iter().enumerate() {
        let last = index + 1 == nodes.len();
        lines.push(format!("{indent}{}{}", styled(DIM, if last { "└─ " } else { "├─ " }), node.text));
        let deeper = format!("{indent}{}", if last { "   ".to_owned() } else { styled(DIM, "│  ") });
        draw(&node.below, &deeper, lines);
    }
}

#[cfg(test)]
mod tests {
    use dunlin_host::events::What;
    use dunlin_host::status::{ComponentCondition, SlotStatus, Wait};
    use dunlin_host::why::{Ranked, WhyLink, WhySite};
    use expect_test::expect;

    use super::*;

    fn why(host: &str) -> Why {
        let ranked = |host: &str, wanted, why: &str| Ranked { host: host.into(), wanted, why: why.into() };
        let sites = [(
            "aws".to_owned(),
            WhySite {
                asked: "1".into(),
                ranked: vec![
                    ranked("aws/aws-2", true, "wanted: number 1 in rank"),
                    ranked("aws/aws-1", false, "not needed: number 2 in rank"),
                ],
                shortage: None,
            },
        )];
        let condition = |kind: &str, status, reason: &str, message: &str| ComponentCondition {
            kind: kind.into(),
            status,
            reason: reason.into(),
            message: message.into(),
            age: 12_000,
            last_transition: 0,
            observed_revision: "dir-1".into(),
            identity: "0123456789".into(),
        };
        Why {
            host: host.into(),
            revision: "dir-1".into(),
            declared: "todo.yaml:3".into(),
            image: "example.com/todo:1".into(),
            identity: "0123456789".into(),
            links: [(
                "store".to_owned(),
                WhyLink {
                    target: "provider/redis".into(),
                    declared: "redis.yaml:1".into(),
                    at: vec!["gcp/gcp-1".into()],
                },
            )]
            .into(),
            sites: sites.into(),
            result: Kstatus::InProgress,
            conditions: vec![
                condition("Accepted", Truth::True, "InForce", "what Git says is in force"),
                condition("Ready", Truth::False, "Starting", "0 of 1 in aws ready"),
                condition("Progressing", Truth::True, "Starting", "aws-2 starts since 3.0 s"),
                condition("Reconciling", Truth::True, "Starting", "aws-2 starts since 3.0 s"),
            ],
            ..Why::default()
        }
    }

    fn slot(state: &str) -> Option<WhySlot> {
        let status = SlotStatus {
            state: state.into(),
            reason: String::new(),
            identity: "0123456789".into(),
            canary: None,
        };
        Some(WhySlot { status, since: 3000, update: None })
    }

    #[test]
    fn from_the_manifest_to_the_replicas() {
        let event = |host: &str, what| Event {
            number: 0,
            time: 47_109_123,
            host: host.into(),
            component: "todo".into(),
            revision: "dir-1".into(),
            identity: String::new(),
            what,
        };
        let wait =
            Wait { of: "aws/aws-2".into(), kind: "Starting".into(), what: "starts".into(), since: 3000 };
        let starting = Why {
            slot: slot("starting"),
            waits: vec![wait.clone()],
            events: vec![
                event("aws/aws-2", What::Starting),
                event("aws/aws-2", What::Compiled { took: 41, from: "compiler".into() }),
            ],
            ..why("aws/aws-2")
        };
        let old = Why {
            slot: slot("ready"),
            waits: vec![wait],
            revision: "dir-0".into(),
            events: vec![event("gcp/gcp-1", What::Ready { after: 60 })],
            ..why("gcp/gcp-1")
        };
        let text = render("todo", &[why("aws/aws-1"), starting, old]).join("\n");
        expect![[r#"
            component/todo  in progress
            ├─ declared todo.yaml:3 in revision dir-0  at gcp/gcp-1
            ├─ declared todo.yaml:3 in revision dir-1  at aws/aws-1 aws/aws-2
            ├─ image example.com/todo:1   identity 0123456
            ├─ link store → provider/redis (redis.yaml:1)  at gcp/gcp-1
            ├─ aws asks for 1
            │  ├─ aws/aws-2  wanted: number 1 in rank · starting since 3.0 s with identity 0123456
            │  │  ├─ aws-2 starts since 3 s
            │  │  ├─ 13:05:09.123  starts
            │  │  └─ 13:05:09.123  compiled (41 ms)
            │  └─ aws/aws-1  not needed: number 2 in rank
            ├─ gcp/gcp-1  its site is not asked for · ready since 3.0 s with identity 0123456
            │  └─ 13:05:09.123  ready after 60 ms
            └─ conditions  as aws/aws-1 sees them
               ├─ Accepted True InForce: what Git says is in force  since 12 s
               ├─ Ready False Starting: 0 of 1 in aws ready  since 12 s
               └─ Progressing True Starting: aws-2 starts since 3.0 s  since 12 s"#]]
        .assert_eq(&anstream::adapter::strip_str(&text).to_string());
    }
    #[test]
    fn of_a_component_that_is_gone_nothing_is_blank_and_events_are_in_order() {
        let event = |number, time, what| Event {
            number,
            time,
            host: "aws/aws-1".into(),
            component: "todo".into(),
            revision: "dir-1".into(),
            identity: String::new(),
            what,
        };
        let leaving = What::Leaving { promised: vec![], draining: false, deleted: true };
        let gone = Why {
            host: "aws/aws-1".into(),
            revision: "dir-1".into(),
            slot: slot("leaving"),
            events: vec![
                event(1, 2000, What::Stopped { finished: 0, cut: 0 }),
                event(2, 1000, leaving),
                event(3, 2000, What::GivenUp),
            ],
            ..Why::default()
        };
        let text = render("todo", &[gone]).join("\n");
        expect![[r#"
            component/todo  in progress
            ├─ declared nowhere in revision dir-1
            ├─ aws/aws-1  its site is not asked for · leaving since 3.0 s with identity 0123456
            │  ├─ 00:00:01.000  leaves: Git does not have it any more
            │  ├─ 00:00:02.000  stopped
            │  └─ 00:00:02.000  no longer to be started here
            └─ conditions  as aws/aws-1 sees them"#]]
        .assert_eq(&anstream::adapter::strip_str(&text).to_string());
    }
}
