//! What `dunlin rollout` prints: lines as steps end, on a terminal a live line of what is waited for, or JSON.

use std::collections::BTreeSet;
use std::time::Duration;

use dunlin_host::events::{Event, What, in_words};
use dunlin_host::history::Outcome;
use dunlin_host::status::Wait;
use dunlin_manifest::short_revision;
use dunlin_providers::logging::escape;
use serde_json::json;

use super::look::{Look, is};
use super::steps::{Mark, Steps};
use super::verdict::{Summary, changes, named};
use crate::dev::{Screen, cut};
use crate::printer::{self, BAD, BOLD, DIM, GOOD, Output, WARN, styled};
use crate::waiting;
use crate::words::{counted, thousands};

/// What is waited for is a line of its own once it has lasted for so long.
const LASTING: Duration = Duration::from_secs(2);

/// Prints.
#[derive(Debug)]
pub(super) struct Show {
    output: Output,
    screen: Screen,
    steps: Steps,
    headed: bool,
    /// What is waited for, without ages, and since when.
    waits: (BTreeSet<String>, Duration),
    told: BTreeSet<String>,
}

impl Show {
    pub(super) fn new(output: Output) -> Self {
        Self {
            output,
            screen: Screen::new(),
            steps: Steps::default(),
            headed: false,
            waits: Default::default(),
            told: BTreeSet::new(),
        }
    }

    /// Of a revision whose first line was shown already.
    pub(super) fn headed(self) -> Self {
        Self { headed: true, ..self }
    }

    /// Shows what is new of a revision.
    pub(super) fn steps(&mut self, looks: &[Look], revision: &str, components: &[String]) {
        let names = named(looks, revision, components);
        self.head(looks, revision, &names);
        let mut events: Vec<&Event> = looks
            .iter()
            .flat_map(|look| look.events.iter().filter(|event| belongs(look, event, revision)))
            .collect();
        events.sort_by_key(|event| event.time);
        for event in events.into_iter().filter(|event| names.contains(&event.component)) {
            if self.output == Output::Json {
                self.screen.line(serde_json::to_string(event).unwrap_or_default());
            } else if let Some(line) = self.steps.take(event, names.len() > 1) {
                let mark = match line.mark {
                    Mark::Good => styled(GOOD, "✓"),
                    Mark::Bad => styled(BAD, "✗"),
                    Mark::Plain => styled(DIM, "·"),
                };
                // Every host says of a mistake that it holds back; once is enough.
                let held = matches!(event.what, What::Held { .. });
                if !held || self.told.insert(event.what.to_string()) {
                    self.screen.line(format!("{mark} {}", escape(&line.text)));
                }
            }
        }
    }

    fn head(&mut self, looks: &[Look], revision: &str, names: &[String]) {
        let Some(known) = looks.iter().find_map(|look| look.revision(revision)) else { return };
        if std::mem::replace(&mut self.headed, true) || self.output == Output::Json {
            return;
        }
        let of = |object: &str| names.iter().any(|name| object.strip_prefix("component/") == Some(name));
        let changes: Vec<_> = changes(looks, revision)
            .iter()
            .filter(|change| of(&change.object))
            .map(|change| escape(&change.to_string()).into_owned())
            .collect();
        let words =
            if changes.is_empty() { styled(DIM, "changes nothing of it") } else { changes.join("; ") };
        self.screen.line(format!(
            "{} {}  {words}",
            styled(DIM, "revision"),
            styled(BOLD, short_revision(&known.id))
        ));
    }

    /// Shows what is waited for.
    pub(super) fn waits(&mut self, waits: &[Wait], now: Duration) {
        let plain: BTreeSet<String> = waits.iter().map(|wait| format!("{} {}", wait.of, wait.what)).collect();
        let words = waiting::in_words(waits);
        let words = escape(&words);
        if plain != self.waits.0 {
            self.waits = (plain, now);
            if self.output == Output::Json {
                self.screen.line(json!({ "waits": waits }));
            }
        } else if self.output == Output::Text && now.saturating_sub(self.waits.1) >= LASTING {
            let key = self.waits.0.iter().cloned().collect::<Vec<_>>().join("\n");
            if self.told.insert(key) {
                self.screen.line(format!("{} {words}", styled(WARN, "…")));
            }
        }
        if self.output == Output::Text {
            self.screen.set_live(format!("{} {}", styled(DIM, "…"), cut(&words, 2)));
        }
    }

    /// Everything is as it should be.
    pub(super) fn settled(&mut self, summary: &Summary) {
        self.screen.clear_live();
        let Summary { revision, word, took, requests, failures } = summary;
        if self.output == Output::Json {
            let outcome = json!({
                "outcome": "settled", "revision": revision, "took": took, "requests": requests, "failures": failures
            });
            return printer::line(outcome);
        }
        let failed = format!("{} failed", thousands(*failures));
        let failed = if *failures > 0 { styled(BAD, failed) } else { failed };
        printer::line(format!(
            "{word} in {}, {failed} of {}",
            in_words(*took),
            counted(*requests, "request")
        ));
    }

    /// Takes away what is shown for the moment.
    pub(super) fn clear(&mut self) {
        self.screen.clear_live();
    }

    /// It ended otherwise.
    pub(super) fn ended(&mut self, outcome: &str, revision: &str, why: &str) {
        self.screen.clear_live();
        if self.output == Output::Json {
            return printer::line(json!({ "outcome": outcome, "revision": revision, "why": why }));
        }
        printer::line(format!("{} {}", styled(BAD, format!("{}:", outcome.replace('-', " "))), escape(why)));
        printer::note("what runs goes on; `dunlin trace COMPONENT` tells what each host did and why");
    }
}

/// Whether an event is a step of a revision: it happened after the host began to follow that, and before it was settled.
fn belongs(look: &Look, event: &Event, revision: &str) -> bool {
    let Some(known) = look.revision(revision) else { return false };
    let until = match known.outcome {
        // Hosts note it a moment after it is so, and the last requests end a moment after that.
        Outcome::Settled => known.applied.saturating_add(known.took).saturating_add(1000),
        _ => u64::MAX,
    };
    is(&event.revision, revision) && (known.applied..=until).contains(&event.time)
}
