//! A waiting request as a record of a log: `proto/queue.proto`. Where the record is kept is
//! [`crate::storage`]'s business.

use bytes::Bytes;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

use crate::storage::segments::Payload;

/// The field of the request, which is written last.
const REQUEST: u32 = 15;

/// All of a record but its request.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct Head {
    /// As in a pipeline's id.
    #[prost(string, tag = "1")]
    pub(crate) signal: String,
    /// The pipeline's id.
    #[prost(string, tag = "2")]
    pub(crate) pipeline: String,
    /// The exporter's id.
    #[prost(string, tag = "3")]
    pub(crate) exporter: String,
    /// Items in the request.
    #[prost(uint64, tag = "4")]
    pub(crate) items: u64,
}

/// The request of a record.
#[derive(Clone, PartialEq, Eq, Message)]
struct Body {
    #[prost(bytes = "bytes", tag = "15")]
    request: Bytes,
}

impl Head {
    /// The record of a request.
    pub(crate) fn payload(&self, request: Bytes) -> Payload {
        let mut head = self.encode_to_vec();
        encode_key(REQUEST, WireType::LengthDelimited, &mut head);
        encode_varint(request.len() as u64, &mut head);
        Payload { head, body: request }
    }

    /// What a record is called by.
    pub(crate) fn read(record: &[u8]) -> Option<Head> {
        Head::decode(record).ok()
    }
}

/// A record's request, which is a part of the record's memory.
pub(crate) fn request(record: Bytes) -> Option<Bytes> {
    Body::decode(record).ok().map(|body| body.request)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        Head { signal: "traces".into(), pipeline: "traces/a".into(), exporter: "otlp/b".into(), items: 300 }
    }

    fn bytes(payload: Payload) -> Bytes {
        [payload.head.as_slice(), &payload.body].concat().into()
    }

    #[test]
    fn a_request_comes_back_as_it_was() {
        for length in [0, 1, 200, 70_000] {
            let body = Bytes::from(vec![7; length]);
            let record = bytes(head().payload(body.clone()));
            assert_eq!(Head::read(&record), Some(head()));
            assert_eq!(request(record), Some(body));
        }
        assert_eq!(Head::read(b"\x0a\xff"), None);
    }

    /// A later version may write more.
    #[test]
    fn unknown_fields_are_passed_over() {
        let mut record = b"\x2a\x03new\x30\x05".to_vec();
        record.extend_from_slice(&bytes(head().payload(Bytes::from_static(b"request"))));
        assert_eq!(Head::read(&record), Some(head()));
        assert_eq!(request(record.into()), Some(Bytes::from_static(b"request")));
    }

    /// The fields of the published file are those that are written here, and no others.
    #[test]
    fn the_record_is_that_of_the_proto_file() {
        use prost_types::field_descriptor_proto::{Label, Type};

        let source = include_str!("../../../proto/queue.proto");
        let file = protox_parse::parse("queue.proto", source).unwrap();
        assert_eq!((file.syntax(), file.package()), ("proto3", "dragoman.queue.v1"));
        let [record] = &file.message_type[..] else { panic!("one message") };
        let fields: Vec<_> = record.field.iter().map(|field| (field.name(), field.number(), field.r#type())).collect();
        assert_eq!(
            fields,
            [
                ("signal", 1, Type::String),
                ("pipeline", 2, Type::String),
                ("exporter", 3, Type::String),
                ("items", 4, Type::Uint64),
                ("request", 15, Type::Bytes),
            ]
        );
        assert!(record.field.iter().all(|field| field.label() == Label::Optional));
        // On the wire: each of them where the file has it.
        let bytes = bytes(head().payload(Bytes::from_static(b"r")));
        assert_eq!(&bytes[..], b"\x0a\x06traces\x12\x08traces/a\x1a\x06otlp/b\x20\xac\x02\x7a\x01r");
    }
}
