//! The date of a signature: ISO 8601 in its basic form, to the second, in UTC.

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

/// Reads `YYYYMMDDTHHMMSSZ`; `None` if it is anything else, or a day that no calendar has.
pub(super) fn parse(text: &str) -> Option<OffsetDateTime> {
    let bytes = text.as_bytes();
    if bytes.len() != 16 || bytes[8] != b'T' || bytes[15] != b'Z' {
        return None;
    }
    let number = |from: usize, to: usize| {
        let digits = bytes.get(from..to)?;
        digits.iter().try_fold(0_u16, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u16::from(byte - b'0')))
    };
    let small = |from: usize| u8::try_from(number(from, from + 2)?).ok();
    let month = Month::try_from(small(4)?).ok()?;
    let date = Date::from_calendar_date(number(0, 4)?.into(), month, small(6)?).ok()?;
    let time = Time::from_hms(small(9)?, small(11)?, small(13)?).ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_utc())
}

/// Writes what [`parse`] reads.
pub(super) fn basic(at: OffsetDateTime) -> String {
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", at.hour(), at.minute(), at.second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read_as_it_was_written() {
        for text in ["20261122T061751Z", "20000229T235959Z", "19700101T000000Z"] {
            assert_eq!(basic(parse(text).unwrap()), text);
        }
        assert_eq!(parse("20000229T000001Z").unwrap().unix_timestamp(), 951_782_401);
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "20261122",
            "20261122T061751",
            "20261122T061751ZZ",
            "20261322T061751Z",
            "20260229T000000Z",
            "20261122t061751Z",
            "2026112 T061751Z",
            "+0261122T061751Z",
            "20261122T246751Z",
            "20261122T061760Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
