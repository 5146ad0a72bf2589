//! The frame of a gRPC message (a flag, a length of four bytes, the message), and the one message of
//! a unary call. Reading it from a connection within bounds of size and time is the receiver's
//! business, as is what a compressed message decompresses to.

use bytes::Bytes;

use super::answer::{Reason, Refusal};

/// A message's compressed flag and its length.
pub const PREFIX: usize = 5;

/// How long a call's body will be in all, as far as the bytes that have come say it.
///
/// # Errors
/// [`Reason::TooLarge`] if a message of more than `limit` bytes is announced; [`Reason::Malformed`]
/// if the flag is none, or more has come than the one message.
pub fn expect(come: &[u8], limit: usize) -> Result<Option<usize>, Refusal> {
    let Some(Prefix { length, .. }) = Prefix::read(come)? else { return Ok(None) };
    if length > limit {
        let message = format!("a message of {length} bytes is over the limit of {limit} (max_recv_msg_size_mib)");
        return Err(Refusal::new(Reason::TooLarge, message));
    }
    let whole = length.saturating_add(PREFIX);
    if come.len() > whole {
        let more = come.len() - whole;
        let message = format!("{more} bytes follow the message; expected one message in a unary call");
        return Err(Refusal::new(Reason::Malformed, message));
    }
    Ok(Some(whole))
}

/// The message in a frame that has come to its end, and whether it is compressed.
///
/// # Errors
/// [`Reason::Malformed`] if there is no message, or its length is not the announced one.
pub fn message(mut frame: Bytes) -> Result<(bool, Bytes), Refusal> {
    let Some(Prefix { compressed, length }) = Prefix::read(&frame)? else {
        let message = format!("the call holds {} bytes and no message; expected one", frame.len());
        return Err(Refusal::new(Reason::Malformed, message));
    };
    let message = frame.split_off(PREFIX.min(frame.len()));
    if message.len() != length {
        let message = format!("the message ends after {} of {length} bytes", message.len());
        return Err(Refusal::new(Reason::Malformed, message));
    }
    Ok((compressed, message))
}

/// What the first bytes of a frame say.
#[derive(Debug, Clone, Copy)]
struct Prefix {
    compressed: bool,
    length: usize,
}

impl Prefix {
    /// `None`: not all of it has come.
    fn read(frame: &[u8]) -> Result<Option<Prefix>, Refusal> {
        let &[flag, a, b, c, d, ..] = frame else { return Ok(None) };
        let compressed = match flag {
            0 => false,
            1 => true,
            _ => {
                let message = format!("a gRPC message's compressed flag is {flag}; expected 0 or 1");
                return Err(Refusal::new(Reason::Malformed, message));
            }
        };
        // No 32-bit length that does not fit passes a limit.
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        Ok(Some(Prefix { compressed, length }))
    }
}
