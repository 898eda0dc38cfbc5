//! Points in time: seconds since 1970 on the wire, ISO 8601 in UTC for people and scripts.

use serde_json::Number;

use crate::shown::utc;

/// Shows a time as the AWS CLI does, with its microseconds if there are any: `2026-11-22T08:00:00.250000+00:00`.
pub(super) fn shown_time(seconds: &Number) -> Option<String> {
    let microseconds = seconds.as_f64().map(|seconds| (seconds * 1e6).round())?;
    // Exact: whole numbers in this range, which ends in the year 2255, have a double of their own.
    if !(0.0..9.007e15).contains(&microseconds) {
        return None;
    }
    let microseconds: u64 = format!("{microseconds:.0}").parse().ok()?;
    let date = utc(microseconds / 1_000_000);
    let date = date.trim_end_matches('Z');
    Some(match microseconds % 1_000_000 {
        0 => format!("{date}+00:00"),
        fraction => format!("{date}.{fraction:06}+00:00"),
    })
}

/// Reads a time: seconds since 1970, or ISO 8601, in UTC unless it has an offset.
pub(super) fn read(text: &str) -> Option<Number> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Number::from_f64(seconds);
    }
    let (date, rest) = text.split_at_checked(10)?;
    let mut parts = date.split('-').map(digits);
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some()
        || !(1970..=9999).contains(&year)
        || !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
    {
        return None;
    }
    let midnight = days(year, month, day) * 86_400;
    if rest.is_empty() {
        return Some(midnight.into());
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, offset) = split_offset(rest)?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = clock.split(':').map(digits);
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    let thousandths: i64 = fraction.chars().chain("000".chars()).take(3).collect::<String>().parse().ok()?;
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 || digits(fraction).is_none() {
        return None;
    }
    let seconds = midnight + hour * 3600 + minute * 60 + second - offset;
    if thousandths == 0 {
        return Some(seconds.into());
    }
    format!("{seconds}.{thousandths:03}").parse().ok()
}

/// Splits an offset off: `Z`, `+01:00`, `-0130` or none. It is given in seconds.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(clock) = text.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let Some(at) = text.find(['+', '-']) else { return Some((text, 0)) };
    let (clock, offset) = text.split_at(at);
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let plain = offset[1..].replace(':', "");
    let (hours, minutes) = plain.split_at_checked(2)?;
    let (hours, minutes) = (digits(hours)?, if minutes.is_empty() { 0 } else { digits(minutes)? });
    (hours < 24 && minutes < 60).then_some((clock, sign * (hours * 3600 + minutes * 60)))
}

/// A number of at most nine digits and nothing else.
fn digits(text: &str) -> Option<i64> {
    let is_number = !text.is_empty() && text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// Days from 1970-01-01 to a date, by Howard Hinnant's `days_from_civil`
/// (<https://howardhinnant.github.io/date_algorithms.html>).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_with_the_fraction_that_they_have() {
        for (seconds, expected) in [
            ("0", "1970-01-01T00:00:00+00:00"),
            ("1732262400", "2024-11-22T08:00:00+00:00"),
            ("1732262400.25", "2024-11-22T08:00:00.250000+00:00"),
            ("1.732262400123E9", "2024-11-22T08:00:00.123000+00:00"),
        ] {
            assert_eq!(shown_time(&seconds.parse().unwrap()).unwrap(), expected);
        }
        for seconds in ["-1", "1e300"] {
            assert_eq!(shown_time(&seconds.parse().unwrap()), None);
        }
    }

    #[test]
    fn times_are_read_in_every_form() {
        for (text, seconds) in [
            ("1732262400", "1732262400.0"),
            ("2024-11-22", "1732233600"),
            ("2024-11-22T08:00:00Z", "1732262400"),
            ("2024-11-22T08:00", "1732262400"),
            ("2024-11-22T09:30:00+01:30", "1732262400"),
            ("2024-11-22 07:00:00.25-01", "1732262400.25"),
            ("2000-02-29", "951782400"),
        ] {
            assert_eq!(read(text).unwrap().to_string(), seconds, "{text}");
        }
        for text in ["", "x", "2024-13-01", "2024-11-22T", "2024-11-22T25:00", "2024-11-22T08:00:00.x", "2024-11-22Tü"]
        {
            assert!(read(text).is_none(), "{text}");
        }
    }
}
