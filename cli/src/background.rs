//! Going into the background: the command starts itself again, and returns when that process says that it is ready.
//!
//! The process that was started keeps the terminal until then, so that it can ask for a passphrase. What it prints on
//! standard output comes through a pipe and is passed on. A zero byte, which no text holds, says that it is ready.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use rustix::process::{Pid, Signal, kill_process};

use crate::error::{Class, CliError};
use crate::interrupt;
use crate::launch::{Launch, background_words};

/// What says that the process is ready.
const READY: u8 = 0;
/// No signal has come.
const NONE: i32 = 0;

/// The variable that says how many pools of memory the C library makes for threads, and how many serve a mount. What one thread
/// has freed in a pool of its own is of no use to the others: with a pool for each, a mount takes half as much again.
const POOLS: (&str, &str) = ("MALLOC_ARENA_MAX", "2");

/// Starts the command in the background, and waits until it is ready or has failed.
pub(crate) fn start(launch: &Launch) -> Result<ExitCode, CliError> {
    let mut command = Command::new("/proc/self/exe");
    command.arg0("waxseal").args(background_words(&launch.words)).stdout(Stdio::piped());
    if std::env::var_os(POOLS.0).is_none() {
        command.env(POOLS.0, POOLS.1);
    }
    let mut child = command.spawn().map_err(|error| failed("cannot be started in the background", &error))?;
    let signalled = pass_on_signals(&child)?;
    let ready = pass_on_output(&mut child).map_err(|error| failed("cannot be waited for", &error))?;
    if ready {
        // A signal that came too late for the process to give up ends the mount, and the command says so.
        let signal = signalled.load(Ordering::Relaxed);
        return Ok(if signal == NONE { ExitCode::SUCCESS } else { interrupt::exit_code(signal).into() });
    }
    let status = child.wait().map_err(|error| failed("cannot be waited for", &error))?;
    match (status.code(), status.signal()) {
        // It ended well without ever being ready: only a closed pipe does that.
        (Some(code), _) => Ok(u8::try_from(code).unwrap_or(1).into()),
        (None, signal) => Err(CliError::new(
            Class::Other,
            format!("the process in the background was ended by signal {}", signal.unwrap_or(NONE)),
        )),
    }
}

/// Gives every signal that we get to the process as well: it decides what comes of it, and puts the terminal right.
fn pass_on_signals(child: &Child) -> Result<Arc<AtomicI32>, CliError> {
    let signalled = Arc::new(AtomicI32::new(NONE));
    let (pid, last) = (Pid::from_child(child), Arc::clone(&signalled));
    interrupt::on_each_signal(move |signal| {
        last.store(signal, Ordering::Relaxed);
        if let Some(signal) = Signal::from_named_raw(signal) {
            kill_process(pid, signal).ok();
        }
    })?;
    Ok(signalled)
}

/// Passes on what the process prints, until it is ready (true) or ends (false).
fn pass_on_output(child: &mut Child) -> io::Result<bool> {
    let Some(mut output) = child.stdout.take() else { return Ok(false) };
    let mut buffer = [0; 4096];
    loop {
        let length = match output.read(&mut buffer) {
            Ok(0) => return Ok(false),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let text = &buffer[..length];
        let ready = text.iter().position(|byte| *byte == READY);
        // Whoever closed our standard output does not stop a mount.
        let mut stdout = io::stdout().lock();
        stdout.write_all(&text[..ready.unwrap_or(length)]).and_then(|()| stdout.flush()).ok();
        if ready.is_some() {
            return Ok(true);
        }
    }
}

fn failed(what: &str, error: &io::Error) -> CliError {
    CliError::system(Class::Other, what, error)
}

/// Leaves the terminal for good, and tells the process that started us that we are ready.
///
/// Standard input, output and error lead nowhere from here on, and the working directory is `/`, so that no file system is
/// kept from being unmounted.
///
/// # Errors
/// Whoever started us is gone: nobody knows of this process.
pub(crate) fn leave() -> io::Result<()> {
    let starter: OwnedFd = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
    // It fails for the leader of a group of processes, which has a session of its own already or needs none.
    rustix::process::setsid().ok();
    rustix::process::chdir("/")?;
    let nowhere = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nowhere)?;
    rustix::stdio::dup2_stdout(&nowhere)?;
    rustix::stdio::dup2_stderr(&nowhere)?;
    File::from(starter).write_all(&[READY])
}
