//! Storage that is full: what was acknowledged stays, whatever is refused.

use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;

use super::support::sealer;
use crate::{Backing, Editor, ReadAt, Suite, WriteAt};

const PAGE: usize = 4096;

/// Storage with room for so many pages. A write that needs more is done up to there.
#[derive(Debug)]
struct Small(Mutex<State>);

#[derive(Debug)]
struct State {
    pages: BTreeMap<u64, Box<[u8; PAGE]>>,
    size: u64,
    capacity: usize,
}

impl ReadAt for Small {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.0.lock().unwrap();
        let length = buffer.len().min(usize::try_from(state.size.saturating_sub(offset)).unwrap());
        let mut done = 0;
        while done < length {
            let place = offset + done as u64;
            let within = usize::try_from(place % PAGE as u64).unwrap();
            let piece = (PAGE - within).min(length - done);
            match state.pages.get(&(place / PAGE as u64)) {
                Some(page) => buffer[done..done + piece].copy_from_slice(&page[within..within + piece]),
                None => buffer[done..done + piece].fill(0),
            }
            done += piece;
        }
        Ok(length)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().size)
    }
}

impl WriteAt for Small {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let mut done = 0;
        while done < bytes.len() {
            let place = offset + done as u64;
            let (number, within) = (place / PAGE as u64, usize::try_from(place % PAGE as u64).unwrap());
            let piece = (PAGE - within).min(bytes.len() - done);
            if !state.pages.contains_key(&number) {
                if state.pages.len() >= state.capacity {
                    return Err(io::ErrorKind::StorageFull.into());
                }
                state.pages.insert(number, Box::new([0; PAGE]));
            }
            let page = state.pages.get_mut(&number).unwrap();
            page[within..within + piece].copy_from_slice(&bytes[done..done + piece]);
            done += piece;
            state.size = state.size.max(place + piece as u64);
        }
        Ok(())
    }

    fn set_len(&self, size: u64) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.pages.split_off(&size.div_ceil(PAGE as u64));
        if let Some(page) = state.pages.get_mut(&(size / PAGE as u64)) {
            page[usize::try_from(size % PAGE as u64).unwrap()..].fill(0);
        }
        state.size = size;
        Ok(())
    }
}

impl Backing for Small {
    fn zero(&self, offset: u64, length: u64) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let end = (offset + length).min(state.size);
        let page = |place: u64| place / PAGE as u64;
        state.pages.retain(|number, _| *number < offset.div_ceil(PAGE as u64) || *number >= page(end));
        for (number, bytes) in state.pages.range_mut(page(offset)..=page(end)) {
            for (at, byte) in bytes.iter_mut().enumerate() {
                if (offset..end).contains(&(number * PAGE as u64 + at as u64)) {
                    *byte = 0;
                }
            }
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(())
    }
}

struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn size(&mut self, limit: usize) -> usize {
        usize::try_from(self.below(limit as u64)).unwrap()
    }
}

/// The content as it was acknowledged; after a refusal, what may be either way in the range that was refused.
fn check(editor: &Editor<&Small>, model: &mut Vec<u8>, refused: Option<(usize, &[u8])>, when: &str) {
    let len = usize::try_from(editor.len()).unwrap();
    let mut content = vec![0; len];
    let read = editor.read_at(&mut content, 0);
    assert_eq!(read.map_err(|error| error.to_string()), Ok(len), "{when}");
    match refused {
        None => assert_eq!(len, model.len(), "{when}"),
        Some((at, bytes)) => {
            assert!(len >= model.len() && len <= model.len().max(at + bytes.len()), "{when}: {} to {len}", model.len());
            model.resize(len, 0);
            for (number, chunk) in content.chunks(PAGE).enumerate() {
                let start = number * PAGE;
                let old = &model[start..start + chunk.len()];
                let mut new = old.to_vec();
                let (from, to) = (start.max(at), (start + chunk.len()).min(at + bytes.len()));
                if from < to {
                    new[from - start..to - start].copy_from_slice(&bytes[from - at..to - at]);
                }
                assert!(chunk == old || chunk == new, "{when}: chunk {number} is neither old nor new");
            }
            model.copy_from_slice(&content);
        }
    }
    let wrong = content.iter().zip(model.iter()).position(|(found, expected)| found != expected);
    assert_eq!(wrong, None, "{when}: chunk {:?}", wrong.map(|at| at / PAGE));
}

#[test]
fn a_refused_write_changes_nothing_that_was_acknowledged() {
    for seed in 0..24 {
        let mut numbers = Numbers(seed);
        let storage = Small(Mutex::new(State { pages: BTreeMap::new(), size: 0, capacity: 1000 }));
        let suite = Suite::ALL[usize::try_from(seed % 2).unwrap()];
        let mut editor = sealer(suite).create(&storage).unwrap();
        let mut model = Vec::new();
        for step in 0..120 {
            let when = format!("seed {seed}, step {step}");
            // Another hand takes room and gives it back.
            let used = storage.0.lock().unwrap().pages.len();
            storage.0.lock().unwrap().capacity = used + numbers.size(60);
            let at = numbers.size(600_000);
            let bytes = vec![
                u8::try_from(1 + step % 250).unwrap();
                1 + numbers.size(if step % 3 == 0 { 400_000 } else { 9000 })
            ];
            match numbers.below(16) {
                12..14 => match editor.write_at(&bytes, at as u64) {
                    Ok(()) => {
                        model.resize(model.len().max(at + bytes.len()), 0);
                        model[at..at + bytes.len()].copy_from_slice(&bytes);
                        check(&editor, &mut model, None, &format!("{when}, in memory"));
                    }
                    Err(_) => check(&editor, &mut model, Some((at, &bytes)), &format!("{when}, refused")),
                },
                14..16 => {
                    let flushed = editor.flush();
                    check(&editor, &mut model, None, &format!("{when}, flushed: {flushed:?}"));
                }
                0..8 => {
                    let done = editor
                        .flush()
                        .is_ok()
                        .then(|| editor.write_at(&bytes, at as u64).and_then(|()| editor.flush()));
                    match done {
                        None => check(&editor, &mut model, None, &when),
                        Some(Ok(())) => {
                            model.resize(model.len().max(at + bytes.len()), 0);
                            model[at..at + bytes.len()].copy_from_slice(&bytes);
                            check(&editor, &mut model, None, &when);
                        }
                        Some(Err(_)) => {
                            editor.discard().ok();
                            if editor.discard().is_ok() {
                                check(
                                    &editor,
                                    &mut model,
                                    Some((at, &bytes)),
                                    &format!("{when}, {} at {at} refused", bytes.len()),
                                );
                            } else {
                                panic!("{when}: discard fails");
                            }
                        }
                    }
                }
                8 => {
                    match editor.set_len(at as u64) {
                        Ok(()) => model.resize(at, 0),
                        Err(_) if editor.len() == at as u64 => model.resize(at, 0),
                        Err(_) => {}
                    }
                    check(&editor, &mut model, None, &format!("{when}, cut to {at}"));
                }
                9 => {
                    editor.settle().ok();
                    check(&editor, &mut model, None, &when);
                }
                10 => {
                    let end = model.len().min(at + bytes.len());
                    let done = editor.punch_hole(at as u64, bytes.len() as u64);
                    let zeros = vec![0; end.saturating_sub(at)];
                    if done.is_ok() && at < end {
                        model[at..end].fill(0);
                    }
                    check(&editor, &mut model, done.is_err().then_some((at, &zeros)), &format!("{when}, punched"));
                }
                _ => {
                    if editor.sync().is_ok() {
                        let (unlocked, _) = editor.into_parts();
                        editor = Editor::open(unlocked, &storage).unwrap();
                    }
                    check(&editor, &mut model, None, &format!("{when}, opened anew"));
                }
            }
        }
    }
}
