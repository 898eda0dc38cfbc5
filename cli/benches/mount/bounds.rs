//! The bounds that Waxseal sets itself, and whether a measurement keeps them.

use crate::contenders::Contender;
use crate::report::Series;
use crate::scratch::Medium;
use crate::workloads::Workload;

/// Resident memory of the daemon under everything that is measured, in MiB.
pub(crate) const RESIDENT_MIB: f64 = 128.0;

/// A bound and what was measured for it.
#[derive(Debug)]
pub(crate) struct Bound {
    /// What is bounded.
    pub(crate) what: String,
    /// The bound in words.
    pub(crate) limit: String,
    /// The measurement in the same unit.
    pub(crate) measured: String,
    /// Whether the measurement keeps the bound.
    pub(crate) holds: bool,
}

impl Bound {
    /// The bound on the daemon's memory.
    pub(crate) fn memory(what: String, peak_mib: f64) -> Self {
        let (limit, measured) = (format!("at most {RESIDENT_MIB} MiB"), format!("{peak_mib:.1} MiB"));
        Self { what, limit, measured, holds: peak_mib <= RESIDENT_MIB }
    }
}

/// The bounds of a workload: how fast Waxseal has to be, in speeds of others that took part.
///
/// What disturbs a run only ever adds to its time, so the best runs decide.
pub(crate) fn speeds(workload: Workload, medium: Medium, place: &str, all: &[Series]) -> Vec<Bound> {
    let of = |contender: Contender| all.iter().find(|series| series.contender == contender);
    let Some(ours) = of(Contender::Waxseal) else { return Vec::new() };
    let bound = |(other, at_least): &(Contender, f64)| {
        let other = of(*other)?;
        let (best, median) = (other.best() / ours.best(), other.median() / ours.median());
        Some(Bound {
            what: format!("{}, {place}: speed to {}", workload.name(), other.contender),
            limit: format!("at least {at_least}"),
            measured: format!("{best:.2} (median {median:.2})"),
            holds: best >= *at_least,
        })
    };
    wanted(workload, medium).iter().filter_map(bound).collect()
}

fn wanted(workload: Workload, medium: Medium) -> &'static [(Contender, f64)] {
    use Contender::{Gocryptfs, Passthrough};
    match (workload, medium) {
        (Workload::SequentialWrite | Workload::SequentialRead, _) => &[(Passthrough, 0.8), (Gocryptfs, 2.0)],
        (Workload::WarmRead, _) => &[(Passthrough, 0.8)],
        (Workload::RandomRead, _) | (Workload::RandomWrite, Medium::Memory) => &[(Passthrough, 0.7)],
        (Workload::RandomWrite, Medium::Disk) => &[(Passthrough, 0.7), (Gocryptfs, 5.0)],
        (Workload::Create, _) => &[(Passthrough, 0.6), (Gocryptfs, 1.0)],
        (Workload::Untar | Workload::Cat | Workload::List, _) => &[(Gocryptfs, 1.0)],
    }
}
