//! A server that is killed under load loses nothing that it has acknowledged.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader};

use super::support::{AccessKey, Served, python, script};
use crate::support::{Run, World};

/// How often it is killed.
const KILLS: usize = 4;
/// Acknowledged changes before each kill.
const CHANGES: usize = 25;

#[test]
fn kill_9_under_load_loses_no_acknowledged_key_alias_or_credential() {
    let Some(python) = python() else { return };
    let world = World::with_store();
    let key = AccessKey::new(&world, "me");
    let mut acknowledged = HashSet::new();
    for kill in 0..KILLS {
        let served = Served::with(&world, key.clone(), &[]);
        let mut load = served.client(&python).arg(script("load.py")).arg(kill.to_string()).spawn().unwrap();
        let mut lines = BufReader::new(load.stdout.take().unwrap()).lines();
        acknowledged.extend(lines.by_ref().take(CHANGES).map(Result::unwrap));
        let access_key = AccessKey::new(&world, &format!("while-{kill}"));
        served.kill();
        // What was answered before the kill may still be on its way through the pipe.
        acknowledged.extend(lines.map(Result::unwrap));
        load.wait().unwrap();
        assert!(acknowledged.len() >= (kill + 1) * CHANGES, "{}", acknowledged.len());

        let served = Served::with(&world, access_key, &[]);
        let mut check = served.client(&python);
        let checked = check.arg(script("check.py")).args(&acknowledged).output().unwrap();
        Run::from(checked).succeeds_silently();
    }
}
