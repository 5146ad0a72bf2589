//! Trace and span ids.

use std::fmt;
use std::hash::{Hash, Hasher};

macro_rules! id {
    ($name:ident, $length:literal, $what:literal, $write:ident($number:ident)) => {
        #[doc = concat!("The ", $what, " id: ", stringify!($length), " bytes, not all zero.")]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(pub [u8; $length]);

        impl $name {
            /// `None` if the bytes are of another length or all zero, which W3C Trace Context calls invalid.
            #[inline]
            pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
                let bytes = <[u8; $length]>::try_from(bytes).ok()?;
                (bytes != [0; $length]).then_some($name(bytes))
            }
        }

        // One number: a hasher takes bytes in a slower way, and the ids of every span are hashed.
        impl Hash for $name {
            #[inline]
            fn hash<H: Hasher>(&self, state: &mut H) {
                state.$write($number::from_ne_bytes(self.0));
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

id!(TraceId, 16, "trace", write_u128(u128));
id!(SpanId, 8, "span", write_u64(u64));
