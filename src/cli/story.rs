//! `--story`: what the scheduler heard and chose, line by line, in a file.
//!
//! The file is written line by line, so that a session that fails, or is killed, leaves its story up to there.

use partita::{Error, Result};
use std::fs::File;
use std::io::{LineWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// The file, shared by the session, which tells, and the command, which ends it. Cheap to clone.
#[derive(Clone)]
pub struct Story(Arc<(Mutex<Inner>, Condvar)>);

/// How long the end of a story waits for the ends of its queries: whoever asked may have the answer before that is told.
const PATIENCE: Duration = Duration::from_secs(1);

struct Inner {
    path: PathBuf,
    file: LineWriter<File>,
    /// The first write that failed: what comes after it would have a gap before it, and is not written.
    failed: Option<std::io::Error>,
    /// Queries whose end was not told.
    open: usize,
}

impl Story {
    /// A story in the file `path`, which is emptied.
    ///
    /// # Errors
    /// `Io`, where the file cannot be made.
    pub fn create(path: &Path) -> Result<Story> {
        let file = File::create(path).map_err(|e| Error::io(path.display(), e))?;
        let inner = Inner { path: path.into(), file: LineWriter::new(file), failed: None, open: 0 };
        Ok(Story(Arc::new((Mutex::new(inner), Condvar::new()))))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Adds a line.
    pub fn tell(&self, line: &str) {
        let inner = &mut *self.inner();
        if inner.failed.is_none() {
            inner.failed = writeln!(inner.file, "{line}").err();
        }
        if line.starts_with("> submit ") {
            inner.open += 1;
        } else if line.starts_with("< finish ") {
            // The last choice for each query, also for one that failed or was cancelled.
            inner.open = inner.open.saturating_sub(1);
            self.0.1.notify_all();
        }
    }

    /// Waits for the ends of the queries, for a while, and writes what is not written yet.
    ///
    /// # Errors
    /// `Io`, where this or an earlier write failed.
    pub fn end(&self) -> Result<()> {
        let ended = self.0.1.wait_timeout_while(self.inner(), PATIENCE, |inner| inner.open > 0);
        let (mut inner, _) = ended.unwrap_or_else(|e| e.into_inner());
        let failed = inner.failed.take().or_else(|| inner.file.flush().err());
        failed.map_or(Ok(()), |e| Err(Error::io(inner.path.display(), e)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_in_the_file_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("story");
        let story = Story::create(&path).unwrap();
        story.clone().tell("a");
        story.tell("b");
        story.end().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\nb\n");
        assert!(Story::create(dir.path()).is_err());
    }

    #[test]
    fn the_end_waits_for_a_query_that_was_aborted_and_not_finished_yet() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("story");
        let story = Story::create(&path).unwrap();
        for line in ["> submit q0 : -", "> submit q1 : -", "< finish q1", "< abort q0"] {
            story.tell(line);
        }
        let late = story.clone();
        let telling = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            late.tell("< finish q0");
        });
        story.end().unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().ends_with("< abort q0\n< finish q0\n"));
        telling.join().unwrap();
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_write_that_fails_is_told_at_the_end() {
        let story = Story::create(Path::new("/dev/full")).unwrap();
        story.tell("a");
        assert!(story.end().unwrap_err().to_string().contains("/dev/full"));
    }
}
