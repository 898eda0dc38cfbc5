//! The HTTP client: rustls over ring, proxies as the environment has them for what is encrypted, and no data key in the
//! clear on a network.

use std::net::IpAddr;

use aws_sdk_kms::config::http::HttpRequest;
use aws_sdk_kms::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_kms::config::{ConfigBag, HttpClient, Intercept, RuntimeComponents, SharedHttpClient};
use aws_sdk_kms::error::BoxError;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;

/// Makes the client that all requests of a connection go through, those for credentials too.
pub(crate) fn http_client() -> SharedHttpClient {
    SharedHttpClient::new(Client {
        direct: client_by(ProxyConfig::disabled),
        proxied: client_by(ProxyConfig::from_env),
    })
}

fn client_by(proxy: fn() -> ProxyConfig) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut builder = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring)).proxy_config(proxy());
        builder.set_connector_settings(settings.cloned());
        builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        builder.build()
    })
}

/// Longest answer that is read, in bytes. The longest of AWS KMS are lists of a thousand keys, 200 KiB, and key policies of
/// 128 KiB.
const MAX_ANSWER_LEN: usize = 4 << 20;

/// A proxy carries what is encrypted. What is not is for this machine, or for the addresses that give a machine its
/// credentials: a proxy would show it to the network, and to itself.
#[derive(Debug)]
struct Client {
    direct: SharedHttpClient,
    proxied: SharedHttpClient,
}

#[derive(Debug)]
struct ByScheme {
    direct: SharedHttpConnector,
    proxied: SharedHttpConnector,
}

impl HttpClient for Client {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(ByScheme {
            direct: self.direct.http_connector(settings, components),
            proxied: self.proxied.http_connector(settings, components),
        })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.proxied.connector_metadata()
    }
}

impl HttpConnector for ByScheme {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let scheme = request.uri().split_once("://").map_or("", |(scheme, _)| scheme);
        let connector = if scheme.eq_ignore_ascii_case("https") { &self.proxied } else { &self.direct };
        let answer = connector.call(request);
        HttpConnectorFuture::new(async move {
            let bounded = |body| SdkBody::from_body_1_x(Limited::new(body, MAX_ANSWER_LEN));
            Ok(answer.await?.map(bounded))
        })
    }
}

/// Refuses to send anything to another machine without TLS: the answer would show data keys to the network.
#[derive(Debug)]
pub(crate) struct NoPlainHttp;

/// The error of an endpoint that is neither TLS nor on this machine.
#[derive(Debug, thiserror::Error)]
#[error("{0} is plain HTTP to another machine, and would show data keys to the network")]
pub(crate) struct PlainHttpError(String);

impl Intercept for NoPlainHttp {
    fn name(&self) -> &'static str {
        "NoPlainHttp"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let address = context.request().uri();
        if is_private(address) { Ok(()) } else { Err(PlainHttpError(address.to_owned()).into()) }
    }
}

/// Whether what is sent to a URL stays on this machine or is encrypted on its way.
fn is_private(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    if !scheme.eq_ignore_ascii_case("http") {
        return scheme.eq_ignore_ascii_case("https");
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host_and_port.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host_and_port.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_spoken_to_without_tls() {
        for url in
            ["https://kms.eu-west-1.amazonaws.com/", "http://127.0.0.1:5000/", "http://localhost", "http://[::1]:1"]
        {
            assert!(is_private(url), "{url}");
        }
        for url in [
            "http://kms.eu-west-1.amazonaws.com/",
            "http://10.0.0.1",
            "http://localhost.example.com",
            "http://127.0.0.1@example.com/",
            "http://127.0.0.1.example.com:80/",
            "ftp://127.0.0.1",
            "127.0.0.1",
        ] {
            assert!(!is_private(url), "{url}");
        }
    }
}
