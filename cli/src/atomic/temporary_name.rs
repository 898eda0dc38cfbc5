//! Names of temporary files: `.waxseal-tmp-`, 16 hexadecimal digits, `-`, a number.
//!
//! The first eight digits are those of the boot id (random(4)), which no other machine has and this one only until it is
//! started again; where there is none they are random. The other eight are random for each process, and the number counts
//! its files.

use std::ffi::OsStr;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{PREFIX, PREFIX_IN_MOUNT};

/// Hexadecimal digits of a half of the name's middle part.
const HALF: usize = 8;

/// A name that nobody else uses.
pub(super) fn temporary_name(prefix: &str) -> io::Result<String> {
    static PROCESS: OnceLock<String> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let process = match PROCESS.get() {
        Some(process) => process,
        None => {
            let drawn = getrandom::u64()
                .map_err(|error| io::Error::other(format!("the system gives no random numbers: {error}")))?;
            let mut process = format!("{drawn:016x}");
            if let Some(boot) = boot() {
                process.replace_range(..HALF, boot);
            }
            PROCESS.get_or_init(|| process)
        }
    };
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    Ok(format!("{prefix}{process}-{count}"))
}

/// Whether this is a name that a program of ours has given.
pub(crate) fn is_temporary_name(name: &OsStr) -> bool {
    process_of(name).is_some()
}

/// Whether this is such a name, given on this machine since it was started: whoever gave it shares its locks with us.
pub(crate) fn is_of_this_boot(name: &OsStr) -> bool {
    process_of(name).zip(boot()).is_some_and(|(process, boot)| process.starts_with(boot))
}

/// The middle part of a temporary name.
fn process_of(name: &OsStr) -> Option<&str> {
    let name = name.to_str()?;
    let rest = [PREFIX, PREFIX_IN_MOUNT].iter().find_map(|prefix| name.strip_prefix(prefix));
    let (process, count) = rest?.split_once('-')?;
    let is_number = count.parse::<u64>().is_ok_and(|number| number.to_string() == count);
    (process.len() == 2 * HALF && process.bytes().all(is_hexadecimal) && is_number).then_some(process)
}

/// The beginning of the boot id.
fn boot() -> Option<&'static str> {
    static BOOT: OnceLock<Option<String>> = OnceLock::new();
    let read = || {
        let mut id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let is_long = id.len() > HALF && id.bytes().take(HALF).all(is_hexadecimal);
        is_long.then(|| {
            id.truncate(HALF);
            id
        })
    };
    BOOT.get_or_init(read).as_deref()
}

fn is_hexadecimal(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_names_are_known_by_their_form() {
        for prefix in [PREFIX, PREFIX_IN_MOUNT] {
            assert!(is_temporary_name(temporary_name(prefix).unwrap().as_ref()));
        }
        for name in [
            ".waxseal-tmp-",
            ".waxseal-tmp-0123456789abcdef",
            ".waxseal-tmp-0123456789abcdef-",
            ".waxseal-tmp-0123456789abcdef-x",
            ".waxseal-tmp-0123456789abcdef-01",
            ".waxseal-tmp-0123456789abcdef-+1",
            ".waxseal-tmp-0123456789ABCDEF-1",
            ".waxseal-tmp-0123456789abcde-1",
            ".waxseal-tmp-0123456789abcdef-1.wax",
            "waxseal-tmp-0123456789abcdef-1",
            // Those of a mount, and of a backup of the keys.
            ".waxseal-tmp-0123456789abcdef0123456789abcdef",
        ] {
            assert!(!is_temporary_name(name.as_ref()), "{name}");
        }
    }

    #[test]
    fn what_this_machine_has_named_since_it_was_started_is_known() {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        let name = temporary_name(PREFIX).unwrap();
        assert!(name.starts_with(&format!("{PREFIX}{}", &id[..8])), "{name}");
        assert!(is_of_this_boot(name.as_ref()));
        let other = if id.starts_with('0') { "1" } else { "0" };
        let of_another = format!("{PREFIX}{other}{}", &name[PREFIX.len() + 1..]);
        assert!(is_temporary_name(of_another.as_ref()) && !is_of_this_boot(of_another.as_ref()), "{of_another}");
        assert!(!is_of_this_boot(format!("{name}.wax").as_ref()));
    }
}
