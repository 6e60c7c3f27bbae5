//! Keeps deliveries off what is nobody else's: whoever writes a target's URL, or the DNS records of its host, would otherwise have
//! the courier ask the metadata service or a machine of the account's own network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use tokio::net::lookup_host;

/// In the error of a host that is not asked, by which it is told from one that cannot be reached.
pub const NOT_TO_BE_ASKED: &str = "which is not asked";

/// Resolves names as the machine does, and refuses one that leads where it must not, whatever else it leads to. The connection is
/// made to what was looked at, so that no second answer of DNS can slip in.
#[derive(Debug, Clone, Copy)]
pub struct Resolver {
    /// Whether an address of the account's own network may be asked.
    pub may_be_private: bool,
}

impl ResolveDns for Resolver {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            // The port is the connection's own.
            let found = lookup_host((name, 0)).await.map_err(ResolveDnsError::new)?;
            let addresses: Vec<_> = found.map(|address| address.ip()).collect();
            match addresses.iter().find(|address| !is_allowed(**address, self.may_be_private)) {
                None => Ok(addresses),
                Some(address) => {
                    Err(ResolveDnsError::new(format!("the host has the address {address}, {NOT_TO_BE_ASKED}")))
                }
            }
        })
    }
}

fn is_allowed(address: IpAddr, may_be_private: bool) -> bool {
    match address {
        IpAddr::V4(address) => is_allowed_v4(address, may_be_private),
        IpAddr::V6(address) => match embedded(address) {
            Some(embedded) => is_allowed_v4(embedded, may_be_private),
            None => is_allowed_v6(address, may_be_private),
        },
    }
}

/// The ranges of <https://www.iana.org/assignments/iana-ipv4-special-registry> that are not global.
fn is_allowed_v4(address: Ipv4Addr, may_be_private: bool) -> bool {
    let [a, b, c, _] = address.octets();
    let is_shared = a == 100 && b & 0xc0 == 64;
    let is_own = address.is_private() || address.is_loopback() || is_shared;
    let is_nobodys = a == 0
        || a >= 224 // multicast, reserved, broadcast
        || address.is_link_local() // the metadata service
        || address.is_documentation()
        || (a, b, c) == (192, 0, 0)
        || (a == 198 && b & 0xfe == 18);
    !is_nobodys && (may_be_private || !is_own)
}

/// The ranges of <https://www.iana.org/assignments/iana-ipv6-special-registry> that are not global.
fn is_allowed_v6(address: Ipv6Addr, may_be_private: bool) -> bool {
    let [first, second, ..] = address.segments();
    let is_metadata = (first, second) == (0xfd00, 0xec2);
    let is_own = (address.is_loopback() || address.is_unique_local()) && !is_metadata;
    let is_special = first == 0x2002 || first == 0x3fff || (first == 0x2001 && (second < 0x200 || second == 0xdb8));
    (first & 0xe000 == 0x2000 && !is_special) || (is_own && may_be_private)
}

/// The IPv4 address that an IPv6 address stands for: mapped, compatible, or by a NAT64 gateway.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let [high, low] = [g.to_be_bytes(), h.to_be_bytes()];
    let last = Ipv4Addr::new(high[0], high[1], low[0], low[1]);
    let stands_for_one = match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0xffff] | [0, 0, 0, 0, 0xffff, 0] | [0x64, 0xff9b, 0, 0, 0, 0] => true,
        [0, 0, 0, 0, 0, 0] => g != 0,
        _ => false,
    };
    stands_for_one.then_some(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nobody_elses_is_not_asked() {
        for own in
            ["10.0.0.1", "172.16.0.1", "192.168.1.1", "127.0.0.1", "100.64.0.1", "::1", "fd12::1", "::ffff:10.0.0.1"]
        {
            let address = own.parse().unwrap();
            assert!(!is_allowed(address, false) && is_allowed(address, true), "{own}");
        }
        for never in [
            "169.254.169.254",
            "169.254.170.2",
            "0.0.0.0",
            "0.1.2.3",
            "255.255.255.255",
            "224.0.0.1",
            "240.0.0.1",
            "192.0.0.192",
            "192.0.2.1",
            "198.18.0.1",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "64:ff9b:1:a9fe:a9:fe00:808:808",
            "3fff::1",
            "fe80::1",
            "ff02::1",
            "::",
            "2001:db8::1",
            "2001::1",
            "2002:a9fe:a9fe::",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::169.254.169.254",
        ] {
            let address = never.parse().unwrap();
            assert!(!is_allowed(address, false) && !is_allowed(address, true), "{never}");
        }
        for public in
            ["140.82.121.6", "8.8.8.8", "2606:50c0:8000::153", "64:ff9b::8.8.8.8", "100.128.0.1", "172.32.0.1"]
        {
            assert!(is_allowed(public.parse().unwrap(), false), "{public}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_refused() {
        let asked = |may_be_private| async move { Resolver { may_be_private }.resolve_dns("localhost").await };
        let error = asked(false).await.unwrap_err();
        assert!(format!("{error:?}").contains(NOT_TO_BE_ASKED), "{error:?}");
        assert!(!asked(true).await.unwrap().is_empty());
    }
}
