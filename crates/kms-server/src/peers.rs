//! From where connections come, and how many from each place.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The places that have connections. There are no more of them than connections.
#[derive(Debug, Default)]
pub(crate) struct Peers(Mutex<HashMap<IpAddr, usize>>);

/// A connection that is counted for as long as this lives.
#[derive(Debug)]
pub(crate) struct Counted {
    peers: Arc<Peers>,
    place: IpAddr,
}

impl Peers {
    /// Counts one more connection of a peer, unless it has `most` already.
    pub(crate) fn count(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<Counted> {
        let place = place(address);
        let mut peers = self.peers();
        let count = peers.entry(place).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Counted { peers: Arc::clone(self), place })
    }

    fn peers(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut peers = self.peers.peers();
        if let Some(count) = peers.get_mut(&self.place) {
            *count -= 1;
            if *count == 0 {
                peers.remove(&self.place);
            }
        }
    }
}

/// What counts as one place: whoever has an IPv6 address has all of its network.
fn place(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_its_share_and_gets_it_back() {
        let peers = Arc::new(Peers::default());
        let count = |text: &str| peers.count(text.parse().unwrap(), 2);
        let (one, two) = (count("10.0.0.1"), count("::ffff:10.0.0.1"));
        assert!(one.is_some() && two.is_some() && count("10.0.0.1").is_none());
        assert!(count("10.0.0.2").is_some());
        drop(one);
        assert!(count("10.0.0.1").is_some());
        drop(two);
        assert!(peers.peers().is_empty());
        let networks = [count("2001:db8::1"), count("2001:db8::2:0:0:1"), count("2001:db8::3")];
        assert_eq!(networks.iter().flatten().count(), 2);
        assert!(count("2001:db8:0:1::1").is_some());
    }
}
