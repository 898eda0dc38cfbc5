//! Operations on custom key stores, which the embedded KMS does not have.

operations! {
    CreateCustomKeyStore
        takes {
            MUST CustomKeyStoreName: CUSTOM_KEY_STORE_NAME, MAY CloudHsmClusterId: CLOUD_HSM_CLUSTER_ID,
            MAY TrustAnchorCertificate: TRUST_ANCHOR_CERTIFICATE, MAY KeyStorePassword: KEY_STORE_PASSWORD,
            MAY CustomKeyStoreType: CUSTOM_KEY_STORE, MAY XksProxyUriEndpoint: XKS_PROXY_URI_ENDPOINT,
            MAY XksProxyUriPath: XKS_PROXY_URI_PATH,
            MAY XksProxyVpcEndpointServiceName: XKS_PROXY_VPC_ENDPOINT_SERVICE_NAME,
            MAY XksProxyVpcEndpointServiceOwner: ACCOUNT_ID,
            MAY XksProxyAuthenticationCredential: XKS_PROXY_AUTHENTICATION_CREDENTIAL,
            MAY XksProxyConnectivity: XKS_PROXY_CONNECTIVITY,
        }
        gives { MAY CustomKeyStoreId: CUSTOM_KEY_STORE_ID };
    DescribeCustomKeyStores pages CustomKeyStores
        takes {
            MAY CustomKeyStoreId: CUSTOM_KEY_STORE_ID, MAY CustomKeyStoreName: CUSTOM_KEY_STORE_NAME,
            MAY Limit: LIMIT, MAY Marker: MARKER,
        }
        gives { MAY CustomKeyStores: CUSTOM_KEY_STORES_LIST, MAY NextMarker: MARKER, MAY Truncated: BOOLEAN };
    UpdateCustomKeyStore
        takes {
            MUST CustomKeyStoreId: CUSTOM_KEY_STORE_ID, MAY NewCustomKeyStoreName: CUSTOM_KEY_STORE_NAME,
            MAY KeyStorePassword: KEY_STORE_PASSWORD, MAY CloudHsmClusterId: CLOUD_HSM_CLUSTER_ID,
            MAY XksProxyUriEndpoint: XKS_PROXY_URI_ENDPOINT, MAY XksProxyUriPath: XKS_PROXY_URI_PATH,
            MAY XksProxyVpcEndpointServiceName: XKS_PROXY_VPC_ENDPOINT_SERVICE_NAME,
            MAY XksProxyVpcEndpointServiceOwner: ACCOUNT_ID,
            MAY XksProxyAuthenticationCredential: XKS_PROXY_AUTHENTICATION_CREDENTIAL,
            MAY XksProxyConnectivity: XKS_PROXY_CONNECTIVITY,
        }
        gives {};
    DeleteCustomKeyStore
        takes { MUST CustomKeyStoreId: CUSTOM_KEY_STORE_ID }
        gives {};
    ConnectCustomKeyStore
        takes { MUST CustomKeyStoreId: CUSTOM_KEY_STORE_ID }
        gives {};
    DisconnectCustomKeyStore
        takes { MUST CustomKeyStoreId: CUSTOM_KEY_STORE_ID }
        gives {};
}
