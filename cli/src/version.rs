//! What `waxseal --version` says: what this program was built from, with what, and what it can do.

use waxseal_container::Suite;

/// The version, and the facts of the build, one a line.
pub(crate) fn long() -> String {
    let commit = match (env!("WAXSEAL_COMMIT"), cfg!(debug_assertions)) {
        ("", true) => "not recorded in a development build",
        ("", false) => "not known: not built in a clone",
        (commit, _) => commit,
    };
    let parts = [("aws", cfg!(feature = "aws")), ("fuse", cfg!(feature = "fuse"))];
    let features: Vec<_> = parts.into_iter().filter_map(|(name, is_there)| is_there.then_some(name)).collect();
    let lines = [
        env!("CARGO_PKG_VERSION").to_owned(),
        format!("commit    {commit}"),
        format!("target    {}", env!("WAXSEAL_TARGET")),
        format!("features  {}", if features.is_empty() { "none".to_owned() } else { features.join(", ") }),
        format!("suites    {}", Suite::ALL.map(Suite::name).join(", ")),
        format!("rustc     {}", env!("WAXSEAL_RUSTC")),
    ];
    lines.join("\n")
}
