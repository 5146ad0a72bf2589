//! Reading a request's body within bounds of size and time.

use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;

use crate::bounded::budget::Claim;
use crate::bounded::buffer::Buffer;
use crate::otlp::answer::{Reason, Refusal};

/// Room that is made for a body whose length is not known.
pub(super) const UNKNOWN: usize = 8 << 10;

/// A client that is still sending a refused body is listened to for so many bytes: one that is cut
/// off while it sends sees a broken connection instead of its answer, and tries again. 64 MiB is
/// what OTLP 1.11 lets a client send at most.
const LINGER_BYTES: usize = 64 << 20;

/// Reads a whole body into one buffer of its own, so that a queued request holds its own size and no
/// slice of a connection's read buffer. `claim` is what was claimed for the body in advance; more is
/// claimed before it is held. `check` sees all that has come after every frame; it refuses, or says
/// how many bytes it expects in all, as far as that is known.
///
/// # Errors
/// What `check` refuses; [`Reason::MemoryLimit`]; [`Reason::Timeout`]; [`Reason::Malformed`] if the
/// body breaks off.
pub(super) async fn gather<B>(
    body: &mut B,
    timeout: Duration,
    claim: Claim,
    mut check: impl FnMut(&[u8]) -> Result<Option<usize>, Refusal>,
) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes, Error: std::fmt::Display> + Unpin,
{
    let read = async {
        let mut gathered = Buffer::new(claim);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                let come = gathered.bytes().len();
                Refusal::new(Reason::Malformed, format!("the body broke off after {come} bytes: {error}"))
            })?;
            // The other kind of frame is trailers, which say nothing in OTLP.
            let Ok(data) = frame.into_data() else { continue };
            if gathered.bytes().is_empty() {
                match check(&data)? {
                    Some(expected) => gathered.room_for(expected.max(data.len()), true)?,
                    None => gathered.room_for(UNKNOWN.max(data.len()), true)?,
                }
            }
            gathered.extend(&data)?;
            if let Some(expected) = check(gathered.bytes())? {
                gathered.room_for(expected, true)?;
            }
        }
        Ok(gathered.freeze()?)
    };
    if timeout.is_zero() {
        return read.await;
    }
    tokio::time::timeout(timeout, read).await.unwrap_or_else(|_| {
        Err(Refusal::new(Reason::Timeout, format!("the body did not come within {timeout:?} (read_timeout)")))
    })
}

/// Reads and forgets what is left of a refused body. The answer is on its way meanwhile; the
/// listener's header timeout bounds a client that neither finishes nor goes.
pub(super) async fn linger<B>(mut body: B, timeout: Duration)
where
    B: Body<Data = Bytes> + Unpin,
{
    let drain = async {
        let mut left = LINGER_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                return;
            }
        }
    };
    // Whether it came to its end or not, the connection is done with.
    drop(tokio::time::timeout(timeout, drain).await);
}
