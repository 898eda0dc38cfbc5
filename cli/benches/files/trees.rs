//! A tree of very many small files: in one process, against `cp -r` and rclone; and looked at once more.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::measure::{Job, Stage};
use crate::place::{Place, assert_same};
use crate::report::Report;
use crate::scenarios::{clear, measured, once};
use crate::tools::{Direction, Tools};
use crate::{Options, Outcome, bounds};

/// Files in one directory.
const FILES_IN_DIRECTORY: usize = 100;
/// What any contender may take for itself beside its files, in bytes.
const SOME_MEMORY: u64 = 256 << 20;

/// Compares, for both directions, and then what a second run takes.
pub(crate) fn compare(options: &Options, tools: &Tools, place: &Place, report: &mut Report) -> Outcome<()> {
    let count = options.tree_files;
    let [plain, sealed, output] = ["tree", "tree-sealed", "out"].map(|name| place.path(name));
    let rclone = Rclone::find(place)?;
    make_tree(&plain, count, place)?;
    once(waxseal(tools, "encrypt", &plain, &sealed), place)?;
    if let Some(rclone) = &rclone {
        once(rclone.copy(Direction::Encrypt, &plain, &rclone.sealed), place)?;
    }
    let fills = count as u64 * 8192 + SOME_MEMORY;

    for direction in [Direction::Encrypt, Direction::Decrypt] {
        let input = if direction == Direction::Encrypt { &plain } else { &sealed };
        let job = |name: &'static str, stage: Stage| Job::new(name, [stage]).writing(&output).filling(fills);
        let mut jobs = vec![
            job("waxseal", waxseal(tools, direction.word(), input, &output)),
            job("cp -r", Stage::new("cp").args(["-rT"]).args([&plain, &output])),
        ];
        if let Some(rclone) = &rclone {
            jobs.push(job("rclone", rclone.copy(direction, &plain, &output)));
        }
        let series = measured(&jobs, options.runs, place)?;
        bounds::tree(direction, place.name(), count, &series).into_iter().for_each(|bound| report.bound(bound));
        let title = format!("A tree of {count} files of 4 KiB, {}, {}", direction.word(), place.name());
        report.compare(&title, "cp -r", None, &series);
    }

    let back = place.path("back");
    once(waxseal(tools, "decrypt", &sealed, &back), place)?;
    for number in [0, count / 2, count - 1] {
        assert_same(&plain.join(name(number)), &back.join(name(number)))?;
    }
    let again = |name: &'static str, stage: Stage| Job::new(name, [stage]).filling(SOME_MEMORY);
    let decrypt = Job::new("decrypt -r", [waxseal(tools, "decrypt", &sealed, &output)]).writing(&output).filling(fills);
    let jobs = [
        again("encrypt -r --update", waxseal(tools, "encrypt", &plain, &sealed).args(["--update"])),
        again("find -ls", Stage::new("find").args([&plain]).args(["-ls"])),
        again("verify -r", tools.waxseal("verify").args(["-r", "-q"]).args([&sealed])),
        decrypt,
    ];
    let series = measured(&jobs, options.runs, place)?;
    bounds::tree_again(place.name(), &series).into_iter().for_each(|bound| report.bound(bound));
    let title = format!("A tree of {count} files of 4 KiB once more, {}", place.name());
    report.compare(&title, "find -ls", None, &series);

    clear(&[&plain, &sealed, &output, &back])?;
    rclone.map_or(Ok(()), |rclone| clear(&[&rclone.sealed]))
}

fn waxseal(tools: &Tools, command: &str, input: &Path, output: &Path) -> Stage {
    tools.waxseal(command).args(["-r", "-q", "-o"]).args([output, input])
}

/// The name of a file, within the tree.
fn name(number: usize) -> PathBuf {
    Path::new(&format!("{:05}", number / FILES_IN_DIRECTORY)).join(format!("file-{number:07}"))
}

fn make_tree(root: &Path, count: usize, place: &Place) -> Outcome<()> {
    for (number, seed) in (0..count).zip(1_u64..) {
        let path = root.join(name(number));
        if number.is_multiple_of(FILES_IN_DIRECTORY) {
            fs::create_dir_all(path.parent().unwrap_or(root))?;
        }
        place.random_file(&path, 4096, seed)?;
    }
    Ok(())
}

/// rclone with a crypt remote, which encrypts contents and names.
struct Rclone {
    config: PathBuf,
    /// A tree that it has encrypted.
    sealed: PathBuf,
}

impl Rclone {
    /// Looks for the program, and makes its configuration. Says loudly if it is not installed.
    fn find(place: &Place) -> Outcome<Option<Self>> {
        let Ok(obscured) = Command::new("rclone").args(["obscure", "a password for this benchmark"]).output() else {
            eprintln!("SKIPPED: rclone is not installed and is left out of the comparison");
            return Ok(None);
        };
        let password = String::from_utf8(obscured.stdout)?;
        let rclone = Self { config: place.path("rclone.conf"), sealed: place.path("tree-rclone") };
        let remote = |name: &str, folder: &Path| {
            format!("[{name}]\ntype = crypt\nremote = {}\npassword = {}\n", folder.display(), password.trim())
        };
        fs::write(&rclone.config, remote("sealed", &rclone.sealed) + &remote("out", &place.path("out")))?;
        Ok(Some(rclone))
    }

    /// Encrypts a tree, or decrypts the one that it has encrypted.
    fn copy(&self, direction: Direction, plain: &Path, output: &Path) -> Stage {
        let stage = Stage::new("rclone").args(["copy", "-q", "--config"]).args([&self.config]);
        match direction {
            Direction::Encrypt if output == self.sealed => stage.args([plain]).args(["sealed:"]),
            Direction::Encrypt => stage.args([plain]).args(["out:"]),
            Direction::Decrypt => stage.args(["sealed:"]).args([output]),
        }
    }
}
