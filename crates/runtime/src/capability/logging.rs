//! `wasi:logging`, and the gate that everything a component logs passes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dunlin_providers::logging::{Level, LogSink, Record};
use tokio::time::Instant;
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker};

use crate::guest::Guest;
use crate::limits::Limits;

/// Longest line that is passed on, in bytes; the rest of it is cut.
pub(crate) const LONGEST: usize = 16 << 10;

/// Lets a component's lines through at a bounded rate, and says how many it held back.
pub(crate) struct LogGate {
    sink: Option<Arc<dyn LogSink>>,
    rate: f64,
    burst: f64,
    state: Mutex<State>,
    dropped: AtomicU64,
}

struct State {
    /// Lines that may pass now, as of `refilled`.
    tokens: f64,
    refilled: Instant,
    /// Lines held back since the last that passed.
    held_back: u64,
}

impl LogGate {
    pub(crate) fn new(sink: Option<Arc<dyn LogSink>>, limits: &Limits) -> Self {
        let burst = f64::from(limits.log_burst.max(1));
        let state = Mutex::new(State { tokens: burst, refilled: Instant::now(), held_back: 0 });
        Self { sink, rate: f64::from(limits.log_rate), burst, state, dropped: AtomicU64::new(0) }
    }

    /// Passes one line on, or counts it.
    pub(crate) fn log(&self, level: Level, context: &str, message: &str) {
        let Some(sink) = &self.sink else { return };
        let held_back = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let passed = now.saturating_duration_since(state.refilled).as_secs_f64();
            state.tokens = (state.tokens + passed * self.rate).min(self.burst);
            state.refilled = now;
            if state.tokens < 1.0 {
                state.held_back += 1;
                self.dropped.fetch_add(1, Ordering::Relaxed);
                return;
            }
            state.tokens -= 1.0;
            std::mem::take(&mut state.held_back)
        };
        if held_back > 0 {
            let message =
                format!("{held_back} log lines were dropped: at most {} a second are kept", self.rate);
            sink.log(Record { level: Level::Warn, context: "dunlin".to_owned(), message });
        }
        sink.log(Record {
            level,
            context: cut(context, 256).to_owned(),
            message: cut(message, LONGEST).to_owned(),
        });
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// `wasi:logging/logging.level`.
#[derive(ComponentType, Lift, Clone, Copy)]
#[component(enum)]
#[allow(dead_code, reason = "made by guests only")]
#[repr(u8)]
enum WasiLevel {
    #[component(name = "trace")]
    Trace,
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
    #[component(name = "critical")]
    Critical,
}

impl From<WasiLevel> for Level {
    fn from(level: WasiLevel) -> Self {
        match level {
            WasiLevel::Trace => Self::Trace,
            WasiLevel::Debug => Self::Debug,
            WasiLevel::Info => Self::Info,
            WasiLevel::Warn => Self::Warn,
            WasiLevel::Error => Self::Error,
            WasiLevel::Critical => Self::Critical,
        }
    }
}

/// Adds `wasi:logging` as published, with and without a version.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    for name in ["wasi:logging/logging@0.1.0-draft", "wasi:logging/logging"] {
        linker.instance(name)?.func_wrap(
            "log",
            |store: StoreContextMut<'_, Guest>, (level, context, message): (WasiLevel, String, String)| {
                store.data().shared.log.log(level.into(), &context, &message);
                Ok(())
            },
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[derive(Default)]
    struct Kept(Mutex<Vec<String>>);

    impl LogSink for Kept {
        fn log(&self, record: Record) {
            self.0.lock().unwrap().push(record.message);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_counted_and_told() {
        let kept = Arc::new(Kept::default());
        let limits = Limits { log_rate: 10, log_burst: 3, ..Limits::default() };
        let gate = LogGate::new(Some(Arc::clone(&kept) as Arc<dyn LogSink>), &limits);
        for line in 0..100 {
            gate.log(Level::Info, "", &line.to_string());
        }
        assert_eq!(*kept.0.lock().unwrap(), ["0", "1", "2"]);
        assert_eq!(gate.dropped(), 97);
        tokio::time::advance(Duration::from_millis(100)).await;
        gate.log(Level::Info, "", "later");
        let kept = kept.0.lock().unwrap();
        assert_eq!(kept[3..], ["97 log lines were dropped: at most 10 a second are kept", "later"]);
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        assert_eq!(cut("añb", 2), "a");
        assert_eq!(cut("añb", 9), "añb");
    }
}
