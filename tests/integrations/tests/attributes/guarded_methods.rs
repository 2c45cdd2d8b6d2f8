//! Guards around methods of an object-safe async trait.

use async_trait::async_trait;
use breakerbox::prelude::*;
use std::io;

#[async_trait]
trait Store: Send + Sync {
    async fn load(&self, id: u64) -> io::Result<u64>;
}

struct Client {
    base: u64,
}

#[async_trait]
impl Store for Client {
    async fn load(&self, id: u64) -> io::Result<u64> {
        Ok(self.base + id)
    }
}

#[tokio::test]
async fn object_safe_async_trait_method_is_guarded() {
    let breaker = CircuitBreaker::builder().build().unwrap();
    let store: Box<dyn Store> = Box::new(Client { base: 1 });
    assert_eq!(store.load(2).guarded_by(&breaker).await.unwrap(), 3);
    let load = (|id: u64| store.load(id)).guarded_by(&breaker);
    assert_eq!(load.call(3).await.unwrap(), 4);
    assert_eq!(breaker.snapshot().totals.success, Some(2));
}
