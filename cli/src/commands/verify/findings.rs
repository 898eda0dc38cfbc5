//! What was found of a container, in words and as JSON (docs/scripting.md, "verify").

use std::ops::Range;
use std::path::Path;

use serde_json::{Map, Value, json};
use waxseal_container::{CHUNK_LEN, ContainerError, Damage, Holds, Interruption, Survey};
use waxseal_envelope::{Damaged, EnvelopeError, Salvage};

use crate::error::{Class, CliError};
use crate::library_errors;
use crate::report::Details;
use crate::shown::shown;

/// Lines that a person is shown unless a list is what was asked for.
const SHORT: usize = 10;

/// Advice for a container of which something is left.
const SAVE_THE_REST: &str = "use another copy of it; 'waxseal verify --salvage OUT FILE' saves what is still whole";
/// Advice for a container that ends too early.
const SAVE_THE_BEGINNING: &str = "the rest is missing: copy or download it again; 'waxseal verify --salvage OUT FILE' \
                                  saves what is here";
/// Advice for whoever has saved what was left.
const REPLACE_THE_REST: &str = "what is missing has to come from another copy";

/// How much of a list a person is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listing {
    /// Its beginning, and how much more there is.
    Short,
    /// All of it.
    Full,
}

/// The details of a container that is in order.
pub(super) fn clean() -> Details {
    Details { lines: Vec::new(), members: members("clean", Vec::new(), Vec::new()) }
}

/// The details of a stream whose writer was interrupted: what was in flight is not known.
pub(super) fn recovered_stream() -> Details {
    Details { lines: Vec::new(), members: members("interrupted", Vec::new(), Vec::new()) }
}

/// The details of an interrupted container that is read as it is.
pub(super) fn recovered(found: &Interruption) -> Details {
    Details { lines: Vec::new(), ..interruption(found, "interrupted", Listing::Short) }
}

/// The details of a repaired container.
pub(super) fn repaired(found: &Interruption) -> Details {
    let mut details = interruption(found, "repaired", Listing::Short);
    details.lines.insert(0, "repaired: its last writer had been interrupted".to_owned());
    details
}

/// The error of an interrupted container.
pub(super) fn interrupted_error(found: &Interruption, file: &Path) -> CliError {
    let mut details = interruption(found, "interrupted", Listing::Short);
    details.lines.insert(0, format!("nothing in it is damaged: as it is, it has {} bytes", found.plaintext_len));
    library_errors::container(&ContainerError::Interrupted, file, file).details(details)
}

/// The error of a damaged container.
pub(super) fn damaged_error(found: &Damaged, file: &Path) -> CliError {
    let error = told(found, file).details(damage(found, &[], Listing::Short));
    match (&found.survey, &found.damage) {
        (Some(survey), _) if survey.good == 0 => error,
        (Some(_), Damage::Truncated { .. }) => error.hint(SAVE_THE_BEGINNING),
        (Some(_), _) => error.hint(SAVE_THE_REST),
        (None, _) => error,
    }
}

/// The error of a container that was saved, but not as a whole one.
pub(super) fn salvage_error(salvage: &Salvage, file: &Path, output: &Path) -> CliError {
    use waxseal_envelope::Finding::{Clean, Damaged, Interrupted};
    let (error, mut details) = match &salvage.finding {
        Damaged(found) => (told(found, file).hint(REPLACE_THE_REST), damage(found, &salvage.unreadable, Listing::Full)),
        Interrupted(found) => {
            let mut details = interruption(found, "interrupted", Listing::Full);
            details.lines.extend(salvage.unreadable.iter().map(unreadable_line));
            (library_errors::container(&ContainerError::Interrupted, file, file), details)
        }
        Clean { .. } => (CliError::new(Class::Input, "cannot be read everywhere").file(file), clean()),
    };
    let name = output.to_string_lossy();
    details.lines.push(format!("{} holds what verified, at its place, and zeros elsewhere", shown(&name)));
    details.members.insert("output".into(), json!(name));
    error.details(details)
}

/// The error of a damaged container of which nothing can be saved.
pub(super) fn nothing_to_save(salvage: &Salvage, found: &Damaged, file: &Path) -> CliError {
    told(found, file).details(damage(found, &salvage.unreadable, Listing::Full))
}

/// The error of a stream, which is read no further than its first damage.
pub(super) fn stream_error(error: &ContainerError, file: &Path) -> CliError {
    let told = library_errors::container(error, file, file);
    let (state, problems) = match error {
        ContainerError::Damaged { offset, damage } => ("damaged", vec![problem(*offset, damage, None)]),
        ContainerError::Interrupted => ("interrupted", Vec::new()),
        _ => return told,
    };
    told.details(Details { lines: Vec::new(), members: members(state, problems, Vec::new()) })
}

/// An error of opening a container: one whose header is damaged is as damaged as any.
pub(super) fn of_opening(error: CliError) -> CliError {
    if error.class() != Class::Damaged {
        return error;
    }
    let object = error.json();
    let problem = json!({"offset": object["offset"], "message": object["message"], "start": null, "end": null});
    error.details(Details { lines: Vec::new(), members: members("damaged", vec![problem], Vec::new()) })
}

/// An error that came instead of a finding.
pub(super) fn failed(error: &EnvelopeError, file: &Path, output: &Path) -> CliError {
    let told = match error {
        EnvelopeError::Container(error) => library_errors::container(error, file, output),
        error => library_errors::envelope(error, file),
    };
    match error {
        EnvelopeError::InUse => {
            told.details(Details { lines: Vec::new(), members: members("in-use", Vec::new(), Vec::new()) })
        }
        _ => told,
    }
}

/// The first damage, in the words that all commands have for it.
fn told(found: &Damaged, file: &Path) -> CliError {
    let Damaged { offset, damage, .. } = found;
    library_errors::container(&ContainerError::Damaged { offset: *offset, damage: damage.clone() }, file, file)
}

fn interruption(found: &Interruption, state: &str, listing: Listing) -> Details {
    let mut ranges: Vec<(Range<u64>, &str)> = found
        .parts
        .iter()
        .map(|part| match part.holds {
            Holds::Old => (part.plaintext.clone(), "old"),
            Holds::New => (part.plaintext.clone(), "new"),
        })
        .collect();
    if found.plaintext_len < found.recorded_len {
        ranges.push((found.plaintext_len..found.recorded_len, "not-written"));
    }
    let line = |(range, holds): &(Range<u64>, &str)| match *holds {
        "old" => format!("{}: was being written, and is as before", bytes(range)),
        "new" => format!("{}: was being written, and has arrived", bytes(range)),
        _ => format!("{}: was to be appended, and is not there", bytes(range)),
    };
    let lines = shortened(ranges.iter().map(line).collect(), listing);
    let ranges = ranges.iter().map(|(range, holds)| range_json(range, holds)).collect();
    let mut members = members(state, Vec::new(), ranges);
    members.insert("plaintext_bytes".into(), json!(found.plaintext_len));
    members.insert("recorded_bytes".into(), json!(found.recorded_len));
    members.insert("durable_bytes".into(), json!(found.durable_len));
    members.insert("old_bytes".into(), json!(found.old));
    members.insert("new_bytes".into(), json!(found.new));
    Details { lines, members }
}

fn damage(found: &Damaged, unreadable: &[Range<u64>], listing: Listing) -> Details {
    let losses = found.survey.as_ref().map_or(&[][..], |survey| &survey.losses);
    let mut problems = Vec::new();
    if losses.iter().all(|loss| loss.offset != found.offset) {
        problems.push(problem(found.offset, &found.damage, None));
    }
    problems.extend(losses.iter().map(|loss| problem(loss.offset, &loss.damage, Some(&loss.plaintext))));
    problems.extend(unreadable.iter().map(|range| {
        let message = format!("{} bytes cannot be read from the disk", range.end - range.start);
        json!({"offset": range.start, "message": message, "start": null, "end": null})
    }));
    let line = |loss: &waxseal_container::Loss| {
        format!("{}: lost: {} (at byte {})", bytes(&loss.plaintext), shown(&loss.damage.to_string()), loss.offset)
    };
    let lines = losses.iter().map(line).chain(unreadable.iter().map(unreadable_line)).collect();
    let mut lines = shortened(lines, listing);
    lines.push(remainder(found));
    let ranges = losses.iter().map(|loss| range_json(&loss.plaintext, "lost")).collect();
    let mut members = members("damaged", problems, ranges);
    let number = |of: fn(&Survey) -> u64| found.survey.as_ref().map(of);
    members.insert("plaintext_bytes".into(), json!(number(|survey| survey.plaintext_len)));
    members.insert("readable_bytes".into(), json!(number(|survey| survey.good).unwrap_or(0)));
    members.insert("lost_bytes".into(), json!(number(|survey| survey.lost)));
    Details { lines, members }
}

/// What is left of a damaged container.
fn remainder(found: &Damaged) -> String {
    // The length of a stream stands at its end, and a part of it tells only how long it was at least.
    let of = if matches!(found.damage, Damage::Truncated { .. }) { "of at least" } else { "of" };
    match &found.survey {
        None => "nothing of it can be read: the table in page 0 leads to all the rest".to_owned(),
        Some(survey) if survey.lost == 0 => {
            format!("all {} bytes verify, but whether they are all, and of one version, is not certain", survey.good)
        }
        Some(survey) => format!("{} {of} {} bytes are still whole", survey.good, survey.plaintext_len),
    }
}

fn unreadable_line(range: &Range<u64>) -> String {
    format!("bytes {} to {} of the file cannot be read from the disk", range.start, range.end - 1)
}

fn members(state: &str, problems: Vec<Value>, ranges: Vec<Value>) -> Map<String, Value> {
    let mut members = Map::new();
    members.insert("state".into(), json!(state));
    members.insert("problems".into(), Value::Array(problems));
    members.insert("ranges".into(), Value::Array(ranges));
    members
}

fn problem(offset: u64, damage: &Damage, plaintext: Option<&Range<u64>>) -> Value {
    let (start, end) = (plaintext.map(|range| range.start), plaintext.map(|range| range.end));
    json!({"offset": offset, "message": damage.to_string(), "start": start, "end": end})
}

fn range_json(range: &Range<u64>, holds: &str) -> Value {
    json!({"start": range.start, "end": range.end, "holds": holds})
}

/// A part of the plaintext in words.
fn bytes(range: &Range<u64>) -> String {
    let last = range.end - 1;
    let (first_chunk, last_chunk) = (range.start / CHUNK_LEN as u64, last / CHUNK_LEN as u64);
    let chunks = match first_chunk == last_chunk {
        true => format!("chunk {first_chunk}"),
        false => format!("chunks {first_chunk} to {last_chunk}"),
    };
    format!("bytes {} to {last} ({chunks})", range.start)
}

fn shortened(mut lines: Vec<String>, listing: Listing) -> Vec<String> {
    if listing == Listing::Short && lines.len() > SHORT {
        let more = lines.len() - SHORT;
        lines.truncate(SHORT);
        lines.push(format!("and {more} more parts, which --json lists"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_named_by_their_first_and_last_byte_and_their_chunks() {
        assert_eq!(bytes(&(0..1)), "bytes 0 to 0 (chunk 0)");
        assert_eq!(bytes(&(4095..4097)), "bytes 4095 to 4096 (chunks 0 to 1)");
        assert_eq!(bytes(&(8192..12_288)), "bytes 8192 to 12287 (chunk 2)");
    }

    #[test]
    fn a_long_list_is_shortened_unless_it_is_what_was_asked_for() {
        let lines: Vec<String> = (0..13).map(|number| number.to_string()).collect();
        assert_eq!(shortened(lines.clone(), Listing::Full), lines);
        let short = shortened(lines.clone(), Listing::Short);
        assert_eq!((short.len(), short[10].as_str()), (11, "and 3 more parts, which --json lists"));
        assert_eq!(shortened(lines[..10].to_vec(), Listing::Short), lines[..10]);
    }
}
