"""The AWS Encryption SDK with its cache: a hundred messages under one data key of the served KMS."""

import aws_encryption_sdk
import boto3
from aws_encryption_sdk import CommitmentPolicy

client = aws_encryption_sdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
arn = boto3.client("kms").describe_key(KeyId="alias/default")["KeyMetadata"]["Arn"]
provider = aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(key_ids=[arn])


def cached():
    """A cache of its own over the served key."""
    return aws_encryption_sdk.CachingCryptoMaterialsManager(
        master_key_provider=provider,
        cache=aws_encryption_sdk.LocalCryptoMaterialsCache(10),
        max_age=600.0,
        max_messages_encrypted=1000,
    )


encrypting, decrypting = cached(), cached()
for number in range(100):
    plaintext = f"message {number}".encode()
    sealed, _ = client.encrypt(source=plaintext, materials_manager=encrypting, encryption_context={"project": "apollo"})
    opened, header = client.decrypt(source=sealed, materials_manager=decrypting)
    assert opened == plaintext
    assert header.encryption_context["project"] == "apollo"
