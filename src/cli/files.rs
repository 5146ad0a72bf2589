//! The files of a configuration while the program runs: what they hold, and when that changed.
//!
//! They are looked at again and again, through whatever symlinks lead to them, rather than watched by
//! the kernel: a ConfigMap is replaced by turning a symlink of a folder above, which a watch on the file
//! never sees, and network file systems tell nothing at all.

use std::time::Duration;

use tokio::time::sleep;

use crate::config::Source;

/// Between two looks. A change is taken when two looks in a row saw the same.
const INTERVAL: Duration = Duration::from_secs(2);
/// The same after a signal, where somebody waits for it.
const SHORT_INTERVAL: Duration = Duration::from_millis(50);
/// Looks after a signal. A file that never stays the same is taken as it is then.
const MOST_LOOKS: usize = 40;

/// The sources of `--config`.
#[derive(Debug)]
pub(super) struct Files {
    sources: Vec<Source>,
    /// What was taken last, whether it was a valid configuration or not.
    taken: Vec<Source>,
    /// What the last look saw.
    last: Vec<Source>,
    are_watched: bool,
}

impl Files {
    /// The sources as they are now; `are_watched` if [`Files::changed`] is to look at them.
    pub(super) fn new(sources: Vec<Source>, are_watched: bool) -> Files {
        let taken = look(&sources);
        let are_watched = are_watched && sources.iter().any(Source::is_file);
        Files { sources, last: taken.clone(), taken, are_watched }
    }

    /// What was taken last.
    pub(super) fn taken(&self) -> &[Source] {
        &self.taken
    }

    /// Waits until a file holds something else than what was taken, and has stayed so for two looks: one
    /// that is being written is not taken by half. What it holds is taken then. Nothing is lost if the
    /// future is dropped.
    pub(super) async fn changed(&mut self) {
        if !self.are_watched {
            return std::future::pending().await;
        }
        loop {
            sleep(INTERVAL).await;
            if self.look_again().await && self.last != self.taken {
                self.taken.clone_from(&self.last);
                return;
            }
        }
    }

    /// Takes what the files hold now, as soon as they have stayed the same for two looks.
    pub(super) async fn take(&mut self) {
        self.look_again().await;
        for _ in 1..MOST_LOOKS {
            sleep(SHORT_INTERVAL).await;
            if self.look_again().await {
                break;
            }
        }
        self.taken.clone_from(&self.last);
    }

    /// Whether another look saw the same as the one before it.
    async fn look_again(&mut self) -> bool {
        let sources = self.sources.clone();
        // A file system that hangs must not hold up telemetry.
        let Ok(now) = tokio::task::spawn_blocking(move || look(&sources)).await else { return false };
        let is_same = now == self.last;
        self.last = now;
        is_same
    }
}

fn look(sources: &[Source]) -> Vec<Source> {
    sources.iter().map(Source::seen).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use tokio::time::timeout;

    use super::*;

    fn files(path: &Path) -> Files {
        Files::new(vec![Source::Env("UNSET".into()), Source::File(path.into())], true)
    }

    fn text(files: &Files) -> &str {
        match files.taken() {
            [Source::Env(_), Source::Seen { text: Ok(text), .. }] => text,
            other => panic!("{other:?}"),
        }
    }

    async fn is_changed(files: &mut Files) -> bool {
        timeout(INTERVAL * 4, files.changed()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_seen_once_and_the_same_content_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        fs::write(&path, "a").unwrap();
        let mut files = files(&path);
        assert_eq!(text(&files), "a");
        assert!(!is_changed(&mut files).await);
        fs::write(&path, "b").unwrap();
        assert!(is_changed(&mut files).await);
        assert_eq!(text(&files), "b");
        assert!(!is_changed(&mut files).await, "once");
        fs::write(&path, "b").unwrap();
        assert!(!is_changed(&mut files).await, "it was written, and holds the same");
        fs::remove_file(&path).unwrap();
        assert!(is_changed(&mut files).await, "that it is gone is news, too");
        let mut unwatched = Files::new(vec![Source::File(path.clone())], false);
        fs::write(&path, "c").unwrap();
        assert!(!is_changed(&mut unwatched).await);
    }

    /// As the kubelet does: `a.yaml` leads to `..data/a.yaml`, and `..data` is turned to another folder.
    #[tokio::test(start_paused = true)]
    async fn a_config_map_is_turned() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (version, content) in [("..1", "old"), ("..2", "new")] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("a.yaml"), content).unwrap();
        }
        symlink("..1", at("..data")).unwrap();
        symlink("..data/a.yaml", at("a.yaml")).unwrap();
        let mut files = files(&at("a.yaml"));
        assert_eq!(text(&files), "old");
        symlink("..2", at("..data_tmp")).unwrap();
        fs::rename(at("..data_tmp"), at("..data")).unwrap();
        fs::remove_dir_all(at("..1")).unwrap();
        assert!(is_changed(&mut files).await);
        assert_eq!(text(&files), "new");
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_is_being_written_is_not_taken_before_it_rests() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        fs::write(&path, "0").unwrap();
        let mut files = files(&path);
        let writing = async {
            for part in 1..20 {
                fs::write(&path, part.to_string()).unwrap();
                sleep(INTERVAL - Duration::from_millis(1)).await;
            }
        };
        let (_, ()) = tokio::join!(timeout(INTERVAL * 30, files.changed()), writing);
        assert_eq!(text(&files), "19");
        fs::write(&path, "20").unwrap();
        files.take().await;
        assert_eq!(text(&files), "20");
    }
}
