//! Whose link is broken.

use expect_test::{Expect, expect};

use super::*;

/// What each place hears: the hub, aws, gcp; `None` where nobody can listen.
fn hearing(setting: Setting, hub: Option<&[&str]>, aws: Option<&[&str]>, gcp: Option<&[&str]>) -> String {
    after(|facts| {
        facts.setting = setting;
        for (server, sites) in [hub, aws, gcp].into_iter().enumerate() {
            match sites {
                Some(sites) => {
                    entry(facts, server).heard.retain(|host| sites.contains(&host.site.as_str()));
                }
                None => facts.servers[server].entry = Some(Err("lost".into())),
            }
        }
    })
}

fn check(hub: Option<&[&str]>, aws: Option<&[&str]>, gcp: Option<&[&str]>, expected: Expect) {
    let said = hearing(Setting::Real, hub, aws, gcp);
    let links: Vec<_> = said.lines().filter(|line| line.contains(" link ")).collect();
    expected.assert_eq(&links.join("\n"));
}

const BOTH: Option<&[&str]> = Some(&["aws", "gcp"]);
const AWS: Option<&[&str]> = Some(&["aws"]);
const GCP: Option<&[&str]> = Some(&["gcp"]);
const NONE: Option<&[&str]> = Some(&[]);

#[test]
fn which_leg_is_broken() {
    check(BOTH, BOTH, BOTH, expect![[r#""#]]);
    // The link of aws is cut.
    check(
        GCP,
        AWS,
        GCP,
        expect![
            "✗ link aws: broken: the hub does not hear its hosts, who are heard at its own leaf; its leaf does not hear gcp, the hub does → dunlin revive link/aws"
        ],
    );
    // It carries one way only.
    check(
        BOTH,
        AWS,
        BOTH,
        expect!["✗ link aws: broken: its leaf does not hear gcp, the hub does → dunlin revive link/aws"],
    );
    check(
        GCP,
        BOTH,
        GCP,
        expect![
            "✗ link aws: broken: the hub does not hear its hosts, who are heard at its own leaf → dunlin revive link/aws"
        ],
    );
    // The hub hears nobody.
    check(
        NONE,
        AWS,
        GCP,
        expect![[r#"
        ✗ link aws: broken: the hub does not hear its hosts, who are heard at its own leaf → dunlin revive link/aws
        ✗ link gcp: broken: the hub does not hear its hosts, who are heard at its own leaf → dunlin revive link/gcp"#]],
    );
    check(
        None,
        AWS,
        GCP,
        expect![[r#"
        ✗ link aws: its leaf does not hear gcp → mend the hub first, see above
        ✗ link gcp: its leaf does not hear aws → mend the hub first, see above"#]],
    );
    // No host runs in aws, or in neither.
    check(
        GCP,
        GCP,
        GCP,
        expect!["✗ link aws: no host of the site is heard, not even at its own leaf → dunlin revive aws"],
    );
    check(
        NONE,
        NONE,
        NONE,
        expect![[r#"
        ✗ link aws: no host of the site is heard, not even at its own leaf → dunlin revive aws
        ✗ link gcp: no host of the site is heard, not even at its own leaf → dunlin revive gcp"#]],
    );
    check(
        None,
        NONE,
        GCP,
        expect![[r#"
            ✗ link aws: its leaf does not hear gcp → mend the hub first, see above
            ! link gcp: hears gcp (2 hosts); whether it would hear others cannot be told"#]],
    );
    // A leaf cannot be asked.
    check(
        BOTH,
        BOTH,
        None,
        expect!["· link gcp: not told: nobody can listen at its leaf; the hub hears its hosts"],
    );
    check(
        AWS,
        AWS,
        None,
        expect!["· link gcp: not told: nobody can listen at its leaf; the hub hears none of its hosts"],
    );
}

#[test]
fn a_hub_that_hears_no_site() {
    let said = hearing(Setting::Deployed, NONE, AWS, GCP);
    expect![[r#"
        ✗ link aws: broken: the hub does not hear its hosts, who are heard at its own leaf → the hub hears no site: see whether its port for leaves can be reached, and its log
        ✗ link gcp: broken: the hub does not hear its hosts, who are heard at its own leaf → the hub hears no site: see whether its port for leaves can be reached, and its log"#]].assert_eq(&said);
}

#[test]
fn where_nobody_named_the_hub() {
    let said = after(|facts| {
        facts.servers.remove(0);
        facts.setting = Setting::Deployed;
        entry(facts, 0).heard.retain(|host| host.site == "aws");
    });
    expect!["✗ link aws: its leaf does not hear gcp → name the hub, too (--nats hub=URL): it tells whose link is broken"].assert_eq(&said);
}
