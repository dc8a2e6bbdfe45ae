//! Whoever is at the other end of a connection, before it has shown a good token.
//!
//! Checking a signature is the dearest thing a stranger can make us do, so a peer may do it only so
//! often. A token that was checked before is not a stranger's.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use axum::extract::Request;
use axum::http::HeaderMap;

use super::Quotas;
use super::buckets::Buckets;
use crate::http::Problem;
use crate::{ApiError, Limits};

/// The address a connection came from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The buckets of peers, and whose word we take for who the peer is.
#[derive(Debug)]
pub(crate) struct Peers {
    buckets: Option<Buckets<IpAddr>>,
    trusted: Vec<Network>,
}

impl Peers {
    pub(super) fn new(limits: &Limits) -> Result<Self, ApiError> {
        Ok(Self {
            buckets: Buckets::of("peer", limits.peer_rate)?,
            trusted: limits.trusted_proxies.clone(),
        })
    }

    /// Draws for one check of a token.
    pub(crate) fn draw(&self, request: &Request) -> Result<(), Problem> {
        let peer = request.extensions().get::<Peer>();
        let (Some(buckets), Some(Peer(address))) = (&self.buckets, peer) else {
            return Ok(());
        };
        let client = self.client(*address, request.headers());
        match buckets.draw(household(client), 1) {
            (_, None) => Ok(()),
            (quota, Some(refusal)) => Err(Problem::RateLimited {
                refusal,
                quotas: Quotas(vec![quota]),
            }),
        }
    }

    /// Each proxy adds at the end whom it heard it from. What proxies of ours say is true as far as
    /// the first that is not ours; what is before that, anybody can write.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let is_trusted = |address: IpAddr| self.trusted.iter().any(|net| net.contains(address));
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

/// One customer of a provider has at least a /64 of IPv6, and so any number of addresses.
fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let network = u128::from(v6) & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from(network))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Addresses that begin alike, such as `10.0.0.0/8`, or a single one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

/// Not a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address or a network such as 10.0.0.0/8")]
pub struct InvalidNetwork(String);

impl Network {
    fn contains(self, address: IpAddr) -> bool {
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
    fn networks_hold_what_begins_alike() {
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
        let limits = Limits {
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
            ..Limits::default()
        };
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_str(value).unwrap());
        }
        let peers = Peers::new(&limits).unwrap();
        assert_eq!(peers.client(address(peer), &headers), address(expected));
    }

    #[test]
    fn only_our_proxies_are_believed() {
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
    fn a_household_is_one_peer() {
        assert_eq!(
            household(address("2001:db8::1:2:3:4")),
            household(address("2001:db8::9"))
        );
        assert_ne!(
            household(address("2001:db8:0:1::1")),
            household(address("2001:db8:0:2::1"))
        );
        assert_eq!(household(address("::ffff:192.0.2.1")), address("192.0.2.1"));
    }
}
