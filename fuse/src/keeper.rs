//! What happens by itself: bytes do not stay in memory for long, and files that are left alone are settled and closed.

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use waxseal_container::{ContainerError, Editor, flush_together, settle_together};

use crate::attributes::Below;
use crate::backing;
use crate::filesystem::Filesystem;
use crate::open_file::{Content, OpenFile};
use crate::report::shown;

/// How often it is looked whether something is to be done.
const ROUND: Duration = Duration::from_millis(500);

/// How long bytes stay in memory. With the rounds this stays below the two seconds that are promised.
const FLUSH_AFTER: Duration = Duration::from_secs(1);

/// How long a file that programs have open is left alone before it is settled.
const SETTLE_AFTER: Duration = Duration::from_secs(2);

/// How often it is tried to write what is left when the mount ends.
const LAST_TRIES: usize = 3;

/// Files that are settled together: they are locked while they wait for the disk.
const MAX_TOGETHER: usize = 256;

/// The thread that does it.
#[derive(Debug)]
pub(crate) struct Keeper {
    thread: JoinHandle<()>,
    stopped: Arc<(Mutex<bool>, Condvar)>,
}

impl Keeper {
    /// Begins.
    ///
    /// # Errors
    /// The system has no more threads.
    pub(crate) fn start(filesystem: Arc<Filesystem>) -> io::Result<Self> {
        let stopped = Arc::new((Mutex::new(false), Condvar::new()));
        let told = Arc::clone(&stopped);
        let keep = move || {
            let (stopped, changed) = &*told;
            let mut now = stopped.lock().unwrap_or_else(PoisonError::into_inner);
            while !*now {
                now = changed.wait_timeout(now, ROUND).unwrap_or_else(PoisonError::into_inner).0;
                // A panic here must not end what keeps files from being lost.
                if catch_unwind(AssertUnwindSafe(|| filesystem.tidy())).is_err() {
                    filesystem
                        .reporter
                        .error("a fault of the program while files were flushed; it will be tried again");
                }
            }
        };
        Ok(Self { thread: std::thread::Builder::new().name("keeper".into()).spawn(keep)?, stopped })
    }

    /// Ends, after what is being done.
    pub(crate) fn stop(self) {
        *self.stopped.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stopped.1.notify_all();
        self.thread.join().ok();
    }
}

/// What is done to several files with the same barriers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Flush,
    Settle,
}

impl Filesystem {
    /// Flushes what has been in memory for long, settles what has been left alone, and closes what nobody uses.
    pub(crate) fn tidy(&self) {
        self.expire_keys();
        let now = Instant::now();
        let (mut to_flush, mut to_settle) = (Vec::new(), Vec::new());
        for (node, file, has_handles) in self.open.all() {
            let idle = now.saturating_duration_since(file.used());
            if file.is_unlinked() && !has_handles {
                drop(file);
                self.close_if_done(node);
            } else if !file.is_unlinked()
                && file.is_finished() != Some(true)
                && (idle >= SETTLE_AFTER || (!has_handles && idle >= ROUND))
            {
                to_settle.push((node, file));
            } else if file.unflushed_since().is_some_and(|since| now.saturating_duration_since(since) >= FLUSH_AFTER) {
                to_flush.push((node, file));
            } else if !has_handles {
                drop(file);
                self.close_if_done(node);
            }
        }
        self.together(to_flush, Act::Flush);
        self.together(to_settle, Act::Settle);
    }

    /// Settles everything that programs have closed, now, if more than so many files are open: each has a descriptor.
    pub(crate) fn settle_closed(&self, limit: usize) {
        let _alone = self.settling.lock().unwrap_or_else(PoisonError::into_inner);
        if self.open.len() <= limit {
            // Whoever was waited for has done it.
            return;
        }
        let closed = self.open.all().into_iter().filter(|(_, _, has_handles)| !has_handles);
        self.together_alone(closed.map(|(node, file, _)| (node, file)).collect(), Act::Settle);
    }

    /// Leaves everything on the disk and settled, and tells the log what could not be written.
    ///
    /// # Errors
    /// The first that occurred; all files have been tried. What was lost before, and nobody told, is an error too.
    pub(crate) fn finish(&self) -> io::Result<()> {
        let unfinished = || {
            let open = self.open.all().into_iter().map(|(node, file, _)| (node, file));
            open.filter(|(_, file)| !file.is_unlinked() && !file.is_finished_at_last()).collect::<Vec<_>>()
        };
        for _ in 0..LAST_TRIES {
            let files = unfinished();
            if files.is_empty() {
                break;
            }
            self.together(files, Act::Settle);
        }
        let mut result = Ok(());
        for (_, file) in unfinished() {
            let error = file.take_error().err().unwrap_or(Errno::IO);
            let name = shown(&file.name());
            self.reporter.error(&format!("{name}: what was written last is not on the disk: {error}"));
            result = result.and(Err(error));
        }
        for (node, file, _) in self.open.all() {
            drop(file);
            self.close_if_done(node);
        }
        let has_lost = self.unflushed.has_lost() || self.open.all().iter().any(|(_, file, _)| file.has_lost());
        result.and(if has_lost { Err(Errno::IO) } else { Ok(()) }).map_err(io::Error::from)
    }

    fn together(&self, files: Vec<(u64, Arc<OpenFile>)>, act: Act) {
        let _alone = self.settling.lock().unwrap_or_else(PoisonError::into_inner);
        self.together_alone(files, act);
    }

    /// The caller holds `settling`: two threads that each lock many files would wait for each other.
    fn together_alone(&self, mut files: Vec<(u64, Arc<OpenFile>)>, act: Act) {
        let device = |below: Below| below.identity.device;
        let here = backing::status(self.root()).ok().map(device);
        while !files.is_empty() {
            let rest = files.split_off(files.len().min(MAX_TOGETHER));
            // What lies on another file system is not waited for together with the rest.
            let is_here = |file: &OpenFile| here.is_some() && backing::status(file.file()).ok().map(device) == here;
            let (together, alone): (Vec<_>, Vec<_>) = files.iter().cloned().partition(|(_, file)| is_here(file));
            self.batch(&together, act);
            alone.chunks(1).for_each(|file| self.batch(file, act));
            drop((together, alone));
            for (node, file) in files {
                drop(file);
                self.close_if_done(node);
            }
            files = rest;
        }
    }

    fn batch(&self, files: &[(u64, Arc<OpenFile>)], act: Act) {
        let mut held: Vec<_> = files.iter().map(|(_, file)| (file, file.write())).collect();
        let (mut owners, mut editors): (Vec<_>, Vec<&mut Editor<Arc<File>>>) = (Vec::new(), Vec::new());
        for (file, content) in &mut held {
            if let Content::Exclusive(editor) = &mut **content {
                owners.push((*file, file.at_stake()));
                editors.push(editor);
            }
        }
        let results = self.act(&mut editors, act);
        for (((file, at_stake), editor), result) in owners.into_iter().zip(&editors).zip(results) {
            file.note_unseen(editor);
            file.restore(&at_stake);
            if let Err(error) = result {
                let errno = file.told(&error);
                file.keep_error(errno);
            }
        }
    }

    fn act(&self, editors: &mut [&mut Editor<Arc<File>>], act: Act) -> Vec<Result<(), ContainerError>> {
        if let [editor] = editors {
            // The barrier of one file leaves the rest of the file system alone.
            return vec![if act == Act::Flush { editor.flush() } else { editor.settle() }];
        }
        let mut barrier = || rustix::fs::syncfs(self.root()).map_err(io::Error::from);
        if act == Act::Flush { flush_together(editors, &mut barrier) } else { settle_together(editors, &mut barrier) }
    }
}
