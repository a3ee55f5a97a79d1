//! Whether the time of a certificate or of credentials has come, is over, or will be soon.

use dunlin_credentials::{Span, moment};

use super::Verdict;

/// What ends sooner should be renewed now.
const SOON: i64 = 30 * DAY;
const DAY: i64 = 86_400;

/// The verdict at the time `now`, and when it ends in words.
pub(super) fn judge(now: i64, span: Span) -> (Verdict, String) {
    if let Some(begins) = span.begins.filter(|begins| now < *begins) {
        let words = format!(
            "not valid before {}, {}: the clock here or the one there is wrong",
            moment(begins),
            within(begins - now)
        );
        return (Verdict::Bad, words);
    }
    match span.ends {
        None => (Verdict::Good, "never ends".to_owned()),
        Some(ends) if ends <= now => {
            (Verdict::Bad, format!("ended {}, {} ago", moment(ends), length(now - ends)))
        }
        Some(ends) if ends - now < SOON => {
            (Verdict::Warning, format!("ends {}, {}", moment(ends), within(ends - now)))
        }
        Some(ends) => (Verdict::Good, format!("ends {}, {}", moment(ends), within(ends - now))),
    }
}

fn within(seconds: i64) -> String {
    format!("in {}", length(seconds))
}

fn length(seconds: i64) -> String {
    let (count, unit) = match seconds {
        DAY.. => (seconds / DAY, "day"),
        3600.. => (seconds / 3600, "hour"),
        60.. => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_within_near_the_end_and_after() {
        let now = 1_900_000_000;
        for (begins, ends, verdict, words) in [
            (None, None, Verdict::Good, "never ends"),
            (Some(now - 1), Some(now + 31 * DAY), Verdict::Good, "ends 2030-04-17 17:46 UTC, in 31 days"),
            (None, Some(now + 30 * DAY), Verdict::Good, "ends 2030-04-16 17:46 UTC, in 30 days"),
            (None, Some(now + 30 * DAY - 1), Verdict::Warning, "ends 2030-04-16 17:46 UTC, in 29 days"),
            (None, Some(now + 90), Verdict::Warning, "ends 2030-03-17 17:48 UTC, in 1 minute"),
            (None, Some(now), Verdict::Bad, "ended 2030-03-17 17:46 UTC, 0 seconds ago"),
            (None, Some(now - 7200), Verdict::Bad, "ended 2030-03-17 15:46 UTC, 2 hours ago"),
            (
                Some(now + DAY),
                Some(now + 400 * DAY),
                Verdict::Bad,
                "not valid before 2030-03-18 17:46 UTC, in 1 day: the clock here or the one there is wrong",
            ),
        ] {
            assert_eq!(judge(now, Span { begins, ends }), (verdict, words.to_owned()));
        }
    }
}
