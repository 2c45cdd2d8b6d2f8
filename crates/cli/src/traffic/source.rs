//! [`Source`]: a file that is read several times.

use crate::progress;
use crate::table::escaped;
use flate2::bufread::MultiGzDecoder;
use indicatif::ProgressBar;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// A file that is read several times. What cannot be, such as standard input and pipes, is copied to a
/// temporary file first.
#[derive(Debug)]
pub(crate) struct Source {
    /// The name of the file, for people.
    pub(crate) name: String,
    path: Option<PathBuf>,
    /// The copy.
    spool: Option<File>,
    /// The number of bytes at the beginning. A log that grows is read up to there, in each pass.
    pub(crate) length: u64,
}

/// The first bytes of files that cannot be read as they are, and what to do.
const UNREADABLE: [(&[u8], &str); 6] = [
    (
        b"\x28\xb5\x2f\xfd",
        "compressed with zstd: pass it through `zstd -dc`",
    ),
    (b"\xfd7zXZ", "compressed with xz: pass it through `xz -dc`"),
    (b"BZh", "compressed with bzip2: pass it through `bzip2 -dc`"),
    (b"PK\x03\x04", "a zip archive: extract the files in it"),
    (
        b"\xff\xfe",
        "UTF-16: pass it through `iconv -f UTF-16 -t UTF-8`",
    ),
    (
        b"\xfe\xff",
        "UTF-16: pass it through `iconv -f UTF-16 -t UTF-8`",
    ),
];

impl Source {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let named = |error: io::Error| {
            io::Error::new(
                error.kind(),
                format!("{}: {error}", escaped(&path.to_string_lossy())),
            )
        };
        if path == Path::new("-") {
            return Self::spool("standard input".to_owned(), io::stdin().lock());
        }
        let name = escaped(&path.to_string_lossy());
        let file = File::open(path).map_err(named)?;
        let metadata = file.metadata().map_err(named)?;
        if metadata.is_dir() {
            return Err(named(io::Error::other("a directory; name the files in it")));
        }
        if !metadata.is_file() {
            return Self::spool(name, file);
        }
        Ok(Self {
            name,
            path: Some(path.to_owned()),
            spool: None,
            length: metadata.len(),
        })
    }

    fn spool(name: String, mut input: impl Read) -> io::Result<Self> {
        let _ = writeln!(
            io::stderr(),
            "breakerbox: {name} is copied to a temporary file, because the traffic is read twice"
        );
        let mut file = tempfile::tempfile()?;
        let bar = progress::bytes("copying", None);
        let length = io::copy(&mut bar.wrap_read(&mut input), &mut file)?;
        bar.finish_and_clear();
        Ok(Self {
            name,
            path: None,
            spool: Some(file),
            length,
        })
    }

    /// Opens the bytes that the file had at the beginning.
    pub(crate) fn read(&self, bar: &ProgressBar) -> io::Result<impl Read + Send + use<>> {
        let file = match (&self.path, &self.spool) {
            (Some(path), _) => File::open(path)?,
            (None, Some(spool)) => {
                // The handles share their position. Passes do not overlap.
                let mut file = spool.try_clone()?;
                file.rewind()?;
                file
            }
            (None, None) => return Err(io::Error::other("no file")),
        };
        Ok(bar.wrap_read(file.take(self.length)))
    }

    /// Returns the first line that is not blank, or its beginning.
    pub(crate) fn first_line(&self) -> io::Result<String> {
        const MOST: u64 = 64 * 1024;
        let mut input = BufReader::new(self.read(&ProgressBar::hidden())?);
        let start = input.fill_buf()?;
        if let Some((_, advice)) = UNREADABLE
            .iter()
            .find(|(magic, _)| start.starts_with(magic))
        {
            return Err(io::Error::other(*advice));
        }
        let is_gzip = start.starts_with(b"\x1f\x8b");
        let mut input: Box<dyn BufRead> = if is_gzip {
            Box::new(BufReader::new(MultiGzDecoder::new(input).take(MOST)))
        } else {
            Box::new(input.take(MOST))
        };
        loop {
            let mut line = Vec::new();
            if input.read_until(b'\n', &mut line)? == 0 {
                return Ok(String::new());
            }
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_start_matches('\u{feff}').trim();
            if !text.is_empty() {
                return Ok(text.to_owned());
            }
        }
    }
}
