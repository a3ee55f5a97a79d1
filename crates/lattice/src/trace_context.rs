//! W3C Trace Context (<https://www.w3.org/TR/trace-context/>): which request a call belongs to, in one line of text.
//!
//! Across crates it travels as that text, `traceparent`; here it is read strictly, made, and continued: everything
//! done on behalf of a request has its trace id and a span id of its own. What cannot be read is as good as absent.

use std::fmt;

use rand::RngExt;

/// The most bytes of `tracestate` that go along; the specification asks to pass on at least so many. Longer ones are
/// dropped whole, which it allows.
pub const MAX_STATE: usize = 512;

/// The version that is written; later ones are read as far as they agree with it.
const VERSION: u8 = 0;
/// The length of `00-{trace}-{span}-{flags}`.
const LENGTH: usize = 55;
/// The one flag that is known: whoever called may have recorded the trace.
const SAMPLED: u8 = 1;

/// A trace and the span in it that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// Never zero.
    trace: u128,
    /// Never zero.
    span: u64,
    sampled: bool,
}

impl TraceContext {
    /// A new trace with its first span.
    #[must_use]
    pub fn new(sampled: bool) -> Self {
        Self { trace: rand::rng().random_range(1..=u128::MAX), span: span(), sampled }
    }

    /// Reads a `traceparent`; `None` for anything that the specification calls invalid: then a new trace begins.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let version = u8::try_from(hex(bytes.get(..2)?)?).ok()?;
        let fits = match version {
            VERSION => bytes.len() == LENGTH,
            0xff => false,
            // A later version may say more behind another dash.
            _ => bytes.len() == LENGTH || bytes.get(LENGTH) == Some(&b'-'),
        };
        let dashes = [2, 35, 52].iter().all(|place| bytes.get(*place) == Some(&b'-'));
        if !fits || !dashes {
            return None;
        }
        let trace = hex(bytes.get(3..35)?)?;
        let span = u64::try_from(hex(bytes.get(36..52)?)?).ok()?;
        let flags = u8::try_from(hex(bytes.get(53..LENGTH)?)?).ok()?;
        (trace != 0 && span != 0).then_some(Self { trace, span, sampled: flags & SAMPLED != 0 })
    }

    /// What is done on behalf of this span: the same trace, a span of its own.
    #[must_use]
    pub fn child(self) -> Self {
        Self { span: span(), ..self }
    }

    /// Whether the caller may record this trace. A trace that is not sampled leaves no spans here either.
    #[must_use]
    pub fn sampled(self) -> bool {
        self.sampled
    }

    /// The trace's id, as 32 digits.
    #[must_use]
    pub fn trace_id(self) -> impl fmt::Display + fmt::Debug {
        Digits { value: self.trace, width: 32 }
    }

    /// The span's id, as 16 digits.
    #[must_use]
    pub fn span_id(self) -> impl fmt::Display + fmt::Debug {
        Digits { value: u128::from(self.span), width: 16 }
    }
}

/// The `traceparent`.
impl fmt::Display for TraceContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{VERSION:02x}-{:032x}-{:016x}-{:02x}",
            self.trace,
            self.span,
            u8::from(self.sampled)
        )
    }
}

/// The context that `parent` asks in, and the one of what is done for it; both `None` if there is none, or none that
/// can be read.
#[must_use]
pub fn continued(parent: Option<&str>) -> (Option<TraceContext>, Option<TraceContext>) {
    let parent = parent.and_then(TraceContext::parse);
    (parent, parent.map(TraceContext::child))
}

fn span() -> u64 {
    rand::rng().random_range(1..=u64::MAX)
}

/// A number in lower-case digits, as the specification spells it; at most 32 digits.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number: u128, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

struct Digits {
    value: u128,
    width: usize,
}

impl fmt::Display for Digits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:0width$x}", self.value, width = self.width)
    }
}

impl fmt::Debug for Digits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn reads_what_the_specification_allows() {
        let read = TraceContext::parse(EXAMPLE).unwrap();
        assert_eq!(read.to_string(), EXAMPLE);
        assert_eq!(read.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(read.span_id().to_string(), "b7ad6b7169203331");
        let with = |version: &str, flags: &str, rest: &str| {
            TraceContext::parse(&format!("{version}{}{flags}{rest}", &EXAMPLE[2..53]))
        };
        assert_eq!(with("00", "00", "").map(TraceContext::sampled), Some(false));
        // Flags that nobody knows yet are not passed on.
        assert_eq!(with("00", "ff", ""), Some(read));
        assert_eq!(with("cc", "01", ""), Some(read));
        assert_eq!(with("cc", "01", "-what-comes-later"), Some(read));
        for (version, flags, rest) in [
            ("00", "01", "-x"),
            ("ff", "01", ""),
            ("cc", "01", "x"),
            ("0", "01", ""),
            ("0G", "01", ""),
            ("00", "0", ""),
            ("00", "0x", ""),
            ("00", "01", " "),
            ("00", "0A", ""),
        ] {
            assert_eq!(with(version, flags, rest), None, "{version} {flags} {rest}");
        }
        for bad in [
            "",
            "00",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01",
            "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01",
        ] {
            assert_eq!(TraceContext::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_child_has_the_trace_and_a_span_of_its_own() {
        for sampled in [true, false] {
            let parent = TraceContext::new(sampled);
            let child = parent.child();
            assert_eq!((child.trace, child.sampled), (parent.trace, sampled));
            assert_ne!(child.span, parent.span);
            assert_eq!(TraceContext::parse(&child.to_string()), Some(child));
            assert_ne!(TraceContext::new(sampled).trace, parent.trace);
        }
        assert_eq!(continued(Some("nonsense")), (None, None));
        let (parent, child) = continued(Some(EXAMPLE));
        assert_eq!(parent.unwrap().trace, child.unwrap().trace);
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_so_that_it_reads_the_same(
            text in prop_oneof!["[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.{0,4})?", ".{0,60}"],
        ) {
            if let Some(context) = TraceContext::parse(&text) {
                prop_assert_eq!(TraceContext::parse(&context.to_string()), Some(context));
                prop_assert!(text.contains(&context.trace_id().to_string()));
            }
        }
    }
}
