//! `dunlin calls`: what passes between the sites, in words.

use crate::http::{get, post};
use crate::world::World;

/// Requests at both sites until every kind of call was seen.
fn see_calls(world: &World) {
    let following = world.begin(&["calls", "-f"]);
    let machine = world.begin(&["calls", "--for", "25s", "--component", "redis", "--output", "json"]);
    let sites = [world.site("gcp"), world.site("aws")];
    let line = world.wait_for("a call from aws to Redis in gcp", || {
        for site in &sites {
            assert_eq!(post(&format!("{site}/api"), r#"{"title":"seen"}"#).unwrap().status, 201);
            assert_eq!(get(&format!("{site}/api")).unwrap().status, 200);
        }
        let lines = following.lines();
        lines.into_iter().find(|line| line.contains("todo → redis keyvalue-") && line.contains(" aws/aws-"))
    });
    assert!(line.contains(" → gcp/gcp-") && line.contains(" ms  answered"), "{line}");
    let request = world.wait_for("a request that stays where it came in", || {
        get(&format!("{}/", sites[0])).unwrap();
        following
            .lines()
            .into_iter()
            .find(|line| line.contains("client → todo http") && line.contains("→ here"))
    });
    assert!(!request.contains('\u{1b}'), "colours are for terminals: {request:?}");
    let json = world.wait_for("the same for programs", || {
        get(&format!("{}/api", sites[1])).unwrap();
        let lines = machine.lines();
        let mut calls = lines.iter().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        calls.find(|call| call["place"] == "other-site")
    });
    assert_eq!((&json["component"], &json["target"]), (&"todo".into(), &"redis".into()), "{json}");
    assert!(
        json["microseconds"].as_u64().unwrap() > 0 && json["trace"].as_str().unwrap().len() == 32,
        "{json}"
    );
    assert!(machine.lines().iter().all(|line| line.contains(r#""target":"redis""#)), "{:?}", machine.lines());
}

#[test]
fn calls_are_shown_as_they_pass() {
    let world = World::todo(&[]);
    see_calls(&world);
    let wrong = world.dunlin(&["calls", "--component", "no&such"]);
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
    // Nobody calls, so there is nothing to show but the end.
    assert_eq!(world.text(&["calls", "--for", "100ms", "--component", "nobody"]), "");
}

#[test]
fn calls_are_shown_as_they_pass_between_real_processes() {
    see_calls(&World::todo(&["--real"]));
}
