//! The number of open connections of each peer.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::LimitMetrics;
use super::peers::{Network, network_prefix};

/// The number of open connections of each peer.
type Open = Mutex<HashMap<IpAddr, usize>>;

/// Counts the open connections of each peer. Cheap to clone: every clone counts together.
#[derive(Debug, Clone)]
pub(crate) struct PeerConnections {
    open: Arc<Open>,
    limit: usize,
    /// Proxies open connections for many clients, so they are exempt.
    trusted_proxies: Vec<Network>,
    metrics: LimitMetrics,
}

impl PeerConnections {
    pub(crate) fn new(limit: usize, trusted_proxies: Vec<Network>, metrics: LimitMetrics) -> Self {
        Self {
            open: Arc::default(),
            limit,
            trusted_proxies,
            metrics,
        }
    }

    /// Counts a connection until the returned value is dropped; `None` if its peer has as many as it
    /// may.
    pub(crate) fn open(&self, peer: IpAddr) -> Option<PeerConnection> {
        let is_exempt = self.trusted_proxies.iter().any(|net| net.contains(peer));
        if is_exempt {
            return Some(PeerConnection(None));
        }
        let peer = network_prefix(peer);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(peer).or_default();
        if *count >= self.limit {
            self.metrics.count("connections");
            return None;
        }
        *count += 1;
        Some(PeerConnection(Some((Arc::clone(&self.open), peer))))
    }
}

/// An open connection of a peer, counted until dropped.
#[derive(Debug)]
pub(crate) struct PeerConnection(Option<(Arc<Open>, IpAddr)>);

impl Drop for PeerConnection {
    fn drop(&mut self) {
        let Some((open, peer)) = self.0.take() else {
            return;
        };
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = open.entry(peer) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use prometheus::Registry;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn peer_with_its_share_of_connections_is_refused_until_one_closes() {
        let metrics = LimitMetrics::register(&Registry::new()).unwrap();
        let proxies = vec!["10.0.0.0/8".parse().unwrap()];
        let peers = PeerConnections::new(2, proxies, metrics);
        let first = peers.open(address("2001:db8::1")).unwrap();
        let second = peers.open(address("2001:db8::2")).unwrap();
        assert!(peers.open(address("2001:db8::3")).is_none());
        let other = peers.open(address("192.0.2.1")).unwrap();
        drop(first);
        let third = peers.open(address("2001:db8::3")).unwrap();
        let behind_proxy: Vec<_> = (0..9).map(|_| peers.open(address("10.0.0.1"))).collect();
        assert!(behind_proxy.iter().all(Option::is_some));
        drop((second, third, other));
        assert!(peers.open.lock().unwrap().is_empty());
    }
}
