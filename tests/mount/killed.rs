//! The server killed amid writes: after a remount every file opens, every synced byte is there, every chunk is old or new.

pub(super) mod history;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use self::history::History;
use super::random::operation::Random;
use super::support::{Mounted, containers_hold, contents, mountable, scale};
use crate::support::{SUITES, names_in, noise};

/// How those that change files learn what is about to happen to them.
#[derive(Default)]
pub(super) struct Fate {
    /// They are to come to an end.
    pub(super) stop: AtomicBool,
    /// The power fails at any moment from now on: what answers has not promised anything any more.
    pub(super) power_fails: AtomicBool,
}

impl Fate {
    fn stops(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Whether what has just been answered was answered while there was power.
    fn has_power(&self) -> bool {
        !self.power_fails.load(Ordering::SeqCst)
    }
}

/// Kills when nothing longer is asked for.
const ROUNDS: u64 = 12;
/// Files that are changed in place, a thread each.
const IN_PLACE: usize = 2;

#[test]
fn a_killed_server_loses_nothing_that_was_synced_and_tears_no_chunk() {
    for seed in 1..=2 * scale() {
        rounds(seed);
    }
}

/// Kills one mount after another over the same files.
fn rounds(seed: u64) {
    let Some(world) = mountable() else { return };
    let suite = SUITES[usize::from(seed.is_multiple_of(2))];
    let mut random = Random::new(seed);
    let mut histories: Vec<History> = (0..IN_PLACE).map(|_| History::default()).collect();
    let mut replaced = Replaced::default();
    let mut mounted = Mounted::new(&world, &["--suite", suite]);
    for round in 0..ROUNDS {
        let fate = Fate::default();
        let pause = Duration::from_micros(500 + random.below(120_000));
        std::thread::scope(|scope| {
            for (number, history) in histories.iter_mut().enumerate() {
                let path = mounted.path(&format!("in place {number}"));
                let mut random = Random::new(seed * 1000 + round * 10 + number as u64);
                let fate = &fate;
                scope.spawn(move || change_in_place(&path, history, &mut random, fate));
            }
            let (root, replaced, fate) = (mounted.root(), &mut replaced, &fate);
            scope.spawn(move || replaced.go_on(&root, round, fate));
            std::thread::sleep(pause);
            mounted.kill();
            fate.stop.store(true, Ordering::Relaxed);
        });
        mounted = Mounted::new(&world, &["--suite", suite]);
        for (number, history) in histories.iter_mut().enumerate() {
            let name = format!("in place {number}");
            let found = fs::read(mounted.path(&name));
            let found = found
                .or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(Vec::new()) } else { Err(error) });
            let found =
                found.unwrap_or_else(|error| panic!("seed {seed}, round {round}: {name}: {error}\n{}", mounted.log()));
            // What the first reader is given is what the file is from now on.
            let again = fs::read(mounted.path(&name)).unwrap_or_default();
            let (first, second) = (found.len(), again.len());
            assert!(
                found == again,
                "seed {seed}, round {round}: {name}: {first} bytes, then {second}\n{}",
                mounted.log()
            );
            history
                .allows(&found)
                .unwrap_or_else(|why| panic!("seed {seed}, round {round}: {name}: {why}\n{}", mounted.log()));
            history.begin_again_with(found);
        }
        replaced.check(&mounted.root(), &format!("seed {seed}, round {round}\n{}", mounted.log()));
    }
    let expected = contents(&mounted.root());
    mounted.unmount();
    containers_hold(&world, &expected);
    let left: Vec<String> = names_in(&world.path("vault")).into_iter().filter(|name| !name.ends_with(".wax")).collect();
    assert!(left.is_empty(), "seed {seed}: left behind: {left:?}");
}

/// Overwrites, appends, cuts, punches and grows one file until the mount dies.
pub(super) fn change_in_place(path: &Path, history: &mut History, random: &mut Random, fate: &Fate) {
    let Ok(file) = File::options().read(true).write(true).create(true).truncate(false).open(path) else { return };
    while !fate.stops() {
        let length = history.len();
        let at = if random.below(3) == 0 { length } else { random.below(length.max(1)) };
        let done = match random.below(12) {
            0..=5 => {
                let odd = random.below(20_000);
                let count = random.one_of(&[1, 100, 4096, 8192, 60_000, odd]);
                let bytes = noise(usize::try_from(count).unwrap(), random.below(1 << 40));
                let at = if random.below(2) == 0 { at / 4096 * 4096 } else { at };
                history.write(&bytes, at);
                file.write_all_at(&bytes, at)
            }
            6..=7 => {
                let length = random.below(400_000);
                history.resize(length);
                file.set_len(length)
            }
            8 => {
                let bytes = vec![0; usize::try_from(random.below(30_000)).unwrap()];
                let within = bytes.len().min(usize::try_from(length.saturating_sub(at)).unwrap());
                history.write(&bytes[..within], at);
                punch(&file, at, within as u64)
            }
            _ => {
                let done = file.sync_data();
                if done.is_ok() && fate.has_power() {
                    history.synced();
                }
                done
            }
        };
        if done.is_err() {
            return;
        }
    }
}

fn punch(file: &File, at: u64, length: u64) -> io::Result<()> {
    use rustix::fs::FallocateFlags;
    if length == 0 {
        return Ok(());
    }
    Ok(rustix::fs::fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, at, length)?)
}

/// A file that is replaced again and again, as editors do: written aside, synced, renamed over the old one.
#[derive(Default)]
pub(super) struct Replaced {
    /// The last version that was renamed into place for certain, and the one that may have been.
    certain: u64,
    possible: u64,
}

impl Replaced {
    fn content(version: u64) -> Vec<u8> {
        let mut content = version.to_le_bytes().to_vec();
        content.extend(noise(usize::try_from(version * 7919 % 50_000).unwrap(), version));
        content
    }

    pub(super) fn go_on(&mut self, root: &Path, round: u64, fate: &Fate) {
        let (aside, path) = (root.join(format!("aside {}", round % 3)), root.join("replaced"));
        while !fate.stops() {
            let version = self.possible + 1;
            if write_synced(&aside, &Self::content(version)).is_err() {
                return;
            }
            self.possible = version;
            if fs::rename(&aside, &path).is_err() {
                return;
            }
            if fate.has_power() {
                self.certain = version;
            }
        }
    }

    #[track_caller]
    pub(super) fn check(&mut self, root: &Path, when: &str) {
        self.check_from(self.certain, root, when);
    }

    /// After a power cut the last rename may be undone: only the sync of the next version waited for it.
    #[track_caller]
    pub(super) fn check_after_power_cut(&mut self, root: &Path, when: &str) {
        self.check_from(self.certain.saturating_sub(1), root, when);
    }

    #[track_caller]
    fn check_from(&mut self, certain: u64, root: &Path, when: &str) {
        let path: PathBuf = root.join("replaced");
        let found = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && certain == 0 => return,
            found => found.unwrap_or_else(|error| panic!("{when}: replaced: {error}")),
        };
        let version = (certain..=self.possible).find(|version| found == Self::content(*version));
        let version = version.unwrap_or_else(|| panic!("{when}: replaced: {} bytes of no version", found.len()));
        (self.certain, self.possible) = (version, version);
    }
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}
