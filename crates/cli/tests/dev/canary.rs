//! A canary on real servers, from Git, and with hosts as processes: given up, every host killed, and still given up.

use std::collections::BTreeSet;

use crate::http::get;
use crate::repository::Repository;
use crate::world::{World, ready};

fn manifests(say: &str, answer: u16, hold: &str) -> String {
    format!(
        "apiVersion: dunlin.dev/v1alpha1\nkind: Lattice\nmetadata: {{ name: shop }}\nspec: {{ sites: {{ gcp: {{}}, aws: {{}} }} }}\n---\n\
         apiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: {{ name: shop }}\nspec:\n  image: example.com/shop:1\n  \
         sites: {{ gcp: {{ replicas: 2 }}, aws: {{ replicas: 1 }} }}\n  http: {{}}\n  update: {{ canary: {{ weight: 10, hold: {hold}, \
         abort: {{ errorRatio: \"0.02\", minRequests: 10 }} }} }}\n  config: {{ say: {{ value: {say} }}, answer: {{ value: \"{answer}\" }} }}\n"
    )
}

/// What a site says to a number of requests.
fn said(site: &str, times: usize) -> BTreeSet<String> {
    let said = |_| match get(&format!("{site}/answer")) {
        Ok(answer) if answer.status == 200 => answer.body,
        Ok(answer) => answer.status.to_string(),
        Err(error) => error.to_string(),
    };
    (0..times).map(said).collect()
}

/// The host that every message of an abort names, once there is one.
fn stalled(world: &World) -> Option<String> {
    let status = world.status()?;
    let found = status["conditions"].as_array()?.iter().find(|found| found["reason"] == "Stalled")?.clone();
    Some(found["message"].as_str()?.to_owned())
}

#[test]
fn an_abort_survives_the_death_of_every_host() {
    let repository = Repository::new(&[("all.yaml".to_owned(), manifests("one", 200, "1h"))]);
    let (_server, url) = repository.serve();
    let world = World::follow(&url, &[("shop", "configured")], &["--real"]);
    let commit = |say: &str, answer: u16, hold: &str| {
        repository.edit("all.yaml", |_| manifests(say, answer, hold));
        repository.commit(say)
    };
    let three = || (ready(&world.status()?, "shop") == 3).then_some(());
    world.wait_for("three replicas", three);
    let one = BTreeSet::from(["one".to_owned()]);
    let sites = [world.site("gcp"), world.site("aws")];
    world.wait_for("answers", || (sites.iter().all(|site| said(site, 5) == one)).then_some(()));

    commit("two", 500, "1h");
    world.wait_for("an abort, asked for in gcp alone", || {
        said(&sites[0], 20);
        stalled(&world)
    });
    world.wait_for("the old answers alone", || sites.iter().all(|site| said(site, 50) == one).then_some(()));

    let hosts =
        || world.processes().into_iter().filter(|(name, _)| name.contains("gcp-") || name.contains("aws-"));
    let names: Vec<String> = hosts().map(|(name, _)| name).collect();
    assert!(names.len() >= 3, "{names:?}");
    let before: BTreeSet<u64> = hosts().map(|(_, process)| process).collect();
    names.iter().for_each(|name| drop(world.text(&["kill", name])));
    names.iter().for_each(|name| drop(world.text(&["revive", name])));
    world.wait_for("three replicas again", three);
    assert!(hosts().all(|(_, process)| !before.contains(&process)), "all are new processes");
    world.wait_for("answers again", || {
        sites
            .iter()
            .all(|site| get(&format!("{site}/answer")).is_ok_and(|answer| answer.status == 200))
            .then_some(())
    });
    for site in &sites {
        assert_eq!(said(site, 100), one, "Git says two, which was given up");
    }
    let message = world.wait_for("the condition", || stalled(&world));
    assert!(message.contains("more than errorRatio 0.02 allows"), "{message}");

    commit("three", 200, "1s");
    let three = BTreeSet::from(["three".to_owned()]);
    world.wait_for("the next identity", || sites.iter().all(|site| said(site, 20) == three).then_some(()));
    world.wait_for("no condition", || stalled(&world).is_none().then_some(()));
}
