//! GenerateDataKey over HTTP: the served KMS beside moto's server, and beside an axum server that answers a constant. One
//! client, one run, rounds in turn:
//!
//!     cargo bench -p waxseal-kms-server --bench http
//!
//! Each connection sends one signed request again and again, which both servers take, so that the client costs nothing but
//! its system calls. The served KMS verifies every signature and logs to nowhere. `WAXSEAL_BENCH_SECONDS` (3) is the
//! length of a round, `WAXSEAL_BENCH_CONNECTIONS` (16) the number of clients.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark that cannot go on says where, and prints")]

mod client;
mod contenders;

use std::time::Duration;

use self::client::measure;
use self::contenders::{Constant, Contender, Moto, Waxseal};

/// Rounds of each contender; the middle one counts.
const ROUNDS: usize = 3;

fn main() {
    // `cargo test` runs benchmarks too, to see that they work.
    let seconds = if std::env::args().any(|argument| argument == "--bench") { number("SECONDS", 3) } else { 0 };
    let (round, connections) = (Duration::from_secs(seconds).max(Duration::from_millis(50)), number("CONNECTIONS", 16));
    let mut contenders: Vec<Box<dyn Contender>> = vec![Box::new(Waxseal::start()), Box::new(Constant::start())];
    match Moto::start() {
        Some(moto) => contenders.push(Box::new(moto)),
        None => println!("moto_server is not installed: no comparison with it"),
    }
    let mut rates = vec![Vec::new(); contenders.len()];
    for _ in 0..ROUNDS {
        for (contender, rates) in contenders.iter().zip(&mut rates) {
            rates.push(measure(contender.address(), &contender.request(), connections, round));
        }
    }
    let medians: Vec<f64> = rates.iter_mut().map(|rates| median(rates)).collect();
    println!("{connections} connections, {ROUNDS} rounds of {round:?}, answers a second (least, median, most):");
    for ((contender, rates), median) in contenders.iter().zip(&rates).zip(&medians) {
        println!(
            "{:<34} {:>9.0} {median:>9.0} {:>9.0}   served / this: {:.2}",
            contender.name(),
            rates[0],
            rates[rates.len() - 1],
            medians[0] / median
        );
    }
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn number(name: &str, default: u64) -> u64 {
    let asked = std::env::var(format!("WAXSEAL_BENCH_{name}")).ok();
    asked.map_or(default, |text| text.parse().expect("it is a whole number"))
}
