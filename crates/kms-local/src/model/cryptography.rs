//! Operations of cryptography.

operations! {
    Encrypt
        takes {
            MUST KeyId: KEY_ID, MUST Plaintext: PLAINTEXT, MAY EncryptionContext: ENCRYPTION_CONTEXT,
            MAY GrantTokens: GRANT_TOKEN_LIST, MAY EncryptionAlgorithm: ENCRYPTION_ALGORITHM_SPEC,
            MAY DryRun: BOOLEAN,
        }
        gives {
            MAY CiphertextBlob: CIPHERTEXT, MAY KeyId: KEY_ID, MAY EncryptionAlgorithm: ENCRYPTION_ALGORITHM_SPEC,
        };
    Decrypt
        takes {
            MAY CiphertextBlob: CIPHERTEXT, MAY EncryptionContext: ENCRYPTION_CONTEXT,
            MAY GrantTokens: GRANT_TOKEN_LIST, MAY KeyId: KEY_ID, MAY EncryptionAlgorithm: ENCRYPTION_ALGORITHM_SPEC,
            MAY Recipient: RECIPIENT, MAY DryRun: BOOLEAN, MAY DryRunModifiers: DRY_RUN_MODIFIER_LIST,
        }
        gives {
            MAY KeyId: KEY_ID, MAY Plaintext: PLAINTEXT, MAY EncryptionAlgorithm: ENCRYPTION_ALGORITHM_SPEC,
            MAY CiphertextForRecipient: CIPHERTEXT, MAY KeyMaterialId: BACKING_KEY_ID,
        };
    ReEncrypt
        takes {
            MAY CiphertextBlob: CIPHERTEXT, MAY SourceEncryptionContext: ENCRYPTION_CONTEXT, MAY SourceKeyId: KEY_ID,
            MUST DestinationKeyId: KEY_ID, MAY DestinationEncryptionContext: ENCRYPTION_CONTEXT,
            MAY SourceEncryptionAlgorithm: ENCRYPTION_ALGORITHM_SPEC,
            MAY DestinationEncryptionAlgorithm: ENCRYPTION_ALGORITHM_SPEC, MAY GrantTokens: GRANT_TOKEN_LIST,
            MAY DryRun: BOOLEAN, MAY DryRunModifiers: DRY_RUN_MODIFIER_LIST,
        }
        gives {
            MAY CiphertextBlob: CIPHERTEXT, MAY SourceKeyId: KEY_ID, MAY KeyId: KEY_ID,
            MAY SourceEncryptionAlgorithm: ENCRYPTION_ALGORITHM_SPEC,
            MAY DestinationEncryptionAlgorithm: ENCRYPTION_ALGORITHM_SPEC, MAY SourceKeyMaterialId: BACKING_KEY_ID,
            MAY DestinationKeyMaterialId: BACKING_KEY_ID,
        };
    GenerateDataKey
        takes {
            MUST KeyId: KEY_ID, MAY EncryptionContext: ENCRYPTION_CONTEXT, MAY NumberOfBytes: NUMBER_OF_BYTES,
            MAY KeySpec: DATA_KEY_SPEC, MAY GrantTokens: GRANT_TOKEN_LIST, MAY Recipient: RECIPIENT,
            MAY DryRun: BOOLEAN,
        }
        gives {
            MAY CiphertextBlob: CIPHERTEXT, MAY Plaintext: PLAINTEXT, MAY KeyId: KEY_ID,
            MAY CiphertextForRecipient: CIPHERTEXT, MAY KeyMaterialId: BACKING_KEY_ID,
        };
    GenerateDataKeyWithoutPlaintext
        takes {
            MUST KeyId: KEY_ID, MAY EncryptionContext: ENCRYPTION_CONTEXT, MAY KeySpec: DATA_KEY_SPEC,
            MAY NumberOfBytes: NUMBER_OF_BYTES, MAY GrantTokens: GRANT_TOKEN_LIST, MAY DryRun: BOOLEAN,
        }
        gives { MAY CiphertextBlob: CIPHERTEXT, MAY KeyId: KEY_ID, MAY KeyMaterialId: BACKING_KEY_ID };
    GenerateDataKeyPair
        takes {
            MAY EncryptionContext: ENCRYPTION_CONTEXT, MUST KeyId: KEY_ID, MUST KeyPairSpec: DATA_KEY_PAIR_SPEC,
            MAY GrantTokens: GRANT_TOKEN_LIST, MAY Recipient: RECIPIENT, MAY DryRun: BOOLEAN,
        }
        gives {
            MAY PrivateKeyCiphertextBlob: CIPHERTEXT, MAY PrivateKeyPlaintext: PLAINTEXT, MAY PublicKey: PUBLIC_KEY,
            MAY KeyId: KEY_ID, MAY KeyPairSpec: DATA_KEY_PAIR_SPEC, MAY CiphertextForRecipient: CIPHERTEXT,
            MAY KeyMaterialId: BACKING_KEY_ID,
        };
    GenerateDataKeyPairWithoutPlaintext
        takes {
            MAY EncryptionContext: ENCRYPTION_CONTEXT, MUST KeyId: KEY_ID, MUST KeyPairSpec: DATA_KEY_PAIR_SPEC,
            MAY GrantTokens: GRANT_TOKEN_LIST, MAY DryRun: BOOLEAN,
        }
        gives {
            MAY PrivateKeyCiphertextBlob: CIPHERTEXT, MAY PublicKey: PUBLIC_KEY, MAY KeyId: KEY_ID,
            MAY KeyPairSpec: DATA_KEY_PAIR_SPEC, MAY KeyMaterialId: BACKING_KEY_ID,
        };
    GenerateRandom
        takes {
            MAY NumberOfBytes: NUMBER_OF_BYTES, MAY CustomKeyStoreId: CUSTOM_KEY_STORE_ID, MAY Recipient: RECIPIENT,
        }
        gives { MAY Plaintext: PLAINTEXT, MAY CiphertextForRecipient: CIPHERTEXT };
    Sign
        takes {
            MUST KeyId: KEY_ID, MUST Message: PLAINTEXT, MAY MessageType: MESSAGE, MAY GrantTokens: GRANT_TOKEN_LIST,
            MUST SigningAlgorithm: SIGNING_ALGORITHM_SPEC, MAY DryRun: BOOLEAN,
        }
        gives { MAY KeyId: KEY_ID, MAY Signature: CIPHERTEXT, MAY SigningAlgorithm: SIGNING_ALGORITHM_SPEC };
    Verify
        takes {
            MUST KeyId: KEY_ID, MUST Message: PLAINTEXT, MAY MessageType: MESSAGE, MUST Signature: CIPHERTEXT,
            MUST SigningAlgorithm: SIGNING_ALGORITHM_SPEC, MAY GrantTokens: GRANT_TOKEN_LIST, MAY DryRun: BOOLEAN,
        }
        gives { MAY KeyId: KEY_ID, MAY SignatureValid: BOOLEAN, MAY SigningAlgorithm: SIGNING_ALGORITHM_SPEC };
    GenerateMac
        takes {
            MUST Message: PLAINTEXT, MUST KeyId: KEY_ID, MUST MacAlgorithm: MAC_ALGORITHM_SPEC,
            MAY GrantTokens: GRANT_TOKEN_LIST, MAY DryRun: BOOLEAN,
        }
        gives { MAY Mac: CIPHERTEXT, MAY MacAlgorithm: MAC_ALGORITHM_SPEC, MAY KeyId: KEY_ID };
    VerifyMac
        takes {
            MUST Message: PLAINTEXT, MUST KeyId: KEY_ID, MUST MacAlgorithm: MAC_ALGORITHM_SPEC, MUST Mac: CIPHERTEXT,
            MAY GrantTokens: GRANT_TOKEN_LIST, MAY DryRun: BOOLEAN,
        }
        gives { MAY KeyId: KEY_ID, MAY MacValid: BOOLEAN, MAY MacAlgorithm: MAC_ALGORITHM_SPEC };
    DeriveSharedSecret
        takes {
            MUST KeyId: KEY_ID, MUST KeyAgreementAlgorithm: KEY_AGREEMENT_ALGORITHM_SPEC, MUST PublicKey: PUBLIC_KEY,
            MAY GrantTokens: GRANT_TOKEN_LIST, MAY DryRun: BOOLEAN, MAY Recipient: RECIPIENT,
        }
        gives {
            MAY KeyId: KEY_ID, MAY SharedSecret: PLAINTEXT, MAY CiphertextForRecipient: CIPHERTEXT,
            MAY KeyAgreementAlgorithm: KEY_AGREEMENT_ALGORITHM_SPEC, MAY KeyOrigin: ORIGIN,
        };
    Encapsulate
        takes {
            MUST KeyId: KEY_ID, MUST EncapsulationAlgorithm: ENCAPSULATION_ALGORITHM_SPEC,
            MAY GrantTokens: GRANT_TOKEN_LIST, MAY DryRun: BOOLEAN,
        }
        gives {
            MAY KeyId: KEY_ID, MAY SharedSecret: PLAINTEXT, MAY SharedSecretCiphertextBlob: CIPHERTEXT,
            MAY EncapsulationAlgorithm: ENCAPSULATION_ALGORITHM_SPEC,
        };
    Decapsulate
        takes {
            MUST KeyId: KEY_ID, MUST SharedSecretCiphertextBlob: CIPHERTEXT,
            MUST EncapsulationAlgorithm: ENCAPSULATION_ALGORITHM_SPEC, MAY GrantTokens: GRANT_TOKEN_LIST,
            MAY DryRun: BOOLEAN,
        }
        gives {
            MAY KeyId: KEY_ID, MAY SharedSecret: PLAINTEXT, MAY EncapsulationAlgorithm: ENCAPSULATION_ALGORITHM_SPEC,
        };
}
