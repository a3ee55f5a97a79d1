//! What the table makes of beats, states and goodbyes.

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn host(number: u32) -> HostId {
    HostId::new("gcp", format!("gcp-{number}"))
}

fn beat(incarnation: u64, sequence: u64, state: u64) -> Beat {
    Beat {
        incarnation,
        sequence,
        uptime: SECOND * u32::try_from(sequence).unwrap(),
        state,
        protocol: 1,
        rank: 1,
    }
}

const FRESH: Result<Heard, Ignored> = Ok(Heard { changed: true, fresh: true, ask: false });
const NEWS: Result<Heard, Ignored> = Ok(Heard { changed: true, fresh: false, ask: false });
const NOTHING_NEW: Result<Heard, Ignored> = Ok(Heard { changed: false, fresh: false, ask: false });

struct Story {
    table: Table,
    start: Instant,
}

impl Story {
    fn new() -> Self {
        let start = Instant::now();
        Self { table: Table::new(start), start }
    }

    /// A beat that arrives `at` seconds after the start.
    fn beat(&mut self, at: f64, beat: &Beat, body: Option<&'static str>) -> Result<Heard, Ignored> {
        let now = self.start + Duration::from_secs_f64(at);
        self.table.beat(&host(1), beat, body.map(Bytes::from), now)
    }

    fn seen(&self) -> &Seen {
        self.table.get(&host(1)).unwrap()
    }
}

#[test]
fn only_later_beats_count() {
    let mut story = Story::new();
    assert_eq!(story.beat(0.0, &beat(7, 5, 0), None), FRESH);
    assert_eq!(story.beat(1.0, &beat(7, 5, 0), None), Err(Ignored::Sequence));
    assert_eq!(story.beat(1.0, &beat(7, 4, 3), None), Err(Ignored::Sequence));
    assert_eq!(story.beat(1.0, &beat(7, 6, 0), None), NOTHING_NEW);
    assert_eq!(story.seen().last_beat, story.start + SECOND);
    assert_eq!(story.seen().first_seen, story.start);
    // Silence, then a beat: that is news, as everybody may have counted it out.
    assert_eq!(story.beat(4.0, &beat(7, 7, 0), None), NEWS);
}

#[test]
fn states_are_asked_for_until_held() {
    let mut story = Story::new();
    let ask = |fresh| Ok(Heard { changed: fresh, fresh, ask: true });
    assert_eq!(story.beat(0.0, &beat(7, 1, 2), None), ask(true));
    assert_eq!(story.beat(0.1, &beat(7, 2, 2), None), NOTHING_NEW, "not again at once");
    assert_eq!(story.beat(1.1, &beat(7, 3, 2), None), ask(false));
    assert_eq!(story.beat(1.2, &beat(7, 4, 2), Some("two")), NEWS);
    assert_eq!(story.seen().state, Some(PeerState { number: 2, body: "two".into() }));
    assert!(story.seen().current());
    // Repeated, as every 30 s: nothing new. The next one lost: the old one is held, and known to be old.
    assert_eq!(story.beat(1.3, &beat(7, 5, 2), Some("two")), NOTHING_NEW);
    assert_eq!(story.beat(3.0, &beat(7, 6, 3), None), ask(false));
    assert!(!story.seen().current());
    assert_eq!(story.seen().state.as_ref().unwrap().number, 2);
}

#[test]
fn a_new_incarnation_replaces_and_the_old_one_is_over() {
    let mut story = Story::new();
    story.beat(0.0, &beat(7, 90, 1), Some("old")).unwrap();
    assert_eq!(story.beat(1.0, &beat(8, 1, 0), None), FRESH);
    assert_eq!((story.seen().incarnation, &story.seen().state, story.seen().announced), (8, &None, 0));
    assert_eq!(story.seen().first_seen, story.start + SECOND);
    assert_eq!(story.seen().clock.incarnation, 8);
    assert_eq!(story.seen().clock.to_peer(story.start + SECOND), SECOND);
    assert_eq!(story.beat(1.1, &beat(7, 91, 1), Some("stale")), Err(Ignored::Incarnation));
    for incarnation in 9..40 {
        story.beat(2.0, &beat(incarnation, 1, 0), None).unwrap();
        assert_eq!(story.beat(2.0, &beat(incarnation - 1, 9, 0), None), Err(Ignored::Incarnation));
    }
    assert!(story.seen().former.len() <= FORMER);
}

#[test]
fn a_goodbye_holds_for_its_incarnation() {
    let mut story = Story::new();
    assert!(!story.table.goodbye(&host(1), 7), "nobody known, nothing remembered");
    assert!(story.table.is_empty());
    story.beat(0.0, &beat(7, 1, 0), None).unwrap();
    assert!(!story.table.goodbye(&host(1), 8));
    assert!(story.table.goodbye(&host(1), 7));
    assert!(!story.table.goodbye(&host(1), 7));
    assert_eq!(story.beat(1.0, &beat(7, 2, 0), None), Err(Ignored::Gone));
    assert_eq!(story.beat(2.0, &beat(8, 1, 0), None), FRESH);
    assert!(!story.seen().goodbye);
}

#[test]
fn unseen_hosts_are_kept_for_ten_minutes() {
    let mut story = Story::new();
    story.beat(0.0, &beat(7, 1, 1), Some("state")).unwrap();
    assert!(!story.table.forget(story.start + SECOND * 599));
    assert_eq!(story.seen().age(story.start + SECOND * 599), SECOND * 599);
    assert!(story.table.forget(story.start + SECOND * 600));
    assert!(story.table.is_empty());
}

#[test]
fn a_full_table_gives_up_only_who_is_long_unseen() {
    let start = Instant::now();
    let mut table = Table::new(start);
    for number in 0..u32::try_from(MAX_HOSTS).unwrap() {
        let at = start + Duration::from_millis(u64::from(number));
        table.beat(&host(number), &beat(1, 1, 0), None, at).unwrap();
    }
    let newcomer = HostId::new("aws", "aws-1");
    assert_eq!(table.beat(&newcomer, &beat(1, 1, 0), None, start + SECOND * 59), Err(Ignored::Full));
    assert_eq!(table.beat(&host(0), &beat(1, 2, 0), None, start + SECOND * 59), NEWS);
    assert!(table.beat(&newcomer, &beat(1, 1, 0), None, start + SECOND * 61).is_ok());
    assert_eq!(table.len(), MAX_HOSTS);
    assert!(table.get(&host(0)).is_some() && table.get(&host(1)).is_none());
}

proptest! {
    /// Whatever comes in whatever order: what is held never goes back within an incarnation, a former incarnation
    /// never returns while it is remembered, and what was ignored changed nothing.
    #[test]
    fn nothing_goes_back(beats in proptest::collection::vec((1u64..5, 1u64..20, 0u64..6, any::<bool>(), 0u32..3), 1..60)) {
        let mut table = Table::new(Instant::now());
        let mut now = table.epoch;
        let mut over = Vec::new();
        for (incarnation, sequence, state, with_body, seconds) in beats {
            now += SECOND * seconds;
            let before = table.get(&host(1)).cloned();
            let body = (with_body && state > 0).then(|| Bytes::from(state.to_string()));
            let heard = table.beat(&host(1), &beat(incarnation, sequence, state), body, now);
            let after = table.get(&host(1)).unwrap();
            prop_assert!(!over.contains(&after.incarnation));
            if let Some(held) = &after.state {
                prop_assert_eq!(&held.body, &Bytes::from(held.number.to_string()));
                prop_assert!(held.number <= after.announced);
            }
            let Some(before) = before else { continue };
            if heard.is_err() {
                prop_assert!(Arc::ptr_eq(&before, after));
            } else if before.incarnation == after.incarnation {
                prop_assert!(after.sequence > before.sequence && after.announced >= before.announced);
                prop_assert!(after.state.as_ref().map(|held| held.number) >= before.state.as_ref().map(|held| held.number));
            } else {
                over.push(before.incarnation);
            }
        }
    }
}
