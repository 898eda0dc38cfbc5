//! Where the log of a mount goes: to standard error, to a file, or to the system's log.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use waxseal_fuse::{Level, Log};

use crate::error::{Class, CliError};
use crate::output::Console;
use crate::shown::utc;

/// Where the system's log listens (syslog(3), systemd-journald).
const SYSTEM_LOG: &str = "/dev/log";
/// The system's log knows by this number that a daemon speaks (RFC 5424, section 6.2.1).
const FACILITY_DAEMON: u8 = 3;

/// The log of one mount.
pub(super) enum MountLog {
    /// Standard error, as warnings and notes.
    Terminal(Console),
    /// A file, a line each, with the time.
    File(File),
    /// The system's log. It takes lines, or nobody does.
    System(UnixDatagram),
}

impl MountLog {
    /// Opens a file to append to. It is made for its owner only: names of files stand in it.
    pub(super) fn file(path: &Path) -> Result<Self, CliError> {
        let opened = File::options().append(true).create(true).mode(0o600).open(path);
        let failed = |error: io::Error| CliError::system(Class::Output, "the log cannot be opened", &error).file(path);
        opened.map(Self::File).map_err(failed)
    }

    /// Opens the system's log.
    pub(super) fn system() -> Result<Self, CliError> {
        let failed = |error: io::Error| CliError::system(Class::Other, "the log cannot be opened", &error);
        let socket = UnixDatagram::unbound().map_err(failed)?;
        // A log that does not keep up must not hold up the mount.
        socket.set_nonblocking(true).map_err(failed)?;
        Ok(Self::System(socket))
    }
}

impl Log for MountLog {
    fn line(&self, level: Level, text: &str) {
        match self {
            Self::Terminal(console) => match level {
                Level::Error => console.error(&CliError::new(Class::Other, text)),
                Level::Warning => console.warning(text, None),
                Level::Info => console.note(text, None),
            },
            // There is nobody to tell that a line could not be kept.
            Self::File(file) => {
                { file }.write_all(file_line(SystemTime::now(), level, text).as_bytes()).ok();
            }
            Self::System(socket) => {
                socket.send_to(system_line(level, text).as_bytes(), SYSTEM_LOG).ok();
            }
        }
    }
}

fn file_line(now: SystemTime, level: Level, text: &str) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let word = match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Info => "info",
    };
    format!("{} {word}: {text}\n", utc(seconds))
}

/// A line of the older kind (RFC 3164), which every system's log takes; time and host are added by it.
fn system_line(level: Level, text: &str) -> String {
    let severity = match level {
        Level::Error => 3,
        Level::Warning => 4,
        Level::Info => 6,
    };
    let mut line = format!("<{}>waxseal[{}]: ", FACILITY_DAEMON * 8 + severity, std::process::id());
    write!(line, "{text}").ok();
    line
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_line_says_when_and_how_bad() {
        let at = UNIX_EPOCH + Duration::from_secs(951_782_400);
        assert_eq!(file_line(at, Level::Error, "a: damaged"), "2000-02-29T00:00:00Z error: a: damaged\n");
        assert_eq!(system_line(Level::Warning, "x"), format!("<28>waxseal[{}]: x", std::process::id()));
    }

    #[test]
    fn a_file_is_appended_to_and_is_its_owners() {
        use std::os::unix::fs::PermissionsExt as _;
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("log");
        for text in ["one", "two"] {
            MountLog::file(&path).unwrap().line(Level::Info, text);
        }
        let lines = std::fs::read_to_string(&path).unwrap();
        assert_eq!(lines.lines().map(|line| &line[21..]).collect::<Vec<_>>(), ["info: one", "info: two"]);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
