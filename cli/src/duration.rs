//! Times as they are typed: `90s`, `5m`, `2h`, `1d`, or seconds without a unit.

use std::time::Duration;

/// Longest time: a year. Whoever types more has mistaken the unit.
const MAX_SECONDS: u64 = 366 * 86_400;

/// Parses a time.
///
/// # Errors
/// It is no whole number with one of the units, or longer than a year.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a time is a whole number of s, m, h or d, for instance 90s or 5m".to_owned();
    let digits = text.trim_end_matches(|last: char| !last.is_ascii_digit());
    let seconds_each = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    // A sign would be parsed as part of the number.
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = digits.parse().ok().filter(|_| all_digits).ok_or_else(wrong)?;
    match number.checked_mul(seconds_each) {
        Some(seconds) if seconds <= MAX_SECONDS => Ok(Duration::from_secs(seconds)),
        _ => Err("longer than a year".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit_are_a_time() {
        for (text, seconds) in [("0", 0), ("90", 90), ("90s", 90), ("5m", 300), ("2h", 7200), ("1d", 86_400)] {
            assert_eq!(parse_duration(text).unwrap().as_secs(), seconds, "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "m", "5 m", "-5m", "+5", "1.5h", "5min", "5m3s", "ü", "367d", "99999999999999999999"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
