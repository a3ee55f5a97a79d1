//! In which order hosts are tried: own process, own site, other sites by latency; doubtful ones last. Pure.

use std::time::Duration;

/// A host that was not seen for this long goes to the end of every order.
pub const UNSEEN: Duration = Duration::from_secs(3);

/// How near a host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The host that asks.
    SameProcess,
    /// Another host of the same site.
    OwnSite,
    /// A host of another site.
    OtherSite,
}

/// What is known of a host when a call looks for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing<'a> {
    /// Its site: hosts of one site count as equally near.
    pub site: &'a str,
    /// How near it is.
    pub place: Place,
    /// Whether its slot is ready and not leaving.
    pub ready: bool,
    /// Since when presence has heard nothing of it.
    pub unseen_for: Duration,
    /// Whether it lately failed again and again.
    pub ejected: bool,
    /// How long it takes to answer; zero if not known, so that it gets its chance.
    pub latency: Duration,
    /// Calls of this process that it has not answered yet.
    pub in_flight: u32,
}

impl Standing<'_> {
    /// 0 is sound; more is worse. Unseen is worst: such a host most likely costs the whole patience.
    fn doubt(&self) -> u8 {
        if self.unseen_for >= UNSEEN {
            3
        } else if !self.ready {
            2
        } else {
            u8::from(self.ejected)
        }
    }

    fn cost(&self) -> u128 {
        self.latency.as_micros().max(1) * (u128::from(self.in_flight) + 1)
    }
}

/// The order in which to try `standings`, as indices; all of them are in it, so that even the most doubtful host
/// is tried before a 503. `pick(n)` returns a random number below `n`.
///
/// Within a site the first is the better of two picked at random, by latency times calls in flight: the best of all
/// would be everybody's choice at once.
#[must_use]
pub fn order(standings: &[Standing<'_>], mut pick: impl FnMut(usize) -> usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..standings.len()).collect();
    if order.len() < 2 {
        return order;
    }
    let site_latency = |standing: &Standing<'_>| {
        standings
            .iter()
            .filter(|other| other.site == standing.site && other.doubt() == standing.doubt())
            .map(|other| other.latency)
            .min()
            .unwrap_or_default()
    };
    let group = |index: usize| {
        let standing = &standings[index];
        let latency = match standing.place {
            Place::OtherSite => site_latency(standing),
            Place::SameProcess | Place::OwnSite => Duration::ZERO,
        };
        (standing.doubt(), standing.place, latency, standing.site)
    };
    order.sort_by_cached_key(|&index| (group(index), standings[index].cost()));
    let mut rest = order.as_mut_slice();
    while let Some(&first) = rest.first() {
        let members = rest.iter().take_while(|&&index| group(index) == group(first)).count();
        let (these, others) = rest.split_at_mut(members);
        if members > 1 {
            let one = pick(members).min(members - 1);
            let two = pick(members - 1).min(members - 2);
            let two = if two >= one { two + 1 } else { two };
            these[..=one.min(two)].rotate_right(1); // Sorted by cost: the smaller index is the better host.
        }
        rest = others;
    }
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host(site: &str, place: Place) -> Standing<'_> {
        Standing {
            site,
            place,
            ready: true,
            unseen_for: Duration::ZERO,
            ejected: false,
            latency: Duration::from_millis(1),
            in_flight: 0,
        }
    }

    fn last(n: usize) -> usize {
        n - 1
    }

    #[test]
    fn own_process_then_own_site_then_others_by_latency() {
        let far = Standing { latency: Duration::from_millis(80), ..host("far", Place::OtherSite) };
        let near = Standing { latency: Duration::from_millis(20), ..host("near", Place::OtherSite) };
        let hosts = [far, near, host("own", Place::OwnSite), host("own", Place::SameProcess)];
        assert_eq!(order(&hosts, last), [3, 2, 1, 0]);
    }

    #[test]
    fn doubtful_hosts_come_last_but_they_come() {
        let own = || host("own", Place::OwnSite);
        let unseen = Standing { unseen_for: UNSEEN, ..own() };
        let unready = Standing { ready: false, ..own() };
        let ejected = Standing { ejected: true, ..own() };
        assert_eq!(order(&[unseen, unready, ejected, host("far", Place::OtherSite)], last), [3, 2, 1, 0]);
    }

    #[test]
    fn the_better_of_two() {
        let own = |millis, in_flight| Standing {
            latency: Duration::from_millis(millis),
            in_flight,
            ..host("own", Place::OwnSite)
        };
        // Sorted by cost: 2 (2 ms), 0 (3 ms), 1 (4 ms).
        let hosts = [own(3, 0), own(1, 3), own(1, 1)];
        let picks = |one: usize, two: usize| {
            let mut picks = [one, two].into_iter();
            order(&hosts, move |_| picks.next().unwrap_or(0))
        };
        assert_eq!(picks(0, 0), [2, 0, 1]);
        assert_eq!(picks(1, 1), [0, 2, 1], "the best was not picked, so the second is first");
        assert_eq!(picks(2, 0), [2, 0, 1]);
    }

    fn standing() -> impl Strategy<Value = Standing<'static>> {
        let place = prop_oneof![Just(Place::SameProcess), Just(Place::OwnSite), Just(Place::OtherSite)];
        let site = prop_oneof![Just("a"), Just("b"), Just("c")];
        (place, site, any::<bool>(), 0u64..5, any::<bool>(), 0u64..100, 0u32..9).prop_map(
            |(place, site, ready, unseen, ejected, latency, in_flight)| Standing {
                site: if place == Place::OtherSite { site } else { "own" },
                place,
                ready,
                unseen_for: Duration::from_secs(unseen),
                ejected,
                latency: Duration::from_millis(latency),
                in_flight,
            },
        )
    }

    proptest! {
        #[test]
        fn everyone_once_and_sound_before_doubtful(
            hosts in prop::collection::vec(standing(), 0..12),
            picks in prop::collection::vec(any::<usize>(), 24),
        ) {
            let mut picks = picks.into_iter();
            let order = order(&hosts, |n| picks.next().unwrap_or(0) % n);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..hosts.len()).collect::<Vec<_>>());
            for pair in order.windows(2) {
                let (one, two) = (&hosts[pair[0]], &hosts[pair[1]]);
                prop_assert!((one.doubt(), one.place) <= (two.doubt(), two.place));
            }
        }
    }
}
