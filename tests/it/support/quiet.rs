//! Exclusive use of the machine for a test that measures time: no site runs meanwhile.

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

static MACHINE: RwLock<()> = RwLock::const_new(());

/// Held by a test that loads the machine; any number of them run at once.
pub(crate) type Load = RwLockReadGuard<'static, ()>;

/// Waits until no test measures time.
pub(crate) async fn load() -> Load {
    MACHINE.read().await
}

/// Waits until no test loads the machine, and keeps others from it.
pub(crate) async fn measure() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().await
}
