//! Many small files against a key service with latency: how much of what the concurrency allows is reached.
//!
//! `cargo bench -p waxseal --bench key_service -- --help` lists the options. The service is the tests' own, in this process,
//! on the same cores. The report is Markdown on stdout.
#![expect(clippy::print_stdout, reason = "a benchmark's whole purpose is to print its report")]
#![expect(clippy::unwrap_used, reason = "the service is the tests' own, where a failure ends everything")]

#[path = "../../../tests/aws/server.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod server;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clap::Parser;

use crate::server::{Fault, Server};

/// Encrypts and decrypts many small files against a key service with latency.
#[derive(Debug, Parser)]
struct Options {
    /// A directory to work in, best of all in memory: the disk is not what is measured.
    #[arg(long, default_value = "/dev/shm")]
    dir: PathBuf,
    /// How many files there are.
    #[arg(long, default_value_t = 2000)]
    files: usize,
    /// The size of each, in bytes.
    #[arg(long, default_value_t = 4096)]
    size: usize,
    /// How long the service takes to answer, in milliseconds.
    #[arg(long, default_value_t = 10)]
    latency: u64,
    /// Requests that may be under way at once.
    #[arg(long, default_value_t = 32)]
    concurrency: u32,
    /// How often each command runs.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Set by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let scratch = tempfile::Builder::new().prefix("waxseal-bench-").tempdir_in(&options.dir)?;
    let server = Server::new();
    server.always(Some(Fault::Late(options.latency)));
    let (plain, sealed, opened) =
        (scratch.path().join("plain"), scratch.path().join("sealed"), scratch.path().join("opened"));
    fs::create_dir(&plain)?;
    for number in 0..options.files {
        fs::write(plain.join(format!("f{number}")), vec![7; options.size])?;
    }
    let rounds = u32::try_from(options.files)?.div_ceil(options.concurrency);
    let best = Duration::from_millis(options.latency) * rounds;
    println!(
        "{} files of {} bytes, {} ms of latency, {} requests at once: {best:.2?} at best\n",
        options.files, options.size, options.latency, options.concurrency
    );
    println!(
        "| run | encrypt | of the best | decrypt | of the best | rewrap | of the best |\n|---|---|---|---|---|---|---|"
    );
    let new_key = server.new_key();
    for run in 1..=options.runs {
        let encrypt = timed(&options, &server, "encrypt", &plain, &sealed)?;
        let decrypt = timed(&options, &server, "decrypt", &sealed, &opened)?;
        let rewrap = rewrapped(&options, &server, &new_key, &sealed)?;
        let share = |took: Duration| best.as_secs_f64() / took.as_secs_f64();
        println!(
            "| {run} | {encrypt:.2?} | {:.2} | {decrypt:.2?} | {:.2} | {rewrap:.2?} | {:.2} |",
            share(encrypt),
            share(decrypt),
            share(rewrap)
        );
    }
    Ok(())
}

/// Puts all containers of a directory under another key, and says how long it took.
fn rewrapped(options: &Options, server: &Server, key: &str, sealed: &Path) -> Result<Duration, Box<dyn Error>> {
    let mut program = waxseal(options, server, "rewrap", sealed);
    program.args(["--to", key, "-r"]).arg(sealed);
    let begun = Instant::now();
    let status = program.status()?;
    let took = begun.elapsed();
    let requests = server.calls().iter().filter(|call| *call == "ReEncrypt").count();
    if !status.success() || requests != options.files {
        return Err(format!("rewrap failed: {status}, {requests} requests").into());
    }
    Ok(took)
}

/// Runs a command on all files of a directory, and says how long it took.
fn timed(
    options: &Options,
    server: &Server,
    command: &str,
    from: &Path,
    to: &Path,
) -> Result<Duration, Box<dyn Error>> {
    fs::remove_dir_all(to).ok();
    fs::create_dir(to)?;
    let mut program = waxseal(options, server, command, to);
    program.arg("--no-sync").arg("-o").arg(to);
    for entry in fs::read_dir(from)? {
        program.arg(entry?.path());
    }
    let begun = Instant::now();
    let status = program.status()?;
    let took = begun.elapsed();
    if !status.success() || fs::read_dir(to)?.count() != options.files {
        return Err(format!("{command} failed: {status}").into());
    }
    Ok(took)
}

/// The program, with the key and the server that all commands are for.
fn waxseal(options: &Options, server: &Server, command: &str, home: &Path) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_waxseal"));
    program.args([command, "-q", "-k", &server.key(), "--endpoint-url", &server.url(), "--kms-concurrency"]);
    program.arg(options.concurrency.to_string()).env("WAXSEAL_HOME", home.join("home"));
    program.env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE").env("AWS_SECRET_ACCESS_KEY", "secret");
    program
}
