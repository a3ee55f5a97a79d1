//! Large bodies through another site, both ways, and bodies that break.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use crate::site::{World, get, ready, sees, send};

const HOSTILE: &str = "---\nkind: WasmComponent\nmetadata: { name: hostile }\n\
    spec: { image: \"example.com/hostile:1\", sites: { a: { replicas: 1 } }, http: {}, timeouts: { request: 20s } }\n";

#[tokio::test(flavor = "multi_thread")]
async fn bodies_cross_sites_whole_or_broken_but_never_short() {
    let world = World::new(HOSTILE, &[("hostile", "hostile")]);
    let (here, there) = (world.host("b", "h1").await, world.host("a", "h2").await);
    sees(&here, "the component in the other site", |status| ready(status, "hostile", "a") == 1).await;

    let size = 10 << 20;
    let upload = Bytes::from(vec![b'x'; size]);
    let request = Request::post("/sink").header("host", "x").body(Full::new(upload)).unwrap();
    let answer = send(here.http(), request).await.unwrap();
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert!(String::from_utf8_lossy(answer.body()).contains(&size.to_string()), "{answer:?}");
    assert_eq!(answer.headers()["dunlin-served-by"], "a/h2");

    let answer = get(here.http(), &format!("/big?bytes={size}")).await.unwrap();
    assert_eq!(answer.body().len(), size);

    let broken = get(here.http(), "/half").await;
    assert!(broken.is_err(), "a body that broke off must not look whole: {broken:?}");

    let request =
        Request::post("/sink").header("host", "x").body(Full::new(Bytes::from(vec![0; 20 << 20]))).unwrap();
    let refused = send(here.http(), request).await;
    assert!(
        refused.is_err() || refused.as_ref().is_ok_and(|answer| answer.status() == 413),
        "over the limit: {refused:?}"
    );
    assert_eq!(get(here.http(), "/ok").await.unwrap().status(), 200, "and nothing is the worse for it");
    drop(there);
}
