//! One burst of load with `wrk`, and what it measured.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Figures of one burst.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Figures {
    /// Requests a second.
    pub(crate) rate: f64,
    /// Median latency in milliseconds.
    pub p50: f64,
    /// Latency in milliseconds that one in a hundred exceeds.
    pub p99: f64,
}

/// Loads `address` for some seconds over so many connections.
///
/// # Errors
/// `wrk` fails, or requests did.
pub(crate) fn burst(address: SocketAddr, connections: u32, seconds: u32) -> Result<Figures> {
    let threads = if connections == 1 { "-t1" } else { "-t2" };
    let mut wrk = Command::new("wrk");
    wrk.args([threads, &format!("-c{connections}"), &format!("-d{seconds}s"), "--latency"]);
    let output = wrk.arg(format!("http://{address}/")).output().context("wrk cannot be started")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() || text.contains("Non-2xx") {
        bail!("wrk failed: {text}{}", String::from_utf8_lossy(&output.stderr));
    }
    read(&text).with_context(|| format!("wrk said something unexpected: {text}"))
}

fn read(text: &str) -> Option<Figures> {
    let after = |label: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(label))?;
        Some(line.trim_start().strip_prefix(label)?.trim().to_owned())
    };
    Some(Figures {
        rate: after("Requests/sec:")?.parse().ok()?,
        p50: milliseconds(&after("50%")?)?,
        p99: milliseconds(&after("99%")?)?,
    })
}

fn milliseconds(text: &str) -> Option<f64> {
    let (number, factor) = [("us", 0.001), ("ms", 1.0), ("s", 1000.0)]
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
    Some(number.parse::<f64>().ok()? * factor)
}

/// The middle of some numbers.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_wrk_prints() {
        let text = "  Latency Distribution\n     50%  120.00us\n     75%  1.00ms\n     99%    2.50ms\nRequests/sec:  1234.50\n";
        assert_eq!(read(text), Some(Figures { rate: 1234.5, p50: 0.12, p99: 2.5 }));
    }
}
