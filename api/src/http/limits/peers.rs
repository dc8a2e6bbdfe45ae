//! The rate limit of peers: client addresses, for requests without a known token.
//!
//! To verify a signature is the most expensive work that an unauthenticated request causes, so its
//! rate is limited by address. A token that was verified before is exempt.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use axum::extract::Request;
use axum::http::HeaderMap;

use super::buckets::{Buckets, SmallBurst};
use super::{LimitMetrics, Quotas, Rate};
use crate::http::problem::Problem;

/// The remote address of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The buckets of peers, and the proxies that are trusted to name the peer.
#[derive(Debug)]
pub(crate) struct Peers {
    buckets: Option<Buckets<IpAddr>>,
    trusted_proxies: Vec<Network>,
    metrics: LimitMetrics,
}

impl Peers {
    /// Returns a limit for requests that cost `max_cost` at most.
    pub(crate) fn new(
        rate: Rate,
        max_cost: u32,
        trusted_proxies: Vec<Network>,
        metrics: LimitMetrics,
    ) -> Result<Self, SmallBurst> {
        Ok(Self {
            buckets: Buckets::new("peer", rate, max_cost)?,
            trusted_proxies,
            metrics,
        })
    }

    /// Draws a cost of 1 from the bucket of the peer; 429 if the limit is exceeded.
    pub(crate) fn draw(&self, request: &Request) -> Result<(), Problem> {
        let peer = request.extensions().get::<Peer>();
        let (Some(buckets), Some(Peer(address))) = (&self.buckets, peer) else {
            return Ok(());
        };
        let client = self.client(*address, request.headers());
        let (quota, exceeded) = buckets.draw(network_prefix(client), 1);
        let Some(exceeded) = exceeded else {
            return Ok(());
        };
        self.metrics.count(exceeded.limit);
        Err(exceeded.into_problem(&Quotas(vec![quota])))
    }

    /// Returns the client of a connection. Each proxy appends the address that it was called from to
    /// `X-Forwarded-For`, so the header is read from its end up to the first address that is no
    /// trusted proxy. Anything before that may be forged.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let is_trusted =
            |address: IpAddr| self.trusted_proxies.iter().any(|net| net.contains(address));
        if !is_trusted(peer) {
            return peer;
        }
        let named = headers.get_all("x-forwarded-for").iter().rev();
        let named = named.flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
        let mut client = peer;
        for name in named {
            let Ok(address) = name.trim().parse() else {
                break;
            };
            client = address;
            if !is_trusted(address) {
                break;
            }
        }
        client
    }
}

/// Returns the /64 prefix of an IPv6 address, because one subscriber has at least a /64 and so any
/// number of addresses; returns an IPv4 address as it is.
pub(super) fn network_prefix(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let network = u128::from(v6) & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from(network))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// A network such as `10.0.0.0/8`, or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

/// The error for a text that is not a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address or a network such as 10.0.0.0/8")]
pub struct InvalidNetwork(String);

impl Network {
    pub(super) fn contains(self, address: IpAddr) -> bool {
        let (bits, width) = bits(address);
        let (own_bits, own_width) = bits_of(self.address);
        let ignored = width - self.prefix.min(width);
        width == own_width && bits.checked_shr(ignored) == own_bits.checked_shr(ignored)
    }
}

fn bits(address: IpAddr) -> (u128, u32) {
    bits_of(address.to_canonical())
}

fn bits_of(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)), 32),
        IpAddr::V6(v6) => (u128::from(v6), 128),
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let invalid = || InvalidNetwork(text.to_owned());
        let (address, prefix) = text
            .split_once('/')
            .map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let (_, width) = bits_of(address);
        let prefix = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| invalid())?,
            None => width,
        };
        if prefix > width {
            return Err(invalid());
        }
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use axum::http::HeaderValue;
    use prometheus::Registry;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[track_caller]
    fn check_contains(network: &str, inside: &str, expected: bool) {
        let network: Network = network.parse().unwrap();
        assert_eq!(
            network.contains(address(inside)),
            expected,
            "{network} {inside}"
        );
    }

    #[test]
    fn a_network_contains_the_addresses_with_its_prefix() {
        check_contains("10.0.0.0/8", "10.200.3.4", true);
        check_contains("10.0.0.0/8", "11.0.0.0", false);
        check_contains("192.0.2.7", "192.0.2.7", true);
        check_contains("192.0.2.7", "192.0.2.8", false);
        check_contains("0.0.0.0/0", "203.0.113.9", true);
        check_contains("0.0.0.0/0", "2001:db8::1", false);
        check_contains("::/0", "2001:db8::1", true);
        check_contains("2001:db8::/32", "2001:db8:1::5", true);
        check_contains("10.0.0.0/8", "::ffff:10.1.2.3", true);
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0/8",
            "::/129",
            "10.0.0.0/-1",
            "host",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[track_caller]
    fn check_client(peer: &str, forwarded: &[&str], expected: &str) {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_str(value).unwrap());
        }
        let rate = Rate {
            per_second: 0,
            burst: 0,
        };
        let trusted = vec!["10.0.0.0/8".parse().unwrap()];
        let metrics = LimitMetrics::register(&Registry::new()).unwrap();
        let peers = Peers::new(rate, 5, trusted, metrics).unwrap();
        assert_eq!(peers.client(address(peer), &headers), address(expected));
    }

    #[test]
    fn only_trusted_proxies_name_the_client() {
        check_client("203.0.113.9", &["198.51.100.1"], "203.0.113.9");
        check_client("10.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check_client(
            "10.0.0.1",
            &["1.1.1.1, 198.51.100.1, 10.0.0.2"],
            "198.51.100.1",
        );
        check_client("10.0.0.1", &["1.1.1.1", "198.51.100.1"], "198.51.100.1");
        check_client(
            "10.0.0.1",
            &["198.51.100.1, nonsense, 10.0.0.2"],
            "10.0.0.2",
        );
        check_client("10.0.0.1", &[], "10.0.0.1");
    }

    #[test]
    fn addresses_with_one_64_bit_prefix_are_one_peer() {
        assert_eq!(
            network_prefix(address("2001:db8::1:2:3:4")),
            network_prefix(address("2001:db8::9"))
        );
        assert_ne!(
            network_prefix(address("2001:db8:0:1::1")),
            network_prefix(address("2001:db8:0:2::1"))
        );
        assert_eq!(
            network_prefix(address("::ffff:192.0.2.1")),
            address("192.0.2.1")
        );
    }
}
