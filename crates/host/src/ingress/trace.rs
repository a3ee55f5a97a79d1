//! W3C Trace Context at the ingress: what the request brings is read, and replaced by what the component gets.

use dunlin_lattice::TraceContext;
use dunlin_lattice::trace_context::MAX_STATE;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::spans;

pub(crate) const PARENT: HeaderName = HeaderName::from_static("traceparent");
pub(crate) const STATE: HeaderName = HeaderName::from_static("tracestate");

/// The context of the client, if it sent one that can be read, and the request's own: a child of it, or the first of
/// a new trace. The component finds its own in the headers, and a `tracestate` only if that belongs to it and is
/// small.
pub(super) fn begin(headers: &mut HeaderMap) -> (Option<TraceContext>, TraceContext) {
    let parent = of(headers);
    // Whoever is asked in turn need not record a trace of which nothing is recorded here.
    let own = parent.map_or_else(|| TraceContext::new(spans::enabled()), TraceContext::child);
    let states = headers.get_all(STATE).iter().map(|value| value.len() + 1).sum::<usize>();
    if parent.is_none() || states > MAX_STATE + 1 {
        headers.remove(STATE);
    }
    set(headers, &own.to_string());
    (parent, own)
}

/// The context that headers name; several of them name none.
fn of(headers: &HeaderMap) -> Option<TraceContext> {
    let mut values = headers.get_all(PARENT).iter();
    let (value, further) = (values.next()?, values.next());
    further.is_none().then(|| TraceContext::parse(value.to_str().ok()?))?
}

/// Puts a context in the place of whatever is there.
pub(crate) fn set(headers: &mut HeaderMap, traceparent: &str) {
    // Digits and dashes are a header value.
    if let Ok(value) = HeaderValue::from_str(traceparent) {
        headers.insert(PARENT, value);
    }
}

/// All states in one text; `None` if there is none that can be read.
pub(super) fn state(headers: &HeaderMap) -> Option<String> {
    let all: Result<Vec<&str>, _> = headers.get_all(STATE).iter().map(HeaderValue::to_str).collect();
    all.ok().filter(|all| !all.is_empty()).map(|all| all.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn headers(parents: &[&str], states: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for parent in parents {
            headers.append(PARENT, parent.parse().unwrap());
        }
        for state in states {
            headers.append(STATE, state.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_component_gets_a_child_of_what_came() {
        let mut given = headers(&[CLIENT], &["a=1", "b=2"]);
        let (parent, own) = begin(&mut given);
        assert_eq!(parent.map(|parent| parent.to_string()).as_deref(), Some(CLIENT));
        assert_eq!(given[PARENT], own.to_string());
        assert_ne!(given[PARENT], CLIENT);
        assert!(own.sampled() && given[PARENT].to_str().unwrap().contains(&CLIENT[3..35]));
        assert_eq!(state(&given).as_deref(), Some("a=1,b=2"));
    }

    #[test]
    fn what_cannot_be_read_begins_a_new_trace_without_its_state() {
        for parents in [&[][..], &["nonsense"], &[CLIENT, CLIENT]] {
            let mut given = headers(parents, &["a=1"]);
            let (parent, own) = begin(&mut given);
            assert_eq!((parent, state(&given)), (None, None));
            assert_eq!(given.get_all(PARENT).iter().collect::<Vec<_>>(), [own.to_string().as_str()]);
            assert!(!own.to_string().contains(&CLIENT[3..35]));
        }
        let long = "a".repeat(MAX_STATE + 1);
        let mut given = headers(&[CLIENT], &[&long]);
        assert!(begin(&mut given).0.is_some());
        assert_eq!(state(&given), None, "too long to go along");
    }
}
