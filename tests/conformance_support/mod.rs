//! How much of the corpus is right: what is measured, by judges that share nothing with the product.
#![allow(clippy::unwrap_used, unreachable_pub, reason = "helpers of tests may fail")]

pub mod content;
pub mod expected;
pub mod homes;
pub mod measure;
pub mod page;
pub mod shapes;
pub mod types;
pub mod usage;
pub mod value;
