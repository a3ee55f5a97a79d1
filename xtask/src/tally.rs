//! Adds up what the test runners say of single tests.

use std::fmt;

/// Counts of single tests over all runners.
#[derive(Default, Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests that did what they should.
    pub(crate) passed: u64,
    /// Tests that did not.
    pub(crate) failed: u64,
    /// Tests that were left out, and say so.
    pub(crate) skipped: u64,
}

impl Tally {
    /// Takes a line of `cargo test`, such as `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    pub(crate) fn cargo_line(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else { return };
        for part in counts.split([';', '.']) {
            let mut words = part.split_whitespace();
            let (Some(count), Some(what)) =
                (words.next().and_then(|word| word.parse::<u64>().ok()), words.next())
            else {
                continue;
            };
            match what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.skipped += count,
                _ => {}
            }
        }
    }

    /// Takes a line of node's test runner, such as `# pass 16` or `ℹ pass 16`.
    pub(crate) fn node_line(&mut self, line: &str) {
        let mut words = line.split_whitespace();
        if !matches!(words.next(), Some("#" | "ℹ")) {
            return;
        }
        let (what, count) = (words.next(), words.next().and_then(|word| word.parse::<u64>().ok()));
        match (what, count) {
            (Some("pass"), Some(count)) => self.passed += count,
            (Some("fail"), Some(count)) => self.failed += count,
            (Some("skipped"), Some(count)) => self.skipped += count,
            _ => {}
        }
    }

    /// Adds what another tally counted.
    pub(crate) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    /// Counts a check that passes or fails as a whole, and hands its outcome on.
    pub(crate) fn whole<T, E>(&mut self, outcome: Result<T, E>) -> Result<T, E> {
        if outcome.is_ok() {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
        outcome
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn adds_up_both_runners() {
        let mut tally = Tally::default();
        tally.cargo_line("test result: FAILED. 3 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.1s");
        tally.node_line("# pass 16");
        tally.node_line("ℹ fail 1");
        tally.node_line("a line about pass 99");
        assert_eq!(tally, Tally { passed: 19, failed: 2, skipped: 2 });
    }
}
