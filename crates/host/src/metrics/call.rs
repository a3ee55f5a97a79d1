//! What is counted of the calls to one target, looked up once for each link or route.

use std::time::Duration;

use dunlin_lattice::router::Outcome;
use dunlin_lattice::{Ending, Place};
use prometheus::{Histogram, IntCounter, IntCounterVec};

use super::{Metrics, register};

/// Counts calls to one target.
#[derive(Debug)]
pub(crate) struct CallMeter {
    target: String,
    /// In the order of [`Ending::ALL`].
    made: [IntCounter; Ending::ALL.len()],
    /// Here, in this site, in another.
    seconds: [Histogram; 3],
    /// Retries are rare enough to look their counter up.
    retries: IntCounterVec,
}

impl CallMeter {
    pub(crate) fn new(metrics: &Metrics, target: &str) -> Self {
        let made = Ending::ALL.map(|ending| metrics.calls_made.with_label_values(&[target, ending.word()]));
        let places = [Place::SameProcess, Place::OwnSite, Place::OtherSite].map(place_in_words);
        Self {
            target: target.to_owned(),
            made,
            seconds: register::resolve(&metrics.call_seconds, target, places),
            retries: metrics.call_retries.clone(),
        }
    }

    /// Counts a call that has ended. Only calls to other hosts count as made.
    pub(crate) fn ended(&self, ending: Ending, place: Option<Place>, took: Duration) {
        if place != Some(Place::SameProcess)
            && let Some(index) = Ending::ALL.iter().position(|known| *known == ending)
            && let Some(made) = self.made.get(index)
        {
            made.inc();
        }
        // What nobody answered took no time that means anything.
        if let (Ending::Answered | Ending::Failed, Some(place)) = (ending, place) {
            let [here, own_site, other_site] = &self.seconds;
            let seconds = match place {
                Place::SameProcess => here,
                Place::OwnSite => own_site,
                Place::OtherSite => other_site,
            };
            seconds.observe(took.as_secs_f64());
        }
    }

    /// Counts that another host was asked, and why.
    pub(crate) fn retried(&self, reason: Outcome) {
        self.retries.with_label_values(&[self.target.as_str(), reason.word()]).inc();
    }
}

/// How near a call went, in a word.
pub(crate) const fn place_in_words(place: Place) -> &'static str {
    match place {
        Place::SameProcess => "here",
        Place::OwnSite => "own-site",
        Place::OtherSite => "other-site",
    }
}
