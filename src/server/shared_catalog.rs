//! The catalog that is being served, and how a new one takes its place.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard, cache::Cache};

use crate::engine::Catalog;

/// A reader's view of the catalog that costs one shared read as long as nothing is published.
pub type CatalogCache = Cache<Arc<ArcSwap<Catalog>>, Arc<Catalog>>;

/// The one shared, changing cell of the query path.
///
/// Replaced catalogs are retired, not freed: freeing tens of megabytes takes milliseconds that no
/// query thread should pay. The thread that publishes calls [`SharedCatalog::sweep`] now and then.
#[derive(Debug)]
pub struct SharedCatalog {
    current: Arc<ArcSwap<Catalog>>,
    retired: Mutex<Vec<Arc<Catalog>>>,
}

impl SharedCatalog {
    /// Starts with this catalog.
    pub fn new(catalog: Catalog) -> Self {
        Self { current: Arc::new(ArcSwap::from_pointee(catalog)), retired: Mutex::new(Vec::new()) }
    }

    /// The catalog of this moment, for one query.
    pub fn load(&self) -> Guard<Arc<Catalog>> {
        self.current.load()
    }

    /// A reader for a thread that asks again and again, and at least once a second: it keeps its
    /// catalog alive until it asks.
    pub fn cache(&self) -> CatalogCache {
        Cache::new(Arc::clone(&self.current))
    }

    /// Puts a catalog in place for all queries from now on and retires the one before.
    pub fn publish(&self, catalog: Catalog) {
        let old = self.current.swap(Arc::new(catalog));
        self.retired.lock().unwrap_or_else(PoisonError::into_inner).push(old);
    }

    /// Frees the retired catalogs that no reader holds any more; returns how many remain.
    pub fn sweep(&self) -> usize {
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody can get hold of a retired catalog anew: once the count is one, it stays one.
        let (free, held): (Vec<_>, Vec<_>) =
            retired.drain(..).partition(|catalog| Arc::strong_count(catalog) == 1);
        let remaining = held.len();
        *retired = held;
        drop(retired);
        drop(free);
        remaining
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retired_catalog_is_kept_until_its_last_reader_moved_on() {
        let catalog = SharedCatalog::new(Catalog::default());
        let mut cache = catalog.cache();
        let first = Arc::as_ptr(cache.load());
        let guard = catalog.load();

        catalog.publish(Catalog::default());
        assert_eq!(catalog.sweep(), 1, "a cache and a guard hold it");
        assert_ne!(Arc::as_ptr(cache.load()), first, "the cache moves on when asked");
        assert_eq!(catalog.sweep(), 1, "the guard holds it");
        drop(guard);
        assert_eq!(catalog.sweep(), 0);
        assert_eq!(catalog.sweep(), 0);
    }

    #[test]
    fn readers_under_a_storm_of_publishing_leave_nothing_behind() {
        let catalog = SharedCatalog::new(Catalog::default());
        std::thread::scope(|scope| {
            let readers = [(); 2].map(|()| {
                scope.spawn(|| {
                    let mut cache = catalog.cache();
                    for _ in 0..20_000 {
                        std::hint::black_box(cache.load());
                        std::hint::black_box(&*catalog.load());
                    }
                })
            });
            while readers.iter().any(|reader| !reader.is_finished()) {
                catalog.publish(Catalog::default());
                catalog.sweep();
            }
        });
        assert_eq!(catalog.sweep(), 0);
    }
}
