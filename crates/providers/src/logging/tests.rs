//! What the buffer keeps, loses and says it lost.

use super::*;

fn origin(component: &str) -> Origin {
    Origin { component: component.into(), site: "gcp".into(), host: "gcp-1".into() }
}

fn say(sink: &Arc<dyn LogSink>, message: &str) {
    sink.log(Record { level: Level::Info, context: String::new(), message: message.into() });
}

fn messages(entries: &[Arc<Entry>]) -> Vec<&str> {
    entries.iter().map(|entry| entry.message.as_str()).collect()
}

#[test]
fn keeps_the_order_over_components() {
    let buffer = LogBuffer::new(Limits::default());
    let (a, b) = (buffer.sink(origin("a")), buffer.sink(origin("b")));
    for (sink, message) in [(&a, "1"), (&b, "2"), (&a, "3"), (&b, "4")] {
        say(sink, message);
    }
    assert_eq!(messages(&buffer.tail(10, |_| true)), ["1", "2", "3", "4"]);
    assert_eq!(messages(&buffer.tail(3, |_| true)), ["2", "3", "4"]);
    assert_eq!(messages(&buffer.tail(10, |origin| &*origin.component == "b")), ["2", "4"]);
    assert!(buffer.tail(0, |_| true).is_empty());
}

#[test]
fn forgets_the_oldest_by_count_and_by_bytes() {
    let buffer = LogBuffer::new(Limits { entries: 2, ..Limits::default() });
    let sink = buffer.sink(origin("a"));
    ["1", "2", "3"].iter().for_each(|message| say(&sink, message));
    assert_eq!(messages(&buffer.tail(10, |_| true)), ["2", "3"]);

    let room = 2 * size_of::<Entry>() + 10;
    let buffer = LogBuffer::new(Limits { bytes: room, ..Limits::default() });
    let sink = buffer.sink(origin("a"));
    ["1", "12345", "6789", "12345678901234567890"].iter().for_each(|message| say(&sink, message));
    assert_eq!(messages(&buffer.tail(10, |_| true)), ["12345678901234567890"]);
}

#[tokio::test(start_paused = true)]
async fn a_flood_loses_its_own_records_only() {
    let buffer = LogBuffer::new(Limits { burst: 5, rate: 10, ..Limits::default() });
    let (quiet, loud) = (buffer.sink(origin("quiet")), buffer.sink(origin("loud")));
    say(&quiet, "here");
    (0..10_000).for_each(|_| say(&loud, "!"));
    assert_eq!(buffer.tail(100, |_| true).len(), 6);
    assert_eq!(buffer.dropped(), BTreeMap::from([(origin("loud"), 9_995)]));
    tokio::time::advance(Duration::from_secs(1)).await;
    (0..100).for_each(|_| say(&loud, "!"));
    assert_eq!(buffer.tail(100, |_| true).len(), 11);
    assert_eq!(messages(&buffer.tail(100, |origin| &*origin.component == "quiet")), ["here"]);
}

#[test]
fn cuts_what_is_too_long_between_characters() {
    let buffer = LogBuffer::new(Limits { message_bytes: 4, context_bytes: 1, ..Limits::default() });
    let record = Record { level: Level::Critical, context: "ctx".into(), message: "aßßß".into() };
    buffer.sink(origin("a")).log(record);
    let entry = &buffer.tail(1, |_| true)[0];
    assert_eq!((entry.context.as_str(), entry.message.as_str(), entry.cut), ("c", "aß", 6));
}

#[test]
fn bounds_the_number_of_components() {
    let buffer = LogBuffer::new(Limits { components: 2, ..Limits::default() });
    for component in ["a", "b", "a", "c"] {
        say(&buffer.sink(origin(component)), component);
    }
    assert_eq!(messages(&buffer.tail(10, |_| true)), ["a", "a", "c"]);
}

#[tokio::test]
async fn follows_without_gap_or_repetition() {
    let buffer = LogBuffer::new(Limits::default());
    let (a, b) = (buffer.sink(origin("a")), buffer.sink(origin("b")));
    say(&a, "1");
    let (before, mut after) = buffer.follow(10, |origin| &*origin.component == "a");
    assert_eq!(messages(&before), ["1"]);
    say(&b, "2");
    say(&a, "3");
    assert!(matches!(after.next().await, Some(Followed::Entry(entry)) if entry.message == "3"));
    drop((a, b, buffer));
    assert_eq!(after.next().await, None);
}

#[tokio::test]
async fn a_slow_follower_learns_how_much_it_missed() {
    let buffer = LogBuffer::new(Limits { lag: 4, ..Limits::default() });
    let sink = buffer.sink(origin("a"));
    let (_, mut after) = buffer.follow(0, |_| true);
    (0..10).for_each(|number| say(&sink, &number.to_string()));
    assert_eq!(after.next().await, Some(Followed::Missed(6)));
    assert!(matches!(after.next().await, Some(Followed::Entry(entry)) if entry.message == "6"));
}

#[test]
fn entries_travel_as_json() {
    let buffer = LogBuffer::new(Limits::default());
    say(&buffer.sink(origin("a")), "hi");
    let entry = buffer.tail(1, |_| true).remove(0);
    let text = serde_json::to_string(&*entry).unwrap();
    assert!(text.contains(r#""component":"a","site":"gcp","host":"gcp-1","level":"info""#), "{text}");
    assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), *entry);
}

#[test]
fn levels_parse_as_they_print() {
    for level in Level::ALL {
        assert_eq!(level.to_string().parse(), Ok(level));
    }
    assert!("loud".parse::<Level>().unwrap_err().to_string().contains("allowed are trace"));
}
