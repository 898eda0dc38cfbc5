//! Counters in the Prometheus text format
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Upper bounds of the durations that are counted apart, in microseconds. What took longer is counted in the last.
const BOUNDS: [(u128, &str); 8] = [
    (50, "0.00005"),
    (100, "0.0001"),
    (250, "0.00025"),
    (1_000, "0.001"),
    (5_000, "0.005"),
    (25_000, "0.025"),
    (100_000, "0.1"),
    (1_000_000, "1"),
];
/// The label of what is no operation of AWS KMS.
const NO_OPERATION: &str = "none";
/// The label of requests that were carried out.
const NO_ERROR: &str = "none";

/// The counters of one server.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    operations: Mutex<BTreeMap<&'static str, Counts>>,
    connections: AtomicUsize,
    refused_connections: AtomicU64,
}

/// What is counted of one operation. Names are those of the service, so that there are few, whatever clients send.
#[derive(Debug, Default)]
struct Counts {
    by_code: BTreeMap<&'static str, u64>,
    by_duration: [u64; BOUNDS.len() + 1],
    duration: Duration,
}

/// A connection that is counted for as long as this lives.
#[derive(Debug)]
pub(crate) struct Connected<'a>(&'a AtomicUsize);

impl Metrics {
    /// Counts a request: what it asked for, if that is an operation, and the error it got, if any.
    pub(crate) fn count(&self, operation: Option<&'static str>, code: Option<&'static str>, duration: Duration) {
        let mut operations = self.operations();
        let counts = operations.entry(operation.unwrap_or(NO_OPERATION)).or_default();
        *counts.by_code.entry(code.unwrap_or(NO_ERROR)).or_default() += 1;
        let micros = duration.as_micros();
        counts.by_duration[BOUNDS.iter().position(|(bound, _)| micros <= *bound).unwrap_or(BOUNDS.len())] += 1;
        counts.duration = counts.duration.saturating_add(duration);
    }

    /// Counts a connection.
    pub(crate) fn connected(&self) -> Connected<'_> {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Connected(&self.connections)
    }

    /// Counts a connection that was closed at once.
    pub(crate) fn refused_connection(&self) {
        self.refused_connections.fetch_add(1, Ordering::Relaxed);
    }

    /// The page that Prometheus reads.
    pub(crate) fn page(&self, locked: bool) -> String {
        let mut page = String::with_capacity(8192);
        let connections = self.connections.load(Ordering::Relaxed);
        gauge(&mut page, "waxseal_kms_locked", "Whether keys are locked away.", usize::from(locked));
        gauge(&mut page, "waxseal_kms_connections", "Connections that are open.", connections);
        let refused = "waxseal_kms_connections_refused_total";
        head(&mut page, refused, "counter", "Connections closed at once: their peer had its share.");
        writeln!(page, "{refused} {}", self.refused_connections.load(Ordering::Relaxed)).ok();
        let operations = self.operations();
        head(&mut page, "waxseal_kms_requests_total", "counter", "Requests by operation and error.");
        for (operation, counts) in operations.iter() {
            for (code, count) in &counts.by_code {
                let labels = format!("operation=\"{operation}\",error=\"{code}\"");
                line(&mut page, "waxseal_kms_requests_total", &labels, count);
            }
        }
        head(&mut page, "waxseal_kms_request_duration_seconds", "histogram", "From a request's headers to its answer.");
        for (operation, counts) in operations.iter() {
            counts.histogram(operation, &mut page);
        }
        page
    }

    fn operations(&self) -> MutexGuard<'_, BTreeMap<&'static str, Counts>> {
        self.operations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn histogram(&self, operation: &str, page: &mut String) {
        let bounds = BOUNDS.iter().map(|(_, bound)| *bound).chain(["+Inf"]);
        let mut so_far = 0;
        for (bound, count) in bounds.zip(self.by_duration) {
            so_far += count;
            let labels = format!("operation=\"{operation}\",le=\"{bound}\"");
            line(page, "waxseal_kms_request_duration_seconds_bucket", &labels, so_far);
        }
        let labels = format!("operation=\"{operation}\"");
        line(page, "waxseal_kms_request_duration_seconds_sum", &labels, self.duration.as_secs_f64());
        line(page, "waxseal_kms_request_duration_seconds_count", &labels, so_far);
    }
}

impl Drop for Connected<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn gauge(page: &mut String, name: &str, help: &str, value: usize) {
    head(page, name, "gauge", help);
    // Writing to a string does not fail.
    writeln!(page, "{name} {value}").ok();
}

fn head(page: &mut String, name: &str, kind: &str, help: &str) {
    writeln!(page, "# HELP {name} {help}\n# TYPE {name} {kind}").ok();
}

fn line(page: &mut String, name: &str, labels: &str, value: impl std::fmt::Display) {
    writeln!(page, "{name}{{{labels}}} {value}").ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_counts_requests_by_error_and_by_how_long_they_took() {
        let metrics = Metrics::default();
        let _connected = metrics.connected();
        drop(metrics.connected());
        metrics.count(Some("Decrypt"), None, Duration::from_micros(50));
        metrics.count(Some("Decrypt"), Some("DisabledException"), Duration::from_micros(51));
        metrics.count(Some("Decrypt"), None, Duration::from_secs(2));
        metrics.count(None, Some("UnknownOperationException"), Duration::ZERO);
        let page = metrics.page(true);
        for expected in [
            "waxseal_kms_locked 1",
            "waxseal_kms_connections 1",
            "# TYPE waxseal_kms_requests_total counter",
            "waxseal_kms_requests_total{operation=\"Decrypt\",error=\"none\"} 2",
            "waxseal_kms_requests_total{operation=\"Decrypt\",error=\"DisabledException\"} 1",
            "waxseal_kms_requests_total{operation=\"none\",error=\"UnknownOperationException\"} 1",
            "waxseal_kms_request_duration_seconds_bucket{operation=\"Decrypt\",le=\"0.00005\"} 1",
            "waxseal_kms_request_duration_seconds_bucket{operation=\"Decrypt\",le=\"1\"} 2",
            "waxseal_kms_request_duration_seconds_bucket{operation=\"Decrypt\",le=\"+Inf\"} 3",
            "waxseal_kms_request_duration_seconds_sum{operation=\"Decrypt\"} 2.000101",
            "waxseal_kms_request_duration_seconds_count{operation=\"Decrypt\"} 3",
        ] {
            assert!(page.lines().any(|line| line == expected), "{expected} is not in\n{page}");
        }
    }
}
