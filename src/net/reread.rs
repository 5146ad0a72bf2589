//! Values that are made of files and made again when the files change: certificates, tokens, users.
//!
//! Files are looked at, not waited for: what an orchestrator swaps is a symbolic link two folders
//! above the file, which a watch on the file never sees. Content decides, so that a file that was
//! touched or put there again unchanged changes nothing.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ring::digest::{Context, SHA256};
use tokio::task::AbortHandle;
use tokio::time::{Instant, MissedTickBehavior};

/// How often files are looked at where no setting says it.
pub const LOOK_EVERY: Duration = Duration::from_secs(10);

/// The longest file: a bundle of all public authorities has a quarter of this.
const LONGEST: u64 = 1 << 20;

/// The content of a file.
///
/// # Errors
/// The system's; what is no regular file (a FIFO would keep us waiting); more than a MiB.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut content = Vec::new();
    #[allow(clippy::disallowed_methods, reason = "limited")]
    File::open(path)?.take(LONGEST + 1).read_to_end(&mut content)?;
    match content.len() as u64 {
        0..=LONGEST => Ok(content),
        _ => Err(io::Error::other(format!("it has more than {LONGEST} bytes"))),
    }
}

/// A value that follows the files it is made of.
#[derive(Debug)]
pub struct Live<T> {
    current: Arc<RwLock<Arc<T>>>,
    /// Ends with this value.
    follower: Option<AbortHandle>,
}

impl<T: Send + Sync + 'static> Live<T> {
    /// Makes the value with `load`, and again whenever the content of one of `files` changed, which is
    /// looked at `every` so often; never if that is zero. `what` is for the log. Where `load` fails later,
    /// the value stays as it is, and the log says so once for each new content. Must be called inside
    /// of a tokio runtime if there are files.
    ///
    /// # Errors
    /// What `load` says the first time.
    pub fn start<E: Display>(
        what: String,
        files: Vec<PathBuf>,
        every: Duration,
        load: impl Fn() -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Live<T>, E> {
        // Before the first load: a change in between is seen at the first look.
        let seen = fingerprint(&files);
        let current = Arc::new(RwLock::new(Arc::new(load()?)));
        let follower = (!files.is_empty() && !every.is_zero()).then(|| {
            let load = move || load().map_err(|error| error.to_string());
            let follower = Follower { what, files, every, seen, load, current: Arc::clone(&current) };
            tokio::spawn(follower.run()).abort_handle()
        });
        Ok(Live { current, follower })
    }

    /// The value as the files were when they were last found good.
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T> Drop for Live<T> {
    fn drop(&mut self) {
        if let Some(follower) = &self.follower {
            follower.abort();
        }
    }
}

struct Follower<T, F> {
    what: String,
    files: Vec<PathBuf>,
    every: Duration,
    seen: Fingerprint,
    load: F,
    current: Arc<RwLock<Arc<T>>>,
}

impl<T, F> Follower<T, F>
where
    T: Send + Sync + 'static,
    F: Fn() -> Result<T, String> + Send + Sync + 'static,
{
    async fn run(self) {
        let Follower { what, files, every, mut seen, load, current } = self;
        let (files, load) = (Arc::new(files), Arc::new(load));
        let mut looks = tokio::time::interval_at(Instant::now() + every, every);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let (files, load) = (Arc::clone(&files), Arc::clone(&load));
            let look = move || {
                let found = fingerprint(&files);
                (found != seen).then(|| (found, load()))
            };
            match tokio::task::spawn_blocking(look).await {
                Ok(None) => {}
                Ok(Some((found, Ok(value)))) => {
                    seen = found;
                    *current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
                    tracing::info!("{what}: its files changed and were read again");
                }
                Ok(Some((found, Err(error)))) => {
                    seen = found;
                    tracing::warn!("{what}: its files changed and cannot be used, what was read before stays: {error}");
                }
                Err(_) => tracing::error!("{what}: its files could not be looked at; this is a defect"),
            }
        }
    }
}

type Fingerprint = [u8; 32];

/// Equal for equal contents. A file that cannot be read counts with the kind of its error.
fn fingerprint(files: &[PathBuf]) -> Fingerprint {
    let mut context = Context::new(&SHA256);
    for file in files {
        match read(file) {
            Ok(content) => {
                context.update(&[1]);
                context.update(&(content.len() as u64).to_be_bytes());
                context.update(&content);
            }
            Err(error) => {
                context.update(&[0]);
                context.update(error.kind().to_string().as_bytes());
            }
        }
    }
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(context.finish().as_ref());
    fingerprint
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::sync::Mutex;

    use super::*;

    const EVERY: Duration = Duration::from_secs(10);

    /// A value that is the file's text; `bad` is none. What was loaded, in order.
    fn follow(path: &Path, every: Duration) -> (Live<String>, Arc<Mutex<Vec<String>>>) {
        let loads = Arc::<Mutex<Vec<String>>>::default();
        let (seen, file) = (Arc::clone(&loads), path.to_owned());
        let live = Live::start("test".into(), vec![path.to_owned()], every, move || {
            let text = read(&file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            let text = text.map_err(|error| error.to_string())?;
            seen.lock().unwrap().push(text.clone());
            if text == "bad" { Err("it is bad".to_owned()) } else { Ok(text) }
        });
        (live.unwrap(), loads)
    }

    /// Writes it beside the file first: whoever looks meanwhile sees what was there before, and no half of it.
    fn put(file: &Path, content: &str) {
        let beside = file.with_extension("new");
        fs::write(&beside, content).unwrap();
        fs::rename(beside, file).unwrap();
    }

    /// Waits on the real clock of the thread that reads, on tokio's for the looks.
    async fn until(mut reached: impl FnMut() -> bool) {
        for _ in 0..10_000 {
            if reached() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("never");
    }

    #[tokio::test]
    async fn new_content_is_taken_bad_content_is_not_and_both_are_loaded_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        fs::write(&file, "one").unwrap();
        let (live, loads) = follow(&file, Duration::from_millis(5));
        assert_eq!(*live.get(), "one");
        put(&file, "two");
        until(|| *live.get() == "two").await;
        put(&file, "bad");
        until(|| loads.lock().unwrap().last().unwrap() == "bad").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(*live.get(), "two", "what was good stays");
        assert_eq!(loads.lock().unwrap().iter().filter(|load| *load == "bad").count(), 1, "and is said once");
        fs::remove_file(&file).unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        put(&file, "three");
        until(|| *live.get() == "three").await;
    }

    /// As the kubelet does it: `f` → `..data/f`, `..data` → a folder, and only `..data` is swapped.
    #[tokio::test]
    async fn a_swapped_folder_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (version, content) in [("v1", "one"), ("v2", "two")] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("f"), content).unwrap();
        }
        symlink("v1", at("..data")).unwrap();
        symlink("..data/f", at("f")).unwrap();
        let (live, _) = follow(&at("f"), Duration::from_millis(5));
        assert_eq!(*live.get(), "one");
        symlink("v2", at("..tmp")).unwrap();
        fs::rename(at("..tmp"), at("..data")).unwrap();
        until(|| *live.get() == "two").await;
    }

    #[tokio::test(start_paused = true)]
    async fn zero_is_never_and_the_end_of_the_value_is_the_end_of_looking() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        fs::write(&file, "one").unwrap();
        let (never, _) = follow(&file, Duration::ZERO);
        let (live, loads) = follow(&file, EVERY);
        drop(live);
        fs::write(&file, "two").unwrap();
        tokio::time::sleep(EVERY * 3).await;
        assert_eq!((never.get().as_str(), loads.lock().unwrap().len()), ("one", 1));
    }

    #[test]
    fn what_is_no_file_or_too_long_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).is_err());
        let long = folder.path().join("long");
        fs::write(&long, vec![b'x'; LONGEST as usize + 1]).unwrap();
        assert!(read(&long).unwrap_err().to_string().contains("more than"));
    }
}
