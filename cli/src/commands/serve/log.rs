//! The log of a server: a line for each request on standard error, as text or as JSON.

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use waxseal_kms_server::{Event, Log, RequestRecord};

use crate::args::Common;
use crate::shown::{shown, utc};

/// Where the lines go, and which there are.
pub(super) struct ServeLog {
    json: bool,
    /// Only what is the server's own fault.
    quiet: bool,
}

impl ServeLog {
    pub(super) fn new(common: &Common) -> Self {
        Self { json: common.json, quiet: common.quiet }
    }

    /// Writes a line in one piece, so that lines of several threads do not mix.
    fn write(mut line: String) {
        line.push('\n');
        // There is nowhere left to complain to.
        std::io::stderr().lock().write_all(line.as_bytes()).ok();
    }
}

impl Log for ServeLog {
    fn request(&self, record: &RequestRecord<'_>) {
        if self.quiet && record.status < 500 {
            return;
        }
        let now = now();
        Self::write(if self.json { request_json(record, now).to_string() } else { request_text(record, now) });
    }

    fn event(&self, event: &Event) {
        let (now, is_trouble) = (now(), matches!(event, Event::NotAccepted(_) | Event::CutOff(_)));
        if self.quiet && !is_trouble {
            return;
        }
        let (status, text) = (if is_trouble { "warning" } else { "note" }, event.to_string());
        Self::write(if self.json {
            json!({ "v": 1, "status": status, "time": seconds(now), "message": text }).to_string()
        } else {
            format!("{} {status}: {}", utc(now / 1000), shown(&text))
        });
    }
}

fn request_text(record: &RequestRecord<'_>, now: u64) -> String {
    let or_dash = |text: Option<&'_ str>| text.unwrap_or("-").to_owned();
    let micros = record.duration.as_micros();
    let mut line = format!(
        "{} {} {} {} {} {} {} {micros}us {}",
        utc(now / 1000),
        record.peer,
        or_dash(record.credential),
        or_dash(record.region),
        or_dash(record.operation),
        record.status,
        or_dash(record.code),
        record.request_id,
    );
    if let Some(cause) = record.cause {
        line.push_str(" caused by: ");
        line.push_str(&shown(cause));
    }
    line
}

fn request_json(record: &RequestRecord<'_>, now: u64) -> Value {
    json!({
        "v": 1, "status": "request", "time": seconds(now), "request_id": record.request_id, "peer": record.peer,
        "credential": record.credential, "region": record.region, "operation": record.operation,
        "http_status": record.status, "error": record.code, "cause": record.cause,
        "microseconds": u64::try_from(record.duration.as_micros()).unwrap_or(u64::MAX),
    })
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Seconds with their fraction, of milliseconds.
fn seconds(millis: u64) -> Value {
    let fraction = u32::try_from(millis % 1000).unwrap_or(0);
    let whole = u32::try_from(millis / 1000).unwrap_or(u32::MAX);
    json!(f64::from(whole) + f64::from(fraction) / 1000.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn record() -> RequestRecord<'static> {
        RequestRecord {
            request_id: "id",
            peer: "127.0.0.1:5",
            operation: Some("Decrypt"),
            region: Some("us-east-1"),
            credential: Some("me"),
            status: 400,
            code: Some("DisabledException"),
            cause: None,
            duration: Duration::from_micros(70),
        }
    }

    #[test]
    fn a_line_says_when_who_what_and_how_it_ended() {
        let text = "2000-02-29T00:00:00Z 127.0.0.1:5 me us-east-1 Decrypt 400 DisabledException 70us id";
        assert_eq!(request_text(&record(), 951_782_400_250), text);
        let unknown = RequestRecord { operation: None, credential: None, cause: Some("a\nb"), ..record() };
        assert!(request_text(&unknown, 0).contains(" - us-east-1 - 400 "));
        assert!(request_text(&unknown, 0).ends_with("id caused by: a\\nb"));
    }

    #[test]
    fn an_object_says_the_same() {
        let object = request_json(&record(), 951_782_400_250);
        assert_eq!(object["time"], 951_782_400.25);
        assert_eq!(object["error"], "DisabledException");
        assert_eq!(object["microseconds"], 70);
    }
}
