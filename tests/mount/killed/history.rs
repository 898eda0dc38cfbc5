//! What a file may hold after a kill: for each chunk the states since the last sync, and the sizes since then.

/// Bytes of a chunk.
const CHUNK: usize = 4096;

/// Which states a file went through since it was last known for certain.
pub(in super::super) struct History {
    now: Vec<u8>,
    /// For each chunk, what it was at any time since then, padded with zeros; the last is what it is now.
    chunks: Vec<Vec<Box<[u8; CHUNK]>>>,
    sizes: Vec<usize>,
    /// What was done to it, in words.
    events: Vec<String>,
}

impl Default for History {
    /// A file that is not there yet, which is like an empty one.
    fn default() -> Self {
        Self { now: Vec::new(), chunks: Vec::new(), sizes: vec![0], events: Vec::new() }
    }
}

impl History {
    /// The size that the file has now.
    pub(in super::super) fn len(&self) -> u64 {
        self.now.len() as u64
    }

    /// Bytes are about to be written; the file grows to hold them.
    pub(in super::super) fn write(&mut self, bytes: &[u8], at: u64) {
        if bytes.is_empty() {
            return;
        }
        let at = usize::try_from(at).unwrap();
        let end = at + bytes.len();
        let grown = self.now.len().max(end);
        self.now.resize(grown, 0);
        self.now[at..end].copy_from_slice(bytes);
        self.sizes.push(grown);
        self.events.push(format!("{} bytes at {at}", bytes.len()));
        self.remember(at / CHUNK, end.div_ceil(CHUNK));
    }

    /// The file is about to be cut or to grow.
    pub(in super::super) fn resize(&mut self, length: u64) {
        let (before, length) = (self.now.len(), usize::try_from(length).unwrap());
        self.now.resize(length, 0);
        self.sizes.push(length);
        self.events.push(format!("resized to {length}"));
        self.remember(before.min(length) / CHUNK, before.max(length).div_ceil(CHUNK));
    }

    /// All of it is on disk.
    pub(in super::super) fn synced(&mut self) {
        self.events.push("synced".into());
        self.sizes = vec![self.now.len()];
        for states in &mut self.chunks {
            states.drain(..states.len() - 1);
        }
    }

    /// The file was found like this: the past does not matter any more.
    pub(in super::super) fn begin_again_with(&mut self, found: Vec<u8>) {
        let mut events = std::mem::take(&mut self.events);
        events.push(format!("found after a kill with {} bytes", found.len()));
        *self = Self { sizes: vec![found.len()], now: found, chunks: Vec::new(), events };
        self.remember(0, self.now.len().div_ceil(CHUNK));
    }

    /// Whether the file may be like this after a kill.
    pub(in super::super) fn allows(&self, found: &[u8]) -> Result<(), String> {
        let last = &self.events[self.events.len().saturating_sub(30)..];
        self.check(found).map_err(|why| format!("{why}; the last that was done to it: {}", last.join(", ")))
    }

    fn check(&self, found: &[u8]) -> Result<(), String> {
        if !self.sizes.contains(&found.len()) {
            // A write of many chunks may be cut between any two of them.
            let between = found.len().is_multiple_of(CHUNK) && self.sizes.iter().any(|size| *size >= found.len());
            if !between || self.sizes.iter().all(|size| *size >= found.len()) {
                return Err(format!("{} bytes, of the sizes {:?}", found.len(), self.sizes));
            }
        }
        for (number, chunk) in found.chunks(CHUNK).enumerate() {
            let states = self.chunks.get(number).map(Vec::as_slice).unwrap_or_default();
            if !states.iter().any(|state| state.starts_with(chunk)) {
                let states = states.len();
                return Err(format!("chunk {number} of {} bytes is none of {states} states", found.len()));
            }
        }
        Ok(())
    }

    fn remember(&mut self, from: usize, to: usize) {
        for number in from..to {
            while self.chunks.len() <= number {
                // What is beyond the end has been nothing but zeros.
                self.chunks.push(vec![Box::new([0; CHUNK])]);
            }
            let mut state = Box::new([0; CHUNK]);
            let rest = self.now.get(number * CHUNK..).unwrap_or_default();
            let length = rest.len().min(CHUNK);
            state[..length].copy_from_slice(&rest[..length]);
            self.chunks[number].push(state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_new_chunks_are_allowed_and_mixtures_are_not() {
        let mut history = History::default();
        history.write(&[1; 8192], 0);
        history.synced();
        history.write(&[2; 8192], 0);
        history.allows(&[[1; 4096], [2; 4096]].concat()).unwrap();
        history.allows(&[2; 8192]).unwrap();
        assert!(history.allows(&[[1; 2048], [2; 2048], [2; 2048], [2; 2048]].concat()).is_err());
        assert!(history.allows(&[1; 4096]).is_err(), "it was never as short as this since");
        history.synced();
        assert!(history.allows(&[1; 8192]).is_err(), "the old is gone");
    }
}
