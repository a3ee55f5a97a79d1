//! A host or a site dies while requests run.

use std::time::{Duration, Instant};

use crate::traffic::Traffic;
use crate::world::{World, ready_in};

#[test]
fn a_killed_host_costs_seconds_at_most_and_no_todo() {
    let world = World::todo(&[]);
    let addresses = [world.site("gcp"), world.site("aws")];
    let traffic = Traffic::start(&addresses);
    world.wait_for("some requests", || (traffic.count() > 50).then_some(()));
    // gcp-1 holds the store in this set-up; the other hosts can all die without losing data that anyone serves.
    for host in ["gcp/gcp-2", "aws/aws-1", "aws/aws-2"] {
        world.text(&["kill", host]);
        let killed = Instant::now();
        let pause = world.wait_for("a success after the kill", || traffic.first_success_after(killed));
        assert!(pause < Duration::from_secs(5), "{host}: {pause:?}");
        world.text(&["revive", host]);
        world.wait_for("the component to be back", || {
            let status = world.status()?;
            (ready_in(&status, "todo", "gcp") == 2 && ready_in(&status, "todo", "aws") == 1).then_some(())
        });
    }
    let tally = traffic.stop();
    assert!(tally.well > 100, "{tally:?}");
    tally.check_list(&addresses[0]);
}

#[test]
fn the_store_comes_back_with_every_acknowledged_todo() {
    let world = World::todo(&[]);
    let addresses = [world.site("gcp"), world.site("aws")];
    let traffic = Traffic::start(&addresses);
    world.wait_for("some requests", || (traffic.count() > 50).then_some(()));
    world.text(&["kill", "gcp"]);
    world.text(&["revive", "gcp"]);
    let revived = Instant::now();
    let pause = world.wait_for("a success after the revival", || traffic.first_success_after(revived));
    assert!(pause < Duration::from_secs(5), "{pause:?}");
    world.wait_for("both sites to be ready", || {
        let status = world.status()?;
        (ready_in(&status, "todo", "gcp") == 2 && ready_in(&status, "todo", "aws") == 1).then_some(())
    });
    let tally = traffic.stop();
    tally.check_list(&addresses[1]);
}

#[test]
fn a_site_that_is_gone_is_not_silence() {
    let world = World::todo(&[]);
    world.text(&["kill", "aws"]);
    world.wait_for("the condition", || {
        let conditions = world.status()?["conditions"].as_array()?.clone();
        conditions.iter().any(|found| found["message"] == "0 of 1 in aws: no live host").then_some(())
    });
    assert_eq!(world.dunlin(&["kill", ""]).status.code(), Some(2), "nothing has an empty name");
    world.text(&["revive", "aws"]);
    world.wait_for("the component to be back", || {
        (ready_in(&world.status()?, "todo", "aws") == 1).then_some(())
    });
}
