//! Interrupts: what is unfinished is removed, then the process ends with the signal's exit code. A mount ends otherwise.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use rustix::fs::AtFlags;
use rustix::termios::{OptionalActions, Termios, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::error::{Class, CliError};
use crate::place::Spot;

/// Temporary files that exist, by their names: no two of one process have the same.
static UNFINISHED: LazyLock<Mutex<HashMap<PathBuf, Spot>>> = LazyLock::new(Mutex::default);

/// Held shared while a temporary file is made and for ever exclusively once a signal arrived: after the files were
/// removed no thread makes another.
static MAKING: RwLock<()> = RwLock::new(());

/// The terminal's settings to put back, while a passphrase is typed.
static TERMINAL: Mutex<Option<(fs::File, Termios)>> = Mutex::new(None);

/// What a signal does instead of ending the process.
type Handler = Box<dyn FnMut(i32) + Send>;

/// Set while a mount is served.
static INSTEAD: Mutex<Option<Handler>> = Mutex::new(None);

/// Begins to watch for SIGINT, SIGTERM, SIGHUP and SIGQUIT, on a thread of its own.
///
/// A signal that whoever started us had ignored (`nohup`, background jobs) stays ignored. The signal for a file that
/// grows beyond the limit is caught, so that writing fails like on a full disk instead of ending the process.
pub(crate) fn watch() -> Result<(), CliError> {
    signal_hook::flag::register(SIGXFSZ, Arc::default()).map_err(|error| cannot_watch(&error))?;
    on_each_signal(|signal| {
        let mut instead = INSTEAD.lock().unwrap_or_else(PoisonError::into_inner);
        match instead.as_mut() {
            Some(handler) => handler(signal),
            None => end(exit_code(signal)),
        }
    })
}

/// From now on signals are given to `handler` instead of ending the process. It runs on the watching thread, which has a
/// small stack: it only passes on what it is given.
pub(crate) fn instead(handler: impl FnMut(i32) + Send + 'static) {
    *INSTEAD.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(handler));
}

/// Calls `act` for each signal that would end the process, on a thread of its own.
pub(crate) fn on_each_signal(mut act: impl FnMut(i32) + Send + 'static) -> Result<(), CliError> {
    let ignored = ignored_signals();
    let watched = [SIGINT, SIGTERM, SIGHUP, SIGQUIT].into_iter().filter(|signal| ignored & (1 << (signal - 1)) == 0);
    let mut signals = Signals::new(watched).map_err(|error| cannot_watch(&error))?;
    let wait = move || signals.forever().for_each(&mut act);
    let thread = std::thread::Builder::new().name("signals".into()).stack_size(64 << 10);
    thread.spawn(wait).map_err(|error| cannot_watch(&error))?;
    Ok(())
}

/// The exit code that tells of a signal.
pub(crate) fn exit_code(signal: i32) -> u8 {
    if signal == SIGINT { 130 } else { 143 }
}

fn cannot_watch(error: &std::io::Error) -> CliError {
    CliError::system(Class::Other, "cannot watch for interrupts", error)
}

/// Removes what is unfinished and ends the process.
fn end(code: u8) -> ! {
    let _no_more = MAKING.write().unwrap_or_else(PoisonError::into_inner);
    for spot in unfinished().values() {
        rustix::fs::unlinkat(spot.at(), &spot.name, AtFlags::empty()).ok();
    }
    restore_terminal();
    std::process::exit(code.into());
}

/// The mask of ignored signals, as the kernel tells it; empty where it does not.
fn ignored_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// A file that is removed if the process is interrupted, until [`Unfinished::forget`].
#[derive(Debug)]
pub(crate) struct Unfinished {
    spot: Spot,
}

impl Unfinished {
    /// Makes the file with `make`, which an interrupt can only precede or follow.
    pub(crate) fn make<T, E>(spot: Spot, make: impl FnOnce(&Spot) -> Result<T, E>) -> Result<(Self, T), E> {
        let _making: RwLockReadGuard<'_, ()> = MAKING.read().unwrap_or_else(PoisonError::into_inner);
        let made = make(&spot)?;
        unfinished().insert(spot.name.clone(), spot.clone());
        Ok((Self { spot }, made))
    }

    /// Where it is.
    pub(crate) fn spot(&self) -> &Spot {
        &self.spot
    }

    /// Says that the file is no longer there under this name, or is to stay.
    pub(crate) fn forget(&self) {
        unfinished().remove(&self.spot.name);
    }
}

/// Remembers how the terminal was, so that an interrupt puts it back.
pub(crate) fn remember_terminal(terminal: fs::File, settings: Termios) {
    *TERMINAL.lock().unwrap_or_else(PoisonError::into_inner) = Some((terminal, settings));
}

/// Puts the terminal back to what was remembered, if anything was.
pub(crate) fn restore_terminal() {
    if let Some((terminal, settings)) = TERMINAL.lock().unwrap_or_else(PoisonError::into_inner).take() {
        tcsetattr(&terminal, OptionalActions::Flush, &settings).ok();
    }
}

fn unfinished() -> MutexGuard<'static, HashMap<PathBuf, Spot>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}
