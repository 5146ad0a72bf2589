//! `google.rpc.Status`: the body of every OTLP/HTTP error and the details of a gRPC one, with
//! `RetryInfo` where the client may come back (OTLP 1.11, "Failures" and "OTLP/HTTP Throttling").

use std::time::Duration;

use prost::Message;
use serde_json::json;

use super::answer::Refusal;

/// The type that an `Any` with a [`RetryInfo`] names.
pub const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Status {
    /// `google.rpc.Code`.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// For the person who reads the client's log.
    #[prost(string, tag = "2")]
    pub message: String,
    /// For the client's code.
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Any {
    /// Names the type of `value`.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// An encoded message.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct RetryInfo {
    /// When to come back.
    #[prost(message, optional, tag = "1")]
    pub retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Delay {
    /// Whole seconds.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Nanoseconds, of the same sign.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

impl Status {
    /// The status that says a refusal.
    pub fn of(refusal: &Refusal) -> Self {
        let retry_info = |after: Duration| {
            let seconds = i64::try_from(after.as_secs()).unwrap_or(i64::MAX);
            // Below 10^9, so it fits.
            let nanos = after.subsec_nanos() as i32;
            let info = RetryInfo { retry_delay: Some(Delay { seconds, nanos }) };
            Any { type_url: RETRY_INFO.into(), value: info.encode_to_vec() }
        };
        Status {
            code: refusal.reason.answer().grpc,
            message: refusal.message.clone(),
            details: refusal.retry_after.map(retry_info).into_iter().collect(),
        }
    }

    /// The delay of the first `RetryInfo`; zero if it has none, `None` if there is no `RetryInfo`.
    pub fn retry_delay(&self) -> Option<Duration> {
        let detail = self.details.iter().find(|detail| detail.type_url == RETRY_INFO)?;
        let info = RetryInfo::decode(detail.value.as_slice()).ok()?;
        let delay = info.retry_delay.unwrap_or_default();
        let seconds = u64::try_from(delay.seconds).unwrap_or(0);
        let nanos = u32::try_from(delay.nanos).unwrap_or(0).min(999_999_999);
        Some(Duration::new(seconds, nanos))
    }

    /// In protobuf's JSON form. Details of a type unknown here are left out: their JSON form needs
    /// their definition.
    pub fn to_json(&self) -> Vec<u8> {
        let mut status = json!({ "code": self.code, "message": self.message });
        if let Some(delay) = self.retry_delay() {
            let delay = match delay.subsec_nanos() {
                0 => format!("{}s", delay.as_secs()),
                nanos => format!("{}.{nanos:09}s", delay.as_secs()),
            };
            status["details"] = json!([{ "@type": RETRY_INFO, "retryDelay": delay }]);
        }
        status.to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::answer::Reason;

    #[test]
    fn a_final_refusal_has_a_code_and_a_message_and_no_details() {
        let status = Status::of(&Refusal::new(Reason::Malformed, "field 1 ends early"));
        assert_eq!(status.to_json(), br#"{"code":3,"message":"field 1 ends early"}"#);
        // code = 3; message of 18 bytes.
        assert_eq!(status.encode_to_vec(), b"\x08\x03\x12\x12field 1 ends early");
        assert_eq!(status.retry_delay(), None);
    }

    #[test]
    fn a_retryable_refusal_says_when() {
        let mut refusal = Refusal::new(Reason::QueueFull, "full");
        refusal.retry_after = Some(Duration::from_millis(2500));
        let status = Status::of(&refusal);
        let read = Status::decode(status.encode_to_vec().as_slice()).unwrap();
        assert_eq!(read.retry_delay(), Some(Duration::from_millis(2500)));
        let json: serde_json::Value = serde_json::from_slice(&status.to_json()).unwrap();
        assert_eq!(json["code"], 14);
        assert_eq!(json["details"][0]["@type"], "type.googleapis.com/google.rpc.RetryInfo");
        assert_eq!(json["details"][0]["retryDelay"], "2.500000000s");
    }

    #[test]
    fn a_hostile_delay_is_no_panic() {
        let hostile = RetryInfo { retry_delay: Some(Delay { seconds: -1, nanos: i32::MAX }) };
        let detail = Any { type_url: RETRY_INFO.into(), value: hostile.encode_to_vec() };
        let status = Status { code: 14, message: String::new(), details: vec![detail] };
        assert_eq!(status.retry_delay(), Some(Duration::from_nanos(999_999_999)));
    }
}
