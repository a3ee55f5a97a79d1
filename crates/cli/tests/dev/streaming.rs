//! Long bodies through the other site: in bounded memory, for slow ends, and when the network breaks in the middle.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use dunlin_testkit::eventually;

use crate::http::get;
use crate::memory::Memory;
use crate::world::{World, ready_in};

const LONG: usize = 100_000_000;
/// How much more memory any process may take, whatever is streamed.
const MORE: u64 = 64;
/// Requests that the component takes at once: as many streams as a test has.
const AT_ONCE: usize = 2;
/// An end that is not told learns of a break when nothing has moved for half a minute.
const STILL: Duration = Duration::from_secs(40);

/// The guest in `gcp` alone; it is asked in `aws`.
fn world() -> World {
    let manifest = format!(
        "apiVersion: dunlin.dev/v1alpha1\nkind: Lattice\nmetadata: {{ name: streams }}\nspec: {{ sites: {{ gcp: {{}}, aws: {{}} }} }}\n---\n\
         apiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: {{ name: bodies }}\nspec:\n  \
         image: example.com/bodies:1\n  sites: {{ gcp: {{ replicas: 1 }}, aws: {{ replicas: 0 }} }}\n  http: {{}}\n  \
         resources: {{ limits: {{ requestBody: 1Gi }} }}\n  timeouts: {{ request: 60s }}\n  maxConcurrency: {AT_ONCE}\n"
    );
    let arguments = ["--real", "--distance", "10ms", "--hosts", "1"];
    let world = World::start(&[("all.yaml", manifest)], &[("bodies", "hostile")], &arguments);
    world.wait_for("the guest", || (ready_in(&world.status()?, "bodies", "gcp") == 1).then_some(()));
    world
}

/// A request of which the body is still to come, `length` bytes of it.
fn begin(world: &World, method: &str, path: &str, length: usize) -> TcpStream {
    let site = world.site("aws");
    let authority = site.trim_start_matches("http://");
    let mut stream = TcpStream::connect(authority).unwrap();
    stream.set_read_timeout(Some(STILL)).unwrap();
    stream.set_write_timeout(Some(STILL)).unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n");
    write!(stream, "{head}content-length: {length}\r\n\r\n").unwrap();
    stream
}

/// The byte at a position of every body here.
fn byte(position: usize) -> u8 {
    (position % 256) as u8
}

fn bytes(from: usize, count: usize) -> Vec<u8> {
    (from..from + count).map(byte).collect()
}

/// What a request was answered: its status, and the body, which still comes.
fn answer(stream: TcpStream) -> (u16, BufReader<TcpStream>) {
    let mut reader = BufReader::new(stream);
    let (mut status, mut line) = (0, String::new());
    while reader.read_line(&mut line).unwrap() > 2 {
        if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
            status = rest.split(' ').next().unwrap().parse().unwrap();
        }
        line.clear();
    }
    (status, reader)
}

/// Reads until `most` bytes were read, the end, or a break; checks each and gives how many there were.
fn read(body: &mut impl Read, from: usize, most: usize) -> usize {
    let (mut buffer, mut count) = (vec![0; 64 << 10], 0);
    while count < most {
        let room = buffer.len().min(most - count);
        let Ok(size @ 1..) = body.read(&mut buffer[..room]) else { break };
        assert!(buffer[..size] == bytes(from + count, size), "other bytes than were sent");
        count += size;
    }
    count
}

/// As many streams as there may be at once work: nothing of former ones is left.
fn all_is_free(world: &World) {
    let whole = || {
        let streams: Vec<_> = (0..AT_ONCE).map(|_| begin(world, "GET", "/big?bytes=5000000", 0)).collect();
        let mut whole = streams.into_iter().map(|stream| {
            let (status, mut body) = answer(stream);
            status == 200 && read(&mut body, 0, 5_000_000) == 5_000_000
        });
        whole.all(|whole| whole).then_some(())
    };
    eventually("every stream to be free", STILL, whole);
    let connections = || {
        let metrics = get(&format!("{}/metrics", world.admin("aws-1"))).ok()?.body;
        metrics.contains("\ndunlin_http_connections 0\n").then_some(())
    };
    eventually("every connection to be closed", STILL, connections);
}

#[test]
fn a_hundred_megabytes_both_ways_take_little_memory() {
    let world = world();
    let memory = Memory::before(&world);
    let begun = Instant::now();
    let (status, mut body) = answer(begin(&world, "GET", &format!("/big?bytes={LONG}"), 0));
    assert_eq!((status, read(&mut body, 0, LONG + 1)), (200, LONG));
    eprintln!("down in {:?}", begun.elapsed());
    assert!(memory.growth("down") < MORE);

    let (memory, begun) = (Memory::before(&world), Instant::now());
    let mut upload = begin(&world, "POST", "/sink", LONG);
    let block = bytes(0, 256 << 10);
    let mut left = LONG;
    while left > 0 {
        upload.write_all(&block[..block.len().min(left)]).unwrap();
        left -= block.len().min(left);
    }
    let (status, mut body) = answer(upload);
    let mut text = String::new();
    body.read_to_string(&mut text).unwrap();
    let sum = (0..LONG as u64)
        .fold(0_u64, |sum, position| sum + u64::from(byte(position as usize)) * (position + 1));
    assert_eq!((status, text.trim()), (200, format!("{LONG} {sum}").as_str()));
    eprintln!("up in {:?}", begun.elapsed());
    assert!(memory.growth("up") < MORE);
    all_is_free(&world);
}

#[test]
fn slow_ends_hold_back_the_other_and_are_forgotten_when_they_go() {
    let world = world();
    let memory = Memory::before(&world);
    let (status, mut body) = answer(begin(&world, "GET", &format!("/big?bytes={LONG}"), 0));
    assert_eq!(status, 200);
    let mut upload = begin(&world, "POST", "/sink", LONG);
    // A megabyte a second, both ways, for three seconds.
    let (begun, mut count) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(3) {
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(read(&mut body, count, 50_000), 50_000);
        upload.write_all(&bytes(count, 50_000)).unwrap();
        count += 50_000;
    }
    let busy = get(&format!("{}/ok", world.site("aws"))).unwrap();
    assert_eq!(busy.status, 503, "both streams are under way: {busy:?}");
    assert!(memory.growth("slow") < MORE);
    drop((body, upload));
    all_is_free(&world);

    // A slow writer that goes on to its end is answered.
    let mut upload = begin(&world, "POST", "/sink", 1_000_000);
    for piece in 0..20 {
        std::thread::sleep(Duration::from_millis(50));
        upload.write_all(&bytes(piece * 50_000, 50_000)).unwrap();
    }
    let (status, mut body) = answer(upload);
    let mut text = String::new();
    body.read_to_string(&mut text).unwrap();
    assert_eq!((status, text.split(' ').next()), (200, Some("1000000")));
}

/// Breaks `part` while a body comes down and another goes up and comes back; both clients see it.
fn breaks_visibly(world: &World, part: &str) {
    let (status, mut down) = answer(begin(world, "GET", &format!("/big?bytes={LONG}"), 0));
    let mut upload = begin(world, "POST", "/echo", LONG);
    upload.write_all(&bytes(0, 1_000_000)).unwrap();
    let mut echo = BufReader::new(upload.try_clone().unwrap());
    let mut head = [0; 12];
    echo.read_exact(&mut head).unwrap();
    assert_eq!((status, &head), (200, b"HTTP/1.1 200"));
    let mut count = read(&mut down, 0, 5_000_000);
    world.text(&["kill", part]);
    let killed = Instant::now();
    world.text(&["revive", part]);
    let writing = std::thread::spawn(move || while upload.write_all(&[0; 64 << 10]).is_ok() {});
    count += read(&mut down, count, LONG);
    assert!(count < LONG, "{part}: the whole body came in spite of it");
    eprintln!("{part}: {count} of {LONG} bytes, then a break after {:?}", killed.elapsed());
    // In chunks: its end would say so. A break is an error or an end without that.
    let mut rest = Vec::new();
    let whole = echo.read_to_end(&mut rest).is_ok() && rest.ends_with(b"\r\n0\r\n\r\n");
    assert!(!whole, "{part}: the echo came to an end");
    eprintln!("{part}: a broken echo after {:?}", killed.elapsed());
    writing.join().unwrap();
    all_is_free(world);
    eprintln!("{part}: all is free after {:?}", killed.elapsed());
}

#[test]
fn a_body_shows_that_the_way_was_cut() {
    breaks_visibly(&world(), "link/aws");
}

#[test]
fn a_body_shows_that_a_connection_was_made_anew() {
    breaks_visibly(&world(), "leaf/aws");
}

#[test]
fn a_body_shows_that_the_hub_was_killed() {
    breaks_visibly(&world(), "hub");
}
