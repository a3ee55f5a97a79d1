//! `dunlin dev --real`: nats-servers, Redis and hosts as processes, killed and frozen while requests run at both sites.

use std::time::{Duration, Instant};

use crate::http::{get, post};
use crate::traffic::Traffic;
use crate::world::{World, ready_in};

/// What a request may take: `timeouts.request` of the todo component, and a little for the way.
const LONGEST: Duration = Duration::from_millis(5_500);
/// The pause that a user may notice once everything is back.
const PAUSE: Duration = Duration::from_secs(5);

fn real(arguments: &[&str]) -> World {
    World::todo(&[&["--real"], arguments].concat())
}

fn all_ready(world: &World) -> Option<()> {
    let status = world.status()?;
    (ready_in(&status, "todo", "gcp") == 2 && ready_in(&status, "todo", "aws") == 1).then_some(())
}

/// Lets `part` suffer for a while under requests at both sites, puts it right, and checks what was promised.
fn suffer(world: &World, part: &str, fault: &str, mend: &str) {
    let addresses = [world.site("gcp"), world.site("aws")];
    let before = world.processes();
    let traffic = Traffic::start(&addresses);
    world.wait_for("some requests", || (traffic.count() > 20).then_some(()));
    world.text(&[fault, part]);
    let suffering = Instant::now();
    // Long enough for every timer that takes notice of it: beats, pings, deadlines.
    world.wait_for("the fault to last", || (suffering.elapsed() > Duration::from_secs(7)).then_some(()));
    world.text(&[mend, part]);
    let mended = Instant::now();
    let pause = world.wait_for(&format!("a success everywhere after {fault} of {part}"), || {
        traffic.success_everywhere_after(mended, addresses.len())
    });
    assert!(pause < PAUSE, "{fault} of {part}: {pause:?}");
    world.wait_for("everything to be ready", || all_ready(world));
    let tally = traffic.stop();
    for address in &addresses {
        tally.check_list(address);
    }
    let frozen_host = fault == "freeze" && part.contains("-");
    // What was sent to a frozen host itself is answered by nobody before it goes on.
    assert!(frozen_host || tally.slowest < LONGEST, "{fault} of {part}: a request took {:?}", tally.slowest);
    let after = world.processes();
    let restarted: Vec<_> = before.iter().filter(|(name, id)| after.get(*name) != Some(id)).collect();
    assert!(
        restarted.iter().all(|(name, _)| name.as_str() == part),
        "{fault} of {part} ended other processes: {restarted:?}"
    );
}

#[test]
fn the_todo_list_is_one_across_real_sites() {
    let world = real(&[]);
    let made = post(&format!("{}/api", world.site("aws")), r#"{"title":"from aws"}"#).unwrap();
    assert_eq!(made.status, 201, "{made:?}");
    let list = get(&format!("{}/api", world.site("gcp"))).unwrap().json();
    assert_eq!(list[0]["title"], "from aws");
    world.wait_for("the table", || {
        let printed = world.printed();
        (printed.contains("a hub, leaves aws gcp") && printed.contains("Redis on 127.0.0.1:")).then_some(())
    });
    let names: Vec<_> = world.processes().into_keys().collect();
    assert_eq!(
        names,
        ["aws/aws-1", "aws/aws-2", "gcp/gcp-1", "gcp/gcp-2", "hub", "leaf/aws", "leaf/gcp", "provider/redis"]
    );
    let processes: Vec<_> = world.processes().into_values().collect();
    world.signal("-TERM");
    let (code, left) = world.ended();
    assert_eq!((code, left), (Some(0), Vec::new()));
    assert!(processes.iter().all(|id| !runs(*id)), "processes are left");
}

#[test]
fn nothing_outlives_a_killed_dev() {
    let world = real(&[]);
    let processes: Vec<_> = world.processes().into_values().collect();
    assert!(!processes.is_empty() && processes.iter().all(|id| runs(*id)));
    world.signal("-KILL");
    world.wait_for("the others to end", || processes.iter().all(|id| !runs(*id)).then_some(()));
}

#[test]
fn killed_and_frozen_hosts() {
    let world = real(&[]);
    suffer(&world, "gcp/gcp-2", "kill", "revive");
    suffer(&world, "aws/aws-1", "freeze", "thaw");
    suffer(&world, "gcp/gcp-1", "freeze", "thaw");
}

#[test]
fn a_killed_and_a_frozen_leaf() {
    let world = real(&[]);
    suffer(&world, "leaf/aws", "kill", "revive");
    suffer(&world, "leaf/gcp", "freeze", "thaw");
}

#[test]
fn a_killed_and_a_frozen_hub() {
    let world = real(&[]);
    suffer(&world, "hub", "kill", "revive");
    suffer(&world, "hub", "freeze", "thaw");
}

#[test]
fn a_killed_and_a_frozen_redis() {
    let world = real(&[]);
    suffer(&world, "provider/redis", "kill", "revive");
    suffer(&world, "provider/redis", "freeze", "thaw");
}

#[test]
fn a_cut_and_a_silent_link() {
    let world = real(&["--distance", "20ms"]);
    suffer(&world, "link/aws", "kill", "revive");
    suffer(&world, "link/gcp", "freeze", "thaw");
}

/// Whether a process of this number runs, and is not merely waiting to be noticed by its parent.
fn runs(process: u64) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/stat"))
        .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| !rest.trim_start().starts_with('Z')))
}
