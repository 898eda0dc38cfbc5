//! What is compared: each function is one part of the report.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::slice;

use crate::measure::{Job, Sample, Stage, in_turns};
use crate::place::{Place, assert_same};
use crate::report::{Report, Series};
use crate::tools::{Direction, Tool, Tools};
use crate::{Options, Outcome, bounds};

/// What any contender may take for itself, in bytes: page tables, buffers, pipes, small files.
const SOME_MEMORY: u64 = 256 << 20;

/// A large file, file to file, through every tool. On a disk, each is followed by a sync of the file system.
pub(crate) fn files(options: &Options, tools: &Tools, place: &Place, report: &mut Report) -> Outcome<()> {
    let (plain, output) = (place.path("plain"), place.path("out"));
    place.random_file(&plain, options.size << 20, 1)?;
    let sealed = |tool: Tool| place.path(tool.name()).with_extension("wax");

    for direction in [Direction::Encrypt, Direction::Decrypt] {
        let job = |tool: Tool| {
            let input = match direction {
                Direction::Decrypt if tool != Tool::Cp => sealed(tool),
                _ => plain.clone(),
            };
            let stage = tools.file_to_file(tool, direction, &input, &output.join("file"));
            Job::new(tool.name(), [stage])
                .reading(&[input])
                .writing(&output)
                .filling((options.size << 20) + SOME_MEMORY)
        };
        let jobs: Vec<Job> = tools.present().map(job).collect();
        let series = measured(&jobs, options.runs, place)?;
        for bound in bounds::large_file(direction, place.name(), options.size, &series) {
            report.bound(bound);
        }
        let title = format!("{} MiB file to file, {}, {}", options.size, direction.word(), place.name());
        report.compare(&title, "cp", Some(options.size << 20), &series);

        // What the next direction reads, and the proof that this one wrote what it should have.
        for tool in tools.present().filter(|tool| *tool != Tool::Cp) {
            in_turns(&[job(tool)], 1, place)?;
            match direction {
                Direction::Encrypt => fs::rename(output.join("file"), sealed(tool))?,
                Direction::Decrypt => assert_same(&plain, &output.join("file"))?,
            }
        }
    }
    clear(&[&output, &plain])?;
    tools.present().filter(|tool| *tool != Tool::Cp).try_for_each(|tool| clear(&[&sealed(tool)]))
}

/// A large file from stdin to stdout, between two `cat`s as a shell pipeline has it.
pub(crate) fn pipes(options: &Options, tools: &Tools, place: &Place, report: &mut Report) -> Outcome<()> {
    let plain = place.path("plain");
    place.random_file(&plain, options.size << 20, 2)?;
    let sealed = place.path("sealed.wax");
    once(tools.file_to_file(Tool::Waxseal, Direction::Encrypt, &plain, &sealed), place)?;

    for (direction, input) in [(Direction::Encrypt, &plain), (Direction::Decrypt, &sealed)] {
        let between = |name: &'static str, stage: Stage| {
            Job::new(name, [Stage::new("cat").args([input]), stage, Stage::new("cat")])
                .reading(slice::from_ref(input))
                .filling(SOME_MEMORY)
        };
        let waxseal = between("waxseal", tools.waxseal(direction.word()).args(["-q"]));
        let series = measured(&[waxseal, between("cat", Stage::new("cat"))], options.runs, place)?;
        report.bound(bounds::pipe(direction, &series));
        let title = format!("{} MiB from stdin to stdout, {}, {}", options.size, direction.word(), place.name());
        report.compare(&title, "cat", Some(options.size << 20), &series);
    }
    clear(&[&plain, &sealed])
}

/// Many small files in one process, against `cp` of the same list.
pub(crate) fn small(options: &Options, tools: &Tools, place: &Place, report: &mut Report) -> Outcome<()> {
    let (plain, sealed, output) = (place.path("small"), place.path("small-sealed"), place.path("out"));
    fs::create_dir_all(&plain)?;
    fs::create_dir_all(&sealed)?;
    let files = small_files(&plain, options.files, place)?;
    once(waxseal_into(tools, Direction::Encrypt, &sealed, &files), place)?;
    let containers: Vec<PathBuf> = listed(&sealed)?;

    for (direction, inputs) in [(Direction::Encrypt, &files), (Direction::Decrypt, &containers)] {
        let job = |name: &'static str, stage: Stage, inputs: &[PathBuf]| {
            Job::new(name, [stage]).reading(inputs).writing(&output).filling(SOME_MEMORY)
        };
        let jobs = [
            job("waxseal", waxseal_into(tools, direction, &output, inputs), inputs),
            job("cp", Stage::new("cp").args(["-t"]).args([&output]).args(&files), &files),
        ];
        let series = measured(&jobs, options.runs, place)?;
        report.bound(bounds::small_files(direction, place.name(), options.files, &series));
        let title = format!("{} files of 4 KiB, {}, {}", options.files, direction.word(), place.name());
        report.compare(&title, "cp", None, &series);

        in_turns(&jobs[..1], 1, place)?;
        if direction == Direction::Decrypt {
            let name = |file: &PathBuf| file.file_name().map(|name| output.join(name)).unwrap_or_default();
            files.iter().try_for_each(|file| assert_same(file, &name(file)))?;
        }
    }
    clear(&[&plain, &sealed, &output])
}

/// 4 KiB out of the middle of a very large container, and the start-up of `inspect`.
pub(crate) fn range(options: &Options, tools: &Tools, place: &Place, report: &mut Report) -> Outcome<()> {
    let (plain, large, little) = (place.path("plain"), place.path("large.wax"), place.path("little.wax"));
    let len = options.range_size << 30;
    File::create_new(&plain)?.set_len(4096)?;
    once(tools.file_to_file(Tool::Waxseal, Direction::Encrypt, &plain, &little), place)?;
    File::options().write(true).open(&plain)?.set_len(len)?;
    once(tools.file_to_file(Tool::Waxseal, Direction::Encrypt, &plain, &large), place)?;

    let cat = |offset: u64, file: &Path| tools.waxseal("cat").args([format!("--range={offset}:4096")]).args([file]);
    let jobs = [
        Job::new("cat, very large container", [cat(len / 2 + 4096 * 17, &large)]),
        Job::new("cat, one chunk in all", [cat(0, &little)]),
        Job::new("inspect", [tools.waxseal("inspect").args([&large])]),
        Job::new("--version", [Stage::new(env!("CARGO_BIN_EXE_waxseal")).args(["--version"])]),
    ];
    // These take milliseconds, so more runs cost nothing and steady the median.
    let series = measured(&jobs, options.runs * 4, place)?;
    bounds::range(&series).into_iter().for_each(|bound| report.bound(bound));
    report.small_reads(&format!("4 KiB out of {} GiB, and start-up", options.range_size), &series);
    clear(&[&plain, &large, &little])
}

pub(crate) fn measured(jobs: &[Job], runs: usize, place: &Place) -> Outcome<Vec<Series>> {
    let samples = in_turns(jobs, runs, place)?;
    Ok(jobs.iter().zip(samples).map(|(job, samples)| Series::new(job.name, samples)).collect())
}

/// Runs a command for what it makes, not for its time.
pub(crate) fn once(stage: Stage, place: &Place) -> Outcome<Vec<Vec<Sample>>> {
    in_turns(&[Job::new("preparing", [stage])], 1, place)
}

fn waxseal_into(tools: &Tools, direction: Direction, folder: &Path, inputs: &[PathBuf]) -> Stage {
    tools.waxseal(direction.word()).args(["-q", "-o"]).args([folder]).args(inputs)
}

fn small_files(folder: &Path, count: usize, place: &Place) -> Outcome<Vec<PathBuf>> {
    let mut files = Vec::with_capacity(count);
    for seed in (1_u64..).take(count) {
        let path = folder.join(format!("file-{seed:05}"));
        place.random_file(&path, 4096, seed)?;
        files.push(path);
    }
    Ok(files)
}

/// The files of a folder in the order of their names.
fn listed(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Outcome<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

pub(crate) fn clear(paths: &[&Path]) -> Outcome<()> {
    for path in paths {
        if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
    }
    Ok(())
}
