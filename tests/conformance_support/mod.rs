//! How much of the corpus is right: what is measured, by judges that share nothing with the product.
#![allow(dead_code, clippy::unwrap_used, unreachable_pub, reason = "every test file uses a part of it")]

pub mod content;
pub mod expected;
pub mod homes;
pub mod measure;
pub mod page;
pub mod shapes;
pub mod types;
pub mod usage;
pub mod value;
