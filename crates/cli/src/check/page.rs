//! The findings for people: one line each, what to do below those that are not well.

use dunlin_providers::logging::escape;

use super::judge::{Finding, Verdict};
use crate::printer::{BAD, DIM, GOOD, WARN, styled, table};

/// As lines.
pub(crate) fn render(findings: &[Finding]) -> Vec<String> {
    let mut rows = Vec::new();
    for finding in findings {
        let mark = match finding.verdict {
            Verdict::Good => styled(GOOD, "✓"),
            Verdict::Note => styled(DIM, "·"),
            Verdict::Warning => styled(WARN, "!"),
            Verdict::Bad => styled(BAD, "✗"),
        };
        // Some of the words come from servers and components.
        rows.push(vec![mark, escape(&finding.what).into_owned(), escape(&finding.found).into_owned()]);
        if !finding.mend.is_empty() {
            rows.push(vec![
                String::new(),
                String::new(),
                styled(DIM, format!("→ {}", escape(&finding.mend))),
            ]);
        }
    }
    let mut lines = table(&rows);
    lines.push(String::new());
    lines.push(sum(findings));
    lines
}

fn sum(findings: &[Finding]) -> String {
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let warnings = match count(Verdict::Warning) {
        0 => String::new(),
        1 => ", 1 warning".to_owned(),
        many => format!(", {many} warnings"),
    };
    match count(Verdict::Bad) {
        0 => styled(GOOD, format!("all well{warnings}")),
        wrong => styled(BAD, format!("{wrong} wrong{warnings}")),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn what_to_do_stands_below_what_is_wrong() {
        let findings = [
            Finding::good("hub", "nats-server 2.14.9"),
            Finding::bad("leaf aws", "refuses\u{1b}[2J connections").mend("dunlin revive leaf/aws"),
            Finding::warning("clocks", "2 s apart"),
            Finding::note("provider redis", "a stand-in"),
        ];
        let text = anstream::adapter::strip_str(&render(&findings).join("\n")).to_string();
        expect![[r#"
            ✓  hub             nats-server 2.14.9
            ✗  leaf aws        refuses\u{1b}[2J connections
                               → dunlin revive leaf/aws
            !  clocks          2 s apart
            ·  provider redis  a stand-in

            1 wrong, 1 warning"#]]
        .assert_eq(&text);
        assert!(sum(&findings[..1]).contains("all well"));
    }
}
