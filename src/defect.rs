//! Defects of this program: a panic is caught where it costs the least, and told in words.
//!
//! After a panic the future or closure is dropped and never used again; what it shares with others is
//! behind locks that survive a panic. Who counts it, and what ends because of it, is decided by whoever
//! catches it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// Runs a future to its end.
///
/// # Errors
/// The message of the panic that ended it.
pub async fn caught<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let mut work = pin!(work);
    std::future::poll_fn(move |cx| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(panic) => Poll::Ready(Err(message(panic.as_ref()))),
    })
    .await
}

/// What a panic says.
pub fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_its_message() {
        assert_eq!(caught(async { 1 }).await, Ok(1));
        assert_eq!(caught(async { panic!("said so") }).await, Err::<(), _>("said so".to_owned()));
        let number = 7;
        assert_eq!(caught(async { panic!("number {number}") }).await, Err::<(), _>("number 7".to_owned()));
        let odd = async { std::panic::panic_any(7) };
        assert_eq!(caught(odd).await, Err::<(), _>("no message".to_owned()));
    }
}
