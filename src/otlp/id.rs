//! Trace and span ids.

use std::fmt;

macro_rules! id {
    ($name:ident, $length:literal, $what:literal) => {
        #[doc = concat!("The ", $what, " id: ", stringify!($length), " bytes, not all zero.")]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; $length]);

        impl $name {
            /// `None` if the bytes are of another length or all zero, which W3C Trace Context calls invalid.
            #[inline]
            pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
                let bytes = <[u8; $length]>::try_from(bytes).ok()?;
                (bytes != [0; $length]).then_some($name(bytes))
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

id!(TraceId, 16, "trace");
id!(SpanId, 8, "span");
