//! Points in time, in the resolution that the store keeps.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time in milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The last one a store can hold: its column is a signed integer.
    const MAX: u64 = i64::MAX.unsigned_abs();

    /// Reads the clock. A clock before 1970 reads as 1970.
    #[must_use]
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or(Self::MAX).min(Self::MAX))
    }

    /// The milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn as_millis(self) -> u64 {
        self.0
    }

    /// The same point as the standard library's type, unless that cannot hold it.
    #[must_use]
    pub fn to_system_time(self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_millis(self.0))
    }

    pub(crate) fn after_days(self, days: u32) -> Self {
        Self(self.0.saturating_add(u64::from(days) * 86_400_000).min(Self::MAX))
    }

    pub(crate) fn to_column(self) -> i64 {
        i64::try_from(self.0).expect("no constructor goes beyond i64::MAX")
    }

    pub(crate) fn from_column(value: i64) -> Option<Self> {
        u64::try_from(value).ok().map(Self)
    }

    pub(crate) fn from_millis(millis: u64) -> Option<Self> {
        (millis <= Self::MAX).then_some(Self(millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_column_keeps_every_value_and_refuses_negative_ones() {
        let now = Timestamp::now();
        assert_eq!(Timestamp::from_column(now.to_column()), Some(now));
        assert_eq!(Timestamp::from_column(-1), None);
        assert_eq!(Timestamp::from_millis(u64::MAX), None);
        assert_eq!(Timestamp(Timestamp::MAX).after_days(30).to_column(), i64::MAX);
    }
}
