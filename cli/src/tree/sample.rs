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
        Ok(one_of(u64::from(ALL))? < u64::from(self.0))
    }
}

/// Draws a number below `count`, which is not 0.
fn one_of(count: u64) -> Result<u64, CliError> {
    let drawn = getrandom::u64()
        .map_err(|error| CliError::new(Class::Other, format!("the system gives no random numbers: {error}")).fatal())?;
    Ok(drawn % count)
}

/// A sample that is being drawn: it has at least one of the things that there are.
#[derive(Debug)]
pub(super) struct Sample<T> {
    share: Share,
    /// How many were not drawn.
    passed: u64,
    /// One of these, each with the same chance, as long as nothing was drawn.
    spare: Option<T>,
    is_empty: bool,
}

impl<T> Sample<T> {
    /// Nothing is in it yet.
    pub(super) fn of(share: Share) -> Self {
        Self { share, passed: 0, spare: None, is_empty: true }
    }

    /// Draws whether the next thing is in it, and gives it back then.
    pub(super) fn draw(&mut self, next: T) -> Result<Option<T>, CliError> {
        if self.share.draws()? {
            (self.is_empty, self.spare) = (false, None);
            return Ok(Some(next));
        }
        self.passed += 1;
        if self.is_empty && one_of(self.passed)? == 0 {
            self.spare = Some(next);
        }
        Ok(None)
    }

    /// Ends it, and gives the one that is in it where no other is, and how many are not in it.
    pub(super) fn end(self) -> (Option<T>, u64) {
        let rest = self.passed - u64::from(self.spare.is_some());
        (self.spare, rest)
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

    #[test]
    fn a_sample_is_never_empty_and_any_of_the_things_may_be_the_only_one() {
        let sampled = |share: &str, things: u64| {
            let mut sample = Sample::of(share.parse().unwrap());
            let mut drawn: Vec<u64> = (0..things).filter_map(|thing| sample.draw(thing).unwrap()).collect();
            let (spare, rest) = sample.end();
            assert!(spare.is_none() || drawn.is_empty());
            drawn.extend(spare);
            assert_eq!(drawn.len() as u64 + rest, things);
            drawn
        };
        assert_eq!((sampled("100", 3), sampled("0.0001", 0), sampled("0.0001", 1)), (vec![0, 1, 2], vec![], vec![0]));
        // That one of ten is never among so many draws happens once in 10^45.
        let mut seen: Vec<u64> = (0..1000).flat_map(|_| sampled("0.0001", 10)).collect();
        assert!(seen.len() >= 1000);
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
    }
}
