//! Decompression of sources that are gzip, which their first bytes tell.

use flate2::bufread::MultiGzDecoder;
use std::io::{self, BufRead, BufReader, Cursor, Read};

const MAGIC: [u8; 2] = [0x1F, 0x8B];
const BUFFER: usize = 1 << 16;

/// Opens `source`, and decompresses it if it is gzip, with any number of members.
pub(super) fn open(mut source: impl Read + Send + 'static) -> io::Result<Box<dyn BufRead + Send>> {
    let mut start = Vec::with_capacity(MAGIC.len());
    // Several reads, because a pipe may return a single byte.
    source
        .by_ref()
        .take(MAGIC.len() as u64)
        .read_to_end(&mut start)?;
    let compressed = start == MAGIC;
    let source = Cursor::new(start).chain(source);
    let source = BufReader::with_capacity(BUFFER, source);
    Ok(if compressed {
        Box::new(BufReader::with_capacity(
            BUFFER,
            MultiGzDecoder::new(source),
        ))
    } else {
        Box::new(source)
    })
}
