//! Who is at the other end of a connection.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use tokio::net::UnixStream;
use waxseal_kms_local::Region;

use crate::refusal::Refusal;

/// The header by which the owner of a server names the region of a request that is not signed: a region, or `*` for the
/// store's home. It counts only where the `Connection` header names it too: then no proxy hands it on.
pub(crate) const REGION: &str = "x-waxseal-region";
/// What stands for the store's home region.
pub(crate) const HOME: &str = "*";

/// The other end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// As the log shows it.
    shown: Arc<str>,
    /// Whether it is a process of the user whose server this is, or of root's, on a Unix socket.
    is_owner: bool,
}

impl Peer {
    pub(crate) fn at_address(address: &SocketAddr) -> Self {
        Self { shown: address.to_string().into(), is_owner: false }
    }

    /// Asks the system whose process has connected.
    pub(crate) fn at_socket(stream: &UnixStream) -> Self {
        let own = rustix::process::geteuid().as_raw();
        let is_owner = stream.peer_cred().is_ok_and(|peer| peer.uid() == own || peer.uid() == 0);
        Self { shown: "unix".into(), is_owner }
    }

    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// The region that the owner names in a request without a signature; none if it is not such a request.
    ///
    /// # Errors
    /// It is one, and names no region.
    pub(crate) fn owner_s_region(&self, parts: &Parts, home: &Region) -> Option<Result<Region, Refusal>> {
        let unsigned = self.is_owner && !parts.headers.contains_key(header::AUTHORIZATION);
        if !unsigned || !is_for_this_hop(&parts.headers) {
            return None;
        }
        let mut values = parts.headers.get_all(REGION).into_iter();
        let value = values.next().filter(|_| values.next().is_none()).and_then(|value| value.to_str().ok())?;
        let region = if value == HOME { Ok(home.clone()) } else { value.parse() };
        Some(region.map_err(|_| Refusal::new("ValidationException", "The request names no valid region.")))
    }
}

/// Whether the header of the region is for this connection only (RFC 9110, section 7.6.1).
fn is_for_this_hop(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|name| name.trim().eq_ignore_ascii_case(REGION))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn region(is_owner: bool, headers: &[(&str, &str)]) -> Option<Result<String, &'static str>> {
        let mut request = Request::post("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let found = Peer { shown: "unix".into(), is_owner }.owner_s_region(&parts, &"home-1".parse().unwrap())?;
        Some(found.map(|region| region.to_string()).map_err(|refusal| refusal.code()))
    }

    #[test]
    fn only_the_owner_and_only_for_this_connection_goes_without_a_signature() {
        let good = [("connection", "keep-alive, X-Waxseal-Region"), (REGION, "eu-west-1")];
        assert_eq!(region(true, &good), Some(Ok("eu-west-1".to_owned())));
        assert_eq!(region(true, &[good[0], (REGION, HOME)]), Some(Ok("home-1".to_owned())));
        assert_eq!(region(false, &good), None);
        assert_eq!(region(true, &good[1..]), None);
        assert_eq!(region(true, &good[..1]), None);
        assert_eq!(region(true, &[good[0], good[1], good[1]]), None);
        assert_eq!(region(true, &[good[0], good[1], ("authorization", "x")]), None);
        assert_eq!(region(true, &[good[0], (REGION, "EU")]), Some(Err("ValidationException")));
    }
}
