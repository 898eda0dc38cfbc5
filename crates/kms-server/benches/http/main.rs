//! GenerateDataKey over HTTP: the served KMS beside moto's server, and beside an axum server that answers a constant. One
//! client, one run, rounds in turn:
//!
//!     cargo bench -p waxseal-kms-server --bench http
//!
//! Each connection sends one signed request again and again, which both servers take, so that the client costs nothing but
//! its system calls. The served KMS verifies every signature and logs to nowhere. `WAXSEAL_BENCH_SECONDS` (3) is the
//! length of a round, `WAXSEAL_BENCH_CONNECTIONS` (16) the number of clients. The time that the server's own threads have
//! computed for an answer is told too: it says more where other programs run.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark that cannot go on says where, and prints")]

mod client;
mod contenders;

use std::fs;
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
    let mut computed = vec![Vec::new(); contenders.len()];
    for _ in 0..ROUNDS {
        for ((contender, rates), computed) in contenders.iter().zip(&mut rates).zip(&mut computed) {
            let before = contender.threads().map(computed_by);
            let measured = measure(contender.address(), &contender.request(), connections, round);
            rates.push(measured.answers_a_second);
            if let (Some(before), Some(threads)) = (before, contender.threads()) {
                computed.push((computed_by(threads) - before) / 1000.0 / measured.answers);
            }
        }
    }
    let medians: Vec<f64> = rates.iter_mut().map(|rates| median(rates)).collect();
    println!("{connections} connections, {ROUNDS} rounds of {round:?}, answers a second (least, median, most):");
    for (((contender, rates), median), mut computed) in contenders.iter().zip(&rates).zip(&medians).zip(computed) {
        let computed = match computed.is_empty() {
            true => String::new(),
            false => format!("   {:.1} us of its threads an answer", self::median(&mut computed)),
        };
        println!(
            "{:<34} {:>9.0} {median:>9.0} {:>9.0}   served / this: {:.2}{computed}",
            contender.name(),
            rates[0],
            rates[rates.len() - 1],
            medians[0] / median
        );
    }
}

/// For how many nanoseconds the threads of this name have computed.
fn computed_by(name: &str) -> f64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let mut sum = 0.0;
    for task in tasks {
        // A thread of a client may have ended meanwhile.
        let Ok(called) = fs::read_to_string(task.join("comm")) else { continue };
        if called.trim_end() == name {
            let times = fs::read_to_string(task.join("schedstat")).unwrap();
            sum += times.split(' ').next().unwrap().parse::<f64>().unwrap();
        }
    }
    sum
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn number(name: &str, default: u64) -> u64 {
    let asked = std::env::var(format!("WAXSEAL_BENCH_{name}")).ok();
    asked.map_or(default, |text| text.parse().expect("it is a whole number"))
}
