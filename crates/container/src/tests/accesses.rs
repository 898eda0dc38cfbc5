//! What reading and writing in place ask of the storage: how many pages, and which.

use std::io;
use std::ops::Range;
use std::sync::Mutex;

use super::simulator::RecordingFile;
use super::support::*;
use crate::geometry::GroupIndex;
use crate::{Backing, CHUNK_LEN, Container, Editor, Interrupted, ReadAt, Suite, WriteAt};

/// A file that remembers which bytes were read and written.
#[derive(Debug)]
struct Watched {
    file: RecordingFile,
    reads: Mutex<Vec<(u64, usize)>>,
    writes: Mutex<Vec<(u64, usize)>>,
    /// What it was told that it will be asked for.
    hints: Mutex<Vec<Range<u64>>>,
}

impl Watched {
    fn new(bytes: Vec<u8>) -> Self {
        let file = RecordingFile::new(bytes);
        Self { file, reads: Mutex::default(), writes: Mutex::default(), hints: Mutex::default() }
    }

    /// The pages that were read since the last time.
    fn take_read_pages(&self) -> Vec<u64> {
        let reads = std::mem::take(&mut *self.reads.lock().unwrap());
        let pages = |(offset, length): (u64, usize)| offset / 4096..(offset + length as u64).div_ceil(4096);
        let mut pages: Vec<u64> = reads.into_iter().flat_map(pages).collect();
        pages.sort_unstable();
        pages.dedup();
        pages
    }

    /// The writes since the last time.
    fn take_writes(&self) -> Vec<(u64, usize)> {
        std::mem::take(&mut *self.writes.lock().unwrap())
    }
}

impl ReadAt for Watched {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.reads.lock().unwrap().push((offset, buffer.len()));
        self.file.read_at(buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn will_read(&self, offset: u64, length: u64) {
        self.hints.lock().unwrap().push(offset..offset + length);
    }
}

impl WriteAt for Watched {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.writes.lock().unwrap().push((offset, bytes.len()));
        self.file.write_all_at(bytes, offset)
    }

    fn set_len(&self, size: u64) -> io::Result<()> {
        self.file.set_len(size)
    }
}

impl Backing for Watched {
    fn zero(&self, offset: u64, length: u64) -> io::Result<()> {
        self.file.zero(offset, length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

/// A length of some groups, the last one not full.
const LEN: usize = 3_000_001;

/// Whether a page of the file is that of a table, page 0 included.
fn is_table(page: u64) -> bool {
    (0..20).any(|group| GroupIndex(group).table_offset() / 4096 == page)
}

#[test]
fn a_chunk_of_a_container_just_opened_is_read_with_two_pages_beyond_the_header() {
    for suite in Suite::ALL {
        let container = seal_file(suite, &plaintext(LEN));
        for chunk in [0, 31, 32, 100, LEN / CHUNK_LEN] {
            let file = Watched::new(container.clone());
            let reader = Container::open(unlock(&container).unwrap(), &file, Interrupted::Refuse).unwrap();
            let mut buffer = [0; CHUNK_LEN];
            let length = reader.read_at(&mut buffer, (chunk * CHUNK_LEN) as u64).unwrap();
            assert_eq!(buffer[..length], plaintext(LEN)[chunk * CHUNK_LEN..][..length]);
            let pages = file.take_read_pages();
            assert!(pages.iter().filter(|page| **page != 0).count() <= 2, "chunk {chunk}: pages {pages:?}");
        }
    }
}

#[test]
fn whoever_reads_on_finds_what_comes_next_on_its_way() {
    const PIECE: usize = 1 << 20;
    let container = seal_file(Suite::default(), &plaintext(12 * PIECE + 5));
    let size = container.len() as u64;
    let open = |file| Container::open(unlock(&container).unwrap(), file, Interrupted::Refuse).unwrap();
    let file = Watched::new(container.clone());
    let reader = open(&file);
    let mut buffer = vec![0; PIECE];
    let mut asked_for = GroupIndex::ROOT.table_offset();
    for piece in 0..=12 {
        reader.read_at(&mut buffer, (piece * PIECE) as u64).unwrap();
        for hint in std::mem::take(&mut *file.hints.lock().unwrap()) {
            assert!(hint.end <= size, "{hint:?} of {size}");
            // A table may be asked for with each of two ranges that its group is divided between.
            assert!(hint.start <= asked_for, "piece {piece}: nobody asked for what lies before {hint:?}");
            asked_for = asked_for.max(hint.end);
        }
        let (end, ahead) = (((piece + 1) * PIECE) as u64, (4 * PIECE) as u64);
        assert!(asked_for >= size.min(end + ahead), "piece {piece}: {asked_for}");
        assert!(asked_for <= end + ahead + ahead / 16, "piece {piece}: {asked_for}");
    }

    // Whoever reads here and there gets what he asks for.
    let file = Watched::new(container.clone());
    open(&file).read_at(&mut buffer, 8 * PIECE as u64).unwrap();
    let hints = file.hints.lock().unwrap().clone();
    assert!(
        hints.iter().all(|hint| hint.start >= 8 * PIECE as u64 && hint.end <= 9 * PIECE as u64 + (1 << 18)),
        "{hints:?}"
    );
}

#[test]
fn overwriting_whole_chunks_reads_tables_and_no_data() {
    let container = seal_file(Suite::default(), &plaintext(LEN));
    let mut editor = Editor::open(unlock(&container).unwrap(), Watched::new(container)).unwrap();
    let mut expected = plaintext(LEN);
    for round in 0..3 {
        for chunk in (0..LEN / CHUNK_LEN).map(|chunk| chunk * 7 % (LEN / CHUNK_LEN)) {
            let offset = chunk * CHUNK_LEN;
            editor.write_at(&[round; CHUNK_LEN], offset as u64).unwrap();
            expected[offset..offset + CHUNK_LEN].fill(round);
        }
        // The last chunk is short; writing all of it needs nothing of it either.
        let tail = LEN / CHUNK_LEN * CHUNK_LEN;
        editor.write_at(&vec![round; LEN - tail], tail as u64).unwrap();
        expected[tail..].fill(round);
        editor.sync().unwrap();
        let pages = editor.backing().take_read_pages();
        assert!(pages.iter().all(|page| is_table(*page)), "pages {pages:?}");
    }
    editor.settle().unwrap();
    assert!(open_file(&editor.into_backing().file.bytes(), Interrupted::Refuse).unwrap() == expected);
}

#[test]
fn neighbouring_chunks_are_read_and_written_in_one_call() {
    let container = seal_file(Suite::default(), &plaintext(LEN));
    let mut editor = Editor::open(unlock(&container).unwrap(), Watched::new(container)).unwrap();
    let (group, length) = (GroupIndex(2), GroupIndex(2).capacity());
    editor.write_at(&vec![5; length], group.plaintext_start()).unwrap();
    editor.flush().unwrap();
    let writes = editor.backing().take_writes();
    assert_eq!(writes.iter().filter(|(offset, _)| !is_table(offset / 4096)).count(), 1, "{writes:?}");
    assert!(writes.contains(&(group.chunk_offset(0), length)));

    editor.backing().take_read_pages();
    editor.read_at(&mut vec![0; length], group.plaintext_start()).unwrap();
    let reads = editor.backing().reads.lock().unwrap().clone();
    assert_eq!(reads, [(group.chunk_offset(0), length)]);
}

#[test]
fn the_root_is_not_written_again_while_it_says_nothing_new() {
    let container = seal_file(Suite::default(), &plaintext(LEN));
    let mut editor = Editor::open(unlock(&container).unwrap(), Watched::new(container)).unwrap();
    let root = GroupIndex::ROOT.table_offset();
    for (round, expected) in [(1, true), (2, false), (3, false)] {
        editor.write_at(&[round; 5000], 1_000_000).unwrap();
        editor.sync().unwrap();
        let writes = editor.backing().take_writes();
        assert_eq!(writes.iter().any(|(offset, _)| *offset == root), expected, "round {round}: {writes:?}");
    }
}

#[test]
fn a_read_that_fails_leaves_nothing_in_the_buffer() {
    let mut container = seal_file(Suite::default(), &plaintext(LEN));
    let place = usize::try_from(GroupIndex(3).chunk_offset(10)).unwrap();
    container[place] ^= 1;
    let reader = Container::open(unlock(&container).unwrap(), &container[..], Interrupted::Refuse).unwrap();
    for (start, length) in [(0, 64 * CHUNK_LEN), (5, 11 * CHUNK_LEN), (9 * CHUNK_LEN, 2 * CHUNK_LEN)] {
        let mut buffer = vec![0xee; length];
        let offset = GroupIndex(3).plaintext_start() + start as u64;
        assert!(reader.read_at(&mut buffer, offset).is_err());
        assert!(buffer.iter().all(|byte| *byte == 0), "from {start}");
    }
}

#[test]
fn any_part_of_a_container_reads_as_it_was_written() {
    let original = plaintext(LEN);
    let container = seal_file(Suite::default(), &original);
    let reader = Container::open(unlock(&container).unwrap(), &container[..], Interrupted::Refuse).unwrap();
    let places = [0, 1, 4095, 4096, 4097, 8191, 131_071, 131_072, 131_073, 393_215, 393_216, LEN - 5000, LEN - 1, LEN];
    for start in places {
        for length in [0, 1, 100, 4095, 4096, 4097, 8192, 8193, 12_288, 262_144, 700_000, LEN] {
            let mut buffer = vec![0xee; length];
            let read = reader.read_at(&mut buffer, start as u64).unwrap();
            assert_eq!(read, length.min(LEN - start));
            assert!(buffer[..read] == original[start..start + read], "{length} from {start}");
            assert!(buffer[read..].iter().all(|byte| *byte == 0xee), "{length} from {start}: beyond the end");
        }
    }
}

#[test]
fn many_threads_read_at_once_what_one_would() {
    let original = plaintext(LEN);
    let container = seal_file(Suite::default(), &original);
    let reader = Container::open(unlock(&container).unwrap(), &container[..], Interrupted::Refuse).unwrap();
    let (reader, original) = (&reader, &original);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                for at in 0..200 {
                    let start = (at * 7919 + thread * 104_729) * 13 % LEN;
                    let mut buffer = vec![0; 9000.min(LEN - start)];
                    reader.read_at(&mut buffer, start as u64).unwrap();
                    assert!(buffer == original[start..start + buffer.len()]);
                }
            });
        }
    });
}
