//! What a newcomer does in the first five minutes.

use crate::http::{get, post, send};
use crate::world::{World, ready, ready_in};

#[test]
fn two_sites_share_their_todos() {
    let world = World::todo(&[]);
    let (gcp, aws) = (world.site("gcp"), world.site("aws"));
    assert_eq!(get(&format!("{gcp}/api")).unwrap().body.trim(), "[]");
    let made = post(&format!("{aws}/api"), r#"{"title":"from aws"}"#).unwrap();
    assert_eq!(made.status, 201, "{made:?}");
    assert!(made.json()["url"].as_str().unwrap().starts_with(&aws), "{made:?}");
    post(&format!("{gcp}/api"), r#"{"title":"from gcp"}"#).unwrap();
    for site in [&gcp, &aws] {
        let list = get(&format!("{site}/api")).unwrap().json();
        let titles: Vec<_> =
            list.as_array().unwrap().iter().map(|todo| todo["title"].as_str().unwrap()).collect();
        assert_eq!(titles, ["from aws", "from gcp"]);
    }
    let page = get(&format!("{aws}/")).unwrap();
    assert!(page.status == 200 && page.body.contains("<html"), "{page:?}");
    assert!(page.header("dunlin-served-by").unwrap().starts_with("aws/"), "{page:?}");
}

#[test]
fn a_hundred_posts_at_once_from_both_sites_make_a_hundred_todos() {
    let world = World::todo(&[]);
    let sites = [world.site("gcp"), world.site("aws")];
    let threads: Vec<_> = (0..100)
        .map(|number| {
            let url = format!("{}/api", sites[number % 2]);
            std::thread::spawn(move || post(&url, &format!(r#"{{"title":"todo {number}"}}"#)).unwrap())
        })
        .collect();
    for thread in threads {
        let answer = thread.join().unwrap();
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    let list = get(&format!("{}/api", sites[0])).unwrap().json();
    let mut urls: Vec<_> = list.as_array().unwrap().iter().map(|todo| todo["url"].to_string()).collect();
    urls.sort();
    urls.dedup();
    assert_eq!(urls.len(), 100);
}

#[test]
fn status_tells_what_runs_where() {
    let world = World::todo(&[]);
    let status = world.status().unwrap();
    assert_eq!((ready_in(&status, "todo", "gcp"), ready_in(&status, "todo", "aws")), (2, 1), "{status:#}");
    assert_eq!(status["providers"]["redis"]["openAt"][0], "gcp/gcp-1", "{status:#}");
    assert_eq!(status["components"]["todo"]["links"]["store"], "provider/redis");
    assert!(status["revision"].as_str().unwrap().starts_with("dir-"));
    let text = world.text(&["status"]);
    for word in ["SITE", "gcp-1", "aws-2", "2 of 2", "embedded store"] {
        assert!(text.contains(word), "{word} is missing in:\n{text}");
    }
}

#[test]
fn logs_come_from_all_sites_in_order() {
    let world = World::todo(&[]);
    for site in ["gcp", "aws"] {
        post(&format!("{}/api", world.site(site)), r#"{"title":"logged"}"#).unwrap();
    }
    let text = world.wait_for("logs of both sites", || {
        let text = world.text(&["logs", "todo"]);
        (text.contains("todo gcp/") && text.contains("todo aws/")).then_some(text)
    });
    let times: Vec<_> = text.lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect();
    assert!(times.is_sorted(), "{text}");
}

#[test]
fn an_edit_takes_effect_and_a_mistake_holds_back_its_object_only() {
    let world = World::todo(&[]);
    world.edit("todo.yaml", |text| text.replace("aws:\n      replicas: 1", "aws:\n      replicas: 2"));
    world.wait_for("two replicas in aws", || (ready_in(&world.status()?, "todo", "aws") == 2).then_some(()));
    world.edit("todo.yaml", |text| text.replace("    aws:\n", "    awz:\n"));
    let condition = world.wait_for("the mistake in dunlin status", || {
        let status = world.status()?;
        let conditions = status["conditions"].as_array()?.clone();
        conditions.into_iter().find(|condition| condition["reason"] == "Invalid")
    });
    let message = condition["message"].as_str().unwrap();
    assert!(message.contains("todo.yaml:") && message.contains("did you mean \"aws\""), "{message}");
    world.wait_for("the mistake on the terminal", || world.printed().contains("did you mean").then_some(()));
    assert_eq!(get(&format!("{}/api", world.site("aws"))).unwrap().status, 200);
    assert_eq!(ready(&world.status().unwrap(), "todo"), 4, "it stays in its last good form");
}

#[test]
fn ends_on_a_signal_and_leaves_nothing() {
    for signal in ["-TERM", "-INT"] {
        let world = World::todo(&["--sites", "gcp"]);
        assert_eq!(send("GET", &format!("{}/api", world.site("gcp")), None).unwrap().status, 200);
        world.signal(signal);
        let (code, left) = world.ended();
        assert_eq!((code, left), (Some(0), vec![]));
    }
}

#[test]
fn other_sites_and_more_hosts() {
    let lattice = "apiVersion: dunlin.dev/v1alpha1\nkind: Lattice\nmetadata: { name: l }\nspec: { sites: { a: {}, b: {}, c: {} } }\n";
    let hello = "apiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: { name: hello }\n\
                 spec: { image: \"example.com/hello:1\", sites: { a: {}, c: { replicas: 1 } }, http: {} }\n";
    let files = [("lattice.yaml", lattice.to_owned()), ("hello.yaml", hello.to_owned())];
    let world = World::start(&files, &[("hello", "hello")], &["--hosts", "3"]);
    world.wait_for("hello on all hosts of a and one of c", || {
        let status = world.status()?;
        (ready_in(&status, "hello", "a") == 3 && ready_in(&status, "hello", "c") == 1).then_some(())
    });
    for site in ["a", "b", "c"] {
        assert_eq!(get(&world.site(site)).unwrap().body, "hello\n", "every host serves every route");
    }
}

#[test]
fn the_admin_port_tells_health_and_metrics() {
    let world = World::todo(&[]);
    get(&format!("{}/api", world.site("gcp"))).unwrap();
    let admin = world.admin("gcp-1");
    assert_eq!(get(&format!("{admin}/healthz")).unwrap().status, 200);
    assert_eq!(get(&format!("{admin}/readyz")).unwrap().status, 200);
    let metrics = get(&format!("{admin}/metrics")).unwrap().body;
    assert!(metrics.contains("# TYPE dunlin_http_requests_total counter"), "{metrics}");
    assert!(metrics.contains("dunlin_hosts_seen{site=\"aws\"} 2"), "{metrics}");
    assert_eq!(send("POST", &format!("{admin}/v1/status"), None).unwrap().status, 405, "it only reads");
}
