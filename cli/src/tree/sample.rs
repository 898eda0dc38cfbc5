//! `--sample`: a random share of the files.

use std::str::FromStr;

use crate::error::{Class, CliError};

/// All of them.
const ALL: u32 = 1_000_000;

/// A share of files, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share(u32);

impl Share {
    /// Draws whether a file is among them.
    pub(super) fn draws(self) -> Result<bool, CliError> {
        let drawn = getrandom::u64().map_err(|error| {
            CliError::new(Class::Other, format!("the system gives no random numbers: {error}")).fatal()
        })?;
        Ok(drawn % u64::from(ALL) < u64::from(self.0))
    }
}

impl FromStr for Share {
    type Err = &'static str;

    /// Parses a percentage: more than 0, at most 100, with up to four digits behind the point.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "not a percentage: more than 0, at most 100, for instance 5 or 0.25";
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 3 || fraction.len() > 4 || !is_number(whole) || !is_number(fraction) {
            return Err(WRONG);
        }
        let millionths = format!("{whole}{fraction:0<4}").parse().map_err(|_| WRONG)?;
        if (1..=ALL).contains(&millionths) { Ok(Self(millionths)) } else { Err(WRONG) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_parsed_exactly() {
        for (text, millionths) in [("100", 1_000_000), ("5", 50_000), ("0.25", 2500), ("0.0001", 1), ("12.5", 125_000)]
        {
            assert_eq!(text.parse(), Ok(Share(millionths)), "{text}");
        }
        for wrong in ["0", "100.1", "-1", "", ".5", "1e1", "0.00001", "0.0", "1000", "5%", "+5"] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn all_draws_all_and_a_half_some() {
        let count = |share: &str| (0..1000).filter(|_| share.parse::<Share>().unwrap().draws().unwrap()).count();
        assert_eq!(count("100"), 1000);
        // Beyond 20 standard deviations.
        assert!((180..820).contains(&count("50")));
    }
}
