//! Schedules over made-up time.

use proptest::prelude::*;

use super::*;

const INTERVAL: Duration = Duration::from_secs(15);

fn millis(from: Instant, to: Instant) -> u128 {
    to.saturating_duration_since(from).as_millis()
}

#[test]
fn looks_are_spread_and_failures_make_them_rare() {
    let start = Instant::now();
    let mut schedule = Schedule::new(INTERVAL, None, start);
    assert_eq!((schedule.due(), schedule.begin(start)), (start, Purpose::Time));
    schedule.looked(&Purpose::Time, true, true, start, 0.0);
    assert_eq!(millis(start, schedule.due()), 12_750);
    schedule.looked(&Purpose::Time, true, true, start, 1.0);
    assert_eq!(millis(start, schedule.due()), 17_250);
    let waits: Vec<_> = (0..7)
        .map(|_| {
            schedule.looked(&Purpose::Time, false, true, start, 1.0);
            millis(start, schedule.due())
        })
        .collect();
    assert_eq!(waits, [30_000, 60_000, 120_000, 240_000, 300_000, 300_000, 300_000]);
    schedule.changed(start);
    assert_eq!(schedule.due(), start);
    schedule.looked(&Purpose::Time, true, true, start, 0.5);
    assert_eq!(millis(start, schedule.due()), 15_000, "one success and all is well");
}

#[test]
fn a_nudge_is_followed_soon_and_tried_again_a_few_times() {
    let start = Instant::now();
    let mut schedule = Schedule::new(INTERVAL, None, start);
    schedule.looked(&Purpose::Time, true, true, start, 0.5);
    schedule.nudged("c", start, 0.5);
    assert_eq!(millis(start, schedule.due()), 150);
    let mut now = schedule.due();
    let mut waits = Vec::new();
    while let purpose @ Purpose::Nudge(_) = schedule.begin(now) {
        schedule.looked(&purpose, true, false, now, 0.5);
        waits.push(millis(now, schedule.due()));
        now = schedule.due();
    }
    assert_eq!(waits, [500, 1000, 2000, 15_000], "it is not believed for ever");
    schedule.looked(&Purpose::Time, true, true, now, 0.5);
    schedule.nudged("d", now, 0.0);
    let purpose = schedule.begin(now);
    schedule.looked(&purpose, true, true, now, 0.5);
    assert_eq!(millis(now, schedule.due()), 15_000, "found: nothing more to do");
}

#[test]
fn a_nudge_for_what_is_here_puts_nothing_off() {
    let start = Instant::now();
    let mut schedule = Schedule::new(INTERVAL, None, start);
    schedule.looked(&Purpose::Time, false, true, start, 1.0);
    let later = start + Duration::from_secs(29);
    schedule.nudged("c", later, 0.0);
    let Purpose::Nudge(commit) = schedule.begin(later) else { panic!("{schedule:?}") };
    schedule.was_here(&commit);
    assert_eq!(millis(start, schedule.due()), 30_000, "as if nobody had said anything");
    schedule.looked(&Purpose::Time, false, true, start, 1.0);
    assert_eq!(millis(start, schedule.due()), 60_000, "the second failure in a row");
}

proptest! {
    /// Whatever nudges say and however often they come: few looks, one a second in the long run.
    #[test]
    fn a_flood_of_nudges_causes_few_looks(
        nudges in proptest::collection::vec((0_u64..50, 0_u8..30, any::<bool>()), 1..2000),
        dice in 0.0_f64..1.0,
    ) {
        let start = Instant::now();
        let mut now = start;
        let mut schedule = Schedule::new(Duration::from_secs(1_000_000), None, now);
        schedule.looked(&Purpose::Time, true, true, now, dice);
        let mut looks = 0_u32;
        for (pause, commit, found) in nudges {
            now += Duration::from_millis(pause);
            schedule.nudged(&commit.to_string(), now, dice);
            while schedule.due() <= now {
                let purpose = schedule.begin(now);
                prop_assert!(matches!(purpose, Purpose::Nudge(_)));
                looks += 1;
                schedule.looked(&purpose, true, found, now, dice);
            }
        }
        let allowed = 3.0 + now.saturating_duration_since(start).as_secs_f64() + 0.01;
        prop_assert!(f64::from(looks) <= allowed, "{looks} looks, {allowed} allowed");
    }

    /// However long it fails, it is tried again within five minutes.
    #[test]
    fn failures_never_end_it(failures in 1_usize..100, interval in 1_u64..400, dice in 0.0_f64..1.0) {
        let now = Instant::now();
        let interval = Duration::from_secs(interval);
        let mut schedule = Schedule::new(interval, None, now);
        for _ in 0..failures {
            schedule.looked(&Purpose::Time, false, true, now, dice);
            prop_assert!(schedule.due() > now && schedule.due() <= now + LONGEST.max(interval));
        }
    }
}
