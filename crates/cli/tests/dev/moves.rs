//! A move while requests run: none fails, nothing is lost.

use crate::traffic::Traffic;
use crate::world::{World, ready_in};

#[test]
fn a_move_under_requests_fails_none() {
    let world = World::todo(&[]);
    let addresses = [world.site("gcp"), world.site("aws")];
    let traffic = Traffic::start(&addresses);
    let there = |gcp: u64, aws: u64| {
        world.wait_for(&format!("gcp={gcp} aws={aws}"), || {
            let status = world.status()?;
            ((ready_in(&status, "todo", "gcp"), ready_in(&status, "todo", "aws")) == (gcp, aws)).then_some(())
        });
    };
    for (gcp, aws) in [(0, 2), (2, 0), (1, 1), (0, 2)] {
        world.text(&["move", "todo", &format!("gcp={gcp}"), &format!("aws={aws}")]);
        there(gcp, aws);
        let count = traffic.count();
        world.wait_for("more requests", || (traffic.count() > count + 50).then_some(()));
    }
    let tally = traffic.stop();
    assert!(
        tally.failures.is_empty(),
        "{} of {} failed: {:#?}",
        tally.failures.len(),
        tally.well,
        tally.failures
    );
    tally.check_list(&addresses[0]);
    let text = std::fs::read_to_string(world.manifests.join("todo.yaml")).unwrap();
    assert!(text.contains('#'), "comments stay:\n{text}");
}
