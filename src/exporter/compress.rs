//! Compression of an outgoing request, once however many attempts it takes.

use std::io::{self, Write};

use bytes::Bytes;

use super::settings::Compression;

/// Bodies larger than this are compressed on a thread of their own: 64 KiB take gzip 1 about 0.2 ms,
/// which is as long as the reactor should be held.
const OFF_THE_REACTOR: usize = 64 * 1024;

/// Level 1 of both: higher levels cost up to six times the time for a third less size.
const LEVEL: u8 = 1;

/// A request as it goes out.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// The body, compressed or not.
    pub(crate) body: Bytes,
    /// How it is compressed.
    pub(crate) compression: Compression,
}

impl Compression {
    /// As in `content-encoding` and `grpc-encoding`; `None` if there is nothing to say.
    pub(crate) fn token(self) -> Option<&'static str> {
        match self {
            Compression::None => None,
            Compression::Gzip => Some("gzip"),
            Compression::Zstd => Some("zstd"),
        }
    }
}

/// Compresses a request. One that cannot be compressed goes out as it is.
pub(crate) async fn compress(body: Bytes, compression: Compression) -> Message {
    let compressed = match compression {
        Compression::None => None,
        _ if body.len() <= OFF_THE_REACTOR => compress_now(&body, compression).ok(),
        _ => {
            let body = body.clone();
            let work = tokio::task::spawn_blocking(move || compress_now(&body, compression));
            work.await.ok().and_then(Result::ok)
        }
    };
    match compressed {
        Some(body) => Message { body, compression },
        None => Message { body, compression: Compression::None },
    }
}

fn compress_now(body: &[u8], compression: Compression) -> io::Result<Bytes> {
    match compression {
        Compression::None => Ok(Bytes::copy_from_slice(body)),
        Compression::Gzip => {
            let out = Vec::with_capacity(body.len() / 3);
            let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::new(LEVEL.into()));
            encoder.write_all(body)?;
            let mut out = encoder.finish()?;
            // It may be sent again and again for minutes.
            out.shrink_to_fit();
            Ok(Bytes::from(out))
        }
        Compression::Zstd => zstd::bulk::compress(body, LEVEL.into()).map(Bytes::from),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[tokio::test]
    async fn small_and_large_bodies_come_back_whole() {
        for length in [0, 10, OFF_THE_REACTOR, 3 * OFF_THE_REACTOR] {
            let body = Bytes::from((0..length).map(|i| (i / 7) as u8).collect::<Vec<_>>());
            let gzip = compress(body.clone(), Compression::Gzip).await;
            let mut back = Vec::new();
            let mut decoder = flate2::read::GzDecoder::new(&gzip.body[..]).take(1 << 20);
            #[allow(clippy::disallowed_methods, reason = "limited the line above")]
            decoder.read_to_end(&mut back).unwrap();
            assert_eq!((back, gzip.compression), (body.to_vec(), Compression::Gzip));
            let zstd = compress(body.clone(), Compression::Zstd).await;
            assert_eq!(zstd::bulk::decompress(&zstd.body, 1 << 20).unwrap(), body);
            let none = compress(body.clone(), Compression::None).await;
            assert_eq!((none.body, none.compression), (body, Compression::None));
        }
    }
}
