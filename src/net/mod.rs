//! Listening sockets: binding, accepting, serving HTTP on them, closing in order.
//!
//! This floor knows TCP, TLS and HTTP's framing and timeouts. What a request means is its [`Handler`]'s
//! business: the receivers', or a [`Get`] for a page that is only read (health, metrics).

mod accept;
mod ahead;
mod bind;
mod get;
mod listener;
pub mod reread;
pub mod tls;
mod unread;
mod watch;

pub use bind::{BindError, bind};
pub use get::Get;
pub use listener::{Drained, Handler, Limits, Listener, Service, serve};
pub use unread::{Pieces, Unread};
