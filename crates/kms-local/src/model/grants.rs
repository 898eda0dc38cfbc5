//! Operations on grants.

operations! {
    CreateGrant
        takes {
            MUST KeyId: KEY_ID, MAY GranteePrincipal: PRINCIPAL_ID, MAY RetiringPrincipal: PRINCIPAL_ID,
            MUST Operations: GRANT_OPERATION_LIST, MAY Constraints: GRANT_CONSTRAINTS,
            MAY GrantTokens: GRANT_TOKEN_LIST, MAY Name: GRANT_NAME, MAY DryRun: BOOLEAN,
            MAY GranteeServicePrincipal: SERVICE_PRINCIPAL, MAY RetiringServicePrincipal: SERVICE_PRINCIPAL,
        }
        gives { MAY GrantToken: GRANT_TOKEN, MAY GrantId: GRANT_ID };
    ListGrants pages Grants
        takes {
            MAY Limit: LIMIT, MAY Marker: MARKER, MUST KeyId: KEY_ID, MAY GrantId: GRANT_ID,
            MAY GranteePrincipal: PRINCIPAL_ID, MAY GranteeServicePrincipal: SERVICE_PRINCIPAL,
        }
        gives { MAY Grants: GRANT_LIST, MAY NextMarker: MARKER, MAY Truncated: BOOLEAN };
    ListRetirableGrants pages Grants
        takes {
            MAY Limit: LIMIT, MAY Marker: MARKER, MAY RetiringPrincipal: PRINCIPAL_ID,
            MAY RetiringServicePrincipal: SERVICE_PRINCIPAL,
        }
        gives { MAY Grants: GRANT_LIST, MAY NextMarker: MARKER, MAY Truncated: BOOLEAN };
    RetireGrant
        takes { MAY GrantToken: GRANT_TOKEN, MAY KeyId: KEY_ID, MAY GrantId: GRANT_ID, MAY DryRun: BOOLEAN }
        gives {};
    RevokeGrant
        takes { MUST KeyId: KEY_ID, MUST GrantId: GRANT_ID, MAY DryRun: BOOLEAN }
        gives {};
}
