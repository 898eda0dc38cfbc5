//! What `waxseal --version` tells of a build. Nothing here depends on when or where it is built, and git is not needed.

#![expect(clippy::print_stdout, reason = "cargo reads what a build script prints")]

mod commit;

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build");
    println!("cargo:rustc-env=WAXSEAL_TARGET={}", variable("TARGET"));
    println!("cargo:rustc-env=WAXSEAL_RUSTC={}", compiler());
    // A commit changes the program: in development that would be one more build for each.
    let commit = if variable("PROFILE") == "release" { checked_out() } else { None };
    println!("cargo:rustc-env=WAXSEAL_COMMIT={}", commit.as_deref().unwrap_or_default());
}

/// The commit of the workspace that this package lies in, if it is a clone.
fn checked_out() -> Option<String> {
    let package = variable("CARGO_MANIFEST_DIR");
    let git = Path::new(&package).parent()?.join(".git");
    let found = commit::find(&git)?;
    for file in found.read_from {
        println!("cargo:rerun-if-changed={}", file.display());
    }
    Some(found.commit)
}

/// The compiler's version, for instance `1.95.0 (59807616e 2026-04-14)`.
fn compiler() -> String {
    let output = Command::new(variable("RUSTC")).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.trim().trim_start_matches("rustc ").to_owned()
}

/// A variable that cargo gives every build script.
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}
