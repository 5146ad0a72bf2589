//! Components that outlive the configuration that they were made for, as long as what they were made of
//! stays the same: their queues, memories and counts go on.

use std::collections::BTreeMap;
use std::sync::Arc;

/// The components of one kind, each with what it was made of: its settings, and the other components
/// that it holds on to.
#[derive(Debug)]
pub(super) struct Kept<K, O, C>(BTreeMap<K, (O, Arc<C>)>);

impl<K, O, C> Default for Kept<K, O, C> {
    fn default() -> Self {
        Kept(BTreeMap::new())
    }
}

impl<K: Ord, O: PartialEq, C> Kept<K, O, C> {
    /// The component of this key: the one of `before` if it was made of the same, and else a new one.
    ///
    /// # Errors
    /// Those of `make`.
    pub(super) fn renew<E>(
        &mut self,
        before: &Self,
        key: K,
        of: O,
        make: impl FnOnce(&O) -> Result<C, E>,
    ) -> Result<Arc<C>, E> {
        if let Some((_, made)) = self.0.get(&key) {
            return Ok(Arc::clone(made));
        }
        let made = match before.0.get(&key) {
            Some((earlier, made)) if *earlier == of => Arc::clone(made),
            _ => Arc::new(make(&of)?),
        };
        self.0.insert(key, (of, Arc::clone(&made)));
        Ok(made)
    }

    /// [`Kept::renew`] of what can always be made.
    pub(super) fn renew_always(&mut self, before: &Self, key: K, of: O, make: impl FnOnce(&O) -> C) -> Arc<C> {
        let Ok(made) = self.renew(before, key, of, |of| Ok::<_, std::convert::Infallible>(make(of)));
        made
    }

    /// What the component of this key was made of.
    pub(super) fn made_of(&self, key: &K) -> Option<&O> {
        self.0.get(key).map(|(of, _)| of)
    }

    /// The component of this key.
    pub(super) fn get(&self, key: &K) -> Option<&Arc<C>> {
        self.0.get(key).map(|(_, made)| made)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &Arc<C>)> {
        self.0.iter().map(|(key, (_, made))| (key, made))
    }

    /// Those that `next` has not: they are to end.
    pub(super) fn gone(&self, next: &Self) -> Vec<Arc<C>> {
        let stays = |key: &K, made: &Arc<C>| next.get(key).is_some_and(|kept| Arc::ptr_eq(kept, made));
        self.iter().filter(|(key, made)| !stays(key, made)).map(|(_, made)| Arc::clone(made)).collect()
    }
}

/// A component that another one is made of: equal only to itself.
pub(super) struct Same<T: ?Sized>(pub(super) Arc<T>);

impl<T: ?Sized> PartialEq for Same<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_stays_while_what_it_is_made_of_does() {
        let make = |of: &u32| of.to_string();
        let (mut first, mut second) = (Kept::default(), Kept::default());
        let none = Kept::default();
        let [a, b, c] = ["a", "b", "c"].map(|key| first.renew_always(&none, key, 1, make));
        assert!(Arc::ptr_eq(&a, &second.renew_always(&first, "a", 1, make)));
        assert!(!Arc::ptr_eq(&b, &second.renew_always(&first, "b", 2, make)), "other settings");
        let gone = first.gone(&second);
        assert_eq!(gone.len(), 2, "the changed one and the one that is named no more");
        assert!(Arc::ptr_eq(&gone[0], &b) && Arc::ptr_eq(&gone[1], &c));
        assert_eq!(second.renew(&first, "d", 3, |_| Err(())), Err(()));
        assert!(second.get(&"d").is_none());
        let other = Arc::new(1);
        assert!(Same(Arc::clone(&other)) == Same(Arc::clone(&other)));
        assert!(Same(other) != Same(Arc::new(1)), "equal, and another one");
    }
}
