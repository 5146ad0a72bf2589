//! The frame of a unary gRPC call, against tonic's reading of it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use dragoman::otlp::answer::Reason;
use dragoman::otlp::grpc_frame::{expect, message};
use http_body::{Body, Frame};
use tonic::codec::{CompressionEncoding, Streaming};

use super::raw::Raw;

/// The body of a call as it comes from a connection, piece by piece: what tonic takes for the one
/// message of a call is that, everything else is refused.
pub(crate) fn read_on_both_ways(pieces: &[&[u8]], limit: usize, compression: Option<CompressionEncoding>) {
    let mut come = Vec::new();
    let mut refused = None;
    for piece in pieces {
        come.extend_from_slice(piece);
        match expect(&come, limit) {
            Ok(None) => assert!(come.len() < 5, "{} bytes say how long the message is", come.len()),
            Ok(Some(whole)) => assert!(whole >= come.len() && whole <= limit + 5, "{whole} bytes are expected"),
            Err(refusal) => {
                refused = Some(refusal);
                break;
            }
        }
    }
    let ours = refused.map_or_else(|| message(Bytes::from(come.clone())), Err);
    match (ours, tonics(pieces, limit, compression)) {
        (Ok((false, ours)), Tonic::Message(theirs)) => assert_eq!(ours, theirs),
        // What is in it is decompression's business.
        (Ok((true, ours)), theirs) => {
            assert_eq!(&ours[..], &come[5..]);
            assert!(compression.is_some() || theirs == Tonic::Refused, "{theirs:?}");
        }
        (Err(refusal), Tonic::TooLarge) => assert_eq!(refusal.reason, Reason::TooLarge),
        // tonic does not miss the message that a second prefix announces, if nothing of it has come.
        (Err(refusal), Tonic::Message(theirs)) => {
            assert_eq!(refusal.reason, Reason::Malformed, "{refusal}");
            assert_eq!(pieces.concat().len(), 5 + theirs.len() + 5, "{theirs:?}");
        }
        // Both are true of it; tonic looks at the flag first.
        (Err(refusal), Tonic::Refused) if refusal.reason == Reason::TooLarge => {
            assert!(come[0] == 1 && compression.is_none(), "{refusal}");
        }
        (Err(refusal), Tonic::Nothing | Tonic::Several | Tonic::Refused) => {
            assert_eq!(refusal.reason, Reason::Malformed, "{refusal}");
        }
        (ours, theirs) => panic!("{ours:?} instead of {theirs:?}"),
    }
}

#[derive(Debug, PartialEq)]
enum Tonic {
    Message(Bytes),
    Nothing,
    /// More follows the first message, whatever it is.
    Several,
    TooLarge,
    Refused,
}

fn tonics(pieces: &[&[u8]], limit: usize, compression: Option<CompressionEncoding>) -> Tonic {
    let pieces = pieces.iter().map(|piece| Bytes::copy_from_slice(piece)).collect();
    let mut stream = Streaming::new_request(Raw, Pieces(pieces), compression, Some(limit));
    let mut next = || now(stream.message());
    match next() {
        Ok(None) => Tonic::Nothing,
        Ok(Some(message)) => match next() {
            Ok(None) => Tonic::Message(message),
            _ => Tonic::Several,
        },
        Err(status) if status.code() == tonic::Code::OutOfRange => Tonic::TooLarge,
        Err(_) => Tonic::Refused,
    }
}

/// A future that has nothing to wait for.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing is awaited"),
    }
}

struct Pieces(VecDeque<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}
