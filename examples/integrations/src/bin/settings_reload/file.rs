//! A watched file in a temporary directory.

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs, io, process};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

/// A watched file. Dropping it removes the file and its directory.
#[derive(Debug)]
pub(crate) struct WatchedFile {
    directory: PathBuf,
    edits: UnboundedReceiver<()>,
    _watcher: RecommendedWatcher,
}

impl WatchedFile {
    pub(crate) fn create(text: &str) -> Result<Self, Box<dyn Error>> {
        let directory = env::temp_dir().join(format!("breakerbox-settings-{}", process::id()));
        fs::create_dir_all(&directory)?;
        let (sender, edits) = unbounded_channel();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<_>| {
            let event: notify::Event = match event {
                Ok(event) => event,
                Err(_) => return,
            };
            // Reading the file also causes an event, but is no edit.
            if !event.kind.is_access() {
                let _ = sender.send(());
            }
        })?;
        let file = Self {
            directory: directory.clone(),
            edits,
            _watcher: {
                // Watch the directory, because editors replace the file.
                watcher.watch(&directory, RecursiveMode::NonRecursive)?;
                watcher
            },
        };
        file.write(text)?;
        Ok(file)
    }

    fn path(&self) -> PathBuf {
        self.directory.join("breakers.toml")
    }

    pub(crate) fn read(&self) -> io::Result<String> {
        fs::read_to_string(self.path())
    }

    /// Writes a new file and renames it, so that readers never see a partial file.
    pub(crate) fn write(&self, text: &str) -> io::Result<()> {
        let draft = self.directory.join("breakers.toml.new");
        fs::write(&draft, text)?;
        fs::rename(draft, self.path())
    }

    /// Waits for the next edit, and returns the text of the file.
    pub(crate) async fn edited(&mut self) -> Result<String, Box<dyn Error>> {
        let edit = timeout(Duration::from_secs(10), self.edits.recv()).await?;
        edit.ok_or("the watcher has ended")?;
        Ok(self.read()?)
    }
}

impl Drop for WatchedFile {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}
