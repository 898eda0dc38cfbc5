"""Calls of AWS KMS, printed a line each without ids and times: the same for every service that follows AWS."""

import json
import re

import boto3
from botocore.exceptions import ClientError

kms = boto3.client("kms")
names = {}


def shown(value):
    """A value as text, in which ids are numbered in the order in which they were first seen."""
    text = json.dumps(value, sort_keys=True, default=lambda other: f"<{type(other).__name__}>")
    pattern = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    return re.sub(pattern, lambda found: f"id{names.setdefault(found[0], len(names))}", text)


def call(operation, keep=(), **arguments):
    """Makes a call, prints what `keep` names of its answer, and gives the answer."""
    try:
        answer = getattr(kms, operation)(**arguments)
        answer.pop("ResponseMetadata")
        print(operation, shown({name: answer[name] for name in keep}))
        return answer
    except ClientError as error:
        print(operation, error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"])
        return None


# moto leaves out of its answer what the request leaves to its default.
metadata = call("create_key", Description="first", KeyUsage="ENCRYPT_DECRYPT", MultiRegion=False)["KeyMetadata"]
key, arn = metadata["KeyId"], metadata["Arn"]
wanted = ("AWSAccountId", "Arn", "Description", "Enabled", "EncryptionAlgorithms", "KeyManager", "KeySpec", "KeyState",
          "KeyUsage", "MultiRegion", "Origin")
print(shown({name: metadata[name] for name in wanted}))
call("create_alias", AliasName="alias/first", TargetKeyId=key)
call("create_alias", AliasName="alias/first", TargetKeyId=key)
call("describe_key", KeyId="alias/nothing")
call("describe_key", KeyId="00000000-0000-4000-8000-000000000000")

for name in (key, arn, "alias/first", arn.rsplit(":", 1)[0] + ":alias/first"):
    answer = call("generate_data_key", ("KeyId",), KeyId=name, KeySpec="AES_256", EncryptionContext={"a": "b"})
    opened = call("decrypt", ("KeyId",), CiphertextBlob=answer["CiphertextBlob"], EncryptionContext={"a": "b"})
    assert opened["Plaintext"] == answer["Plaintext"] and len(answer["Plaintext"]) == 32
    call("decrypt", CiphertextBlob=answer["CiphertextBlob"], EncryptionContext={"a": "c"})

sealed = call("encrypt", ("KeyId",), KeyId=key, Plaintext=b"text")
assert call("decrypt", CiphertextBlob=sealed["CiphertextBlob"])["Plaintext"] == b"text"
without = call("generate_data_key_without_plaintext", ("KeyId",), KeyId=key, NumberOfBytes=64)
assert "Plaintext" not in without
assert len(call("generate_data_key", KeyId=key, NumberOfBytes=7)["Plaintext"]) == 7
call("generate_data_key", KeyId=key, NumberOfBytes=1025)

# moto lets a disabled key be used, so that only the states themselves can be compared.
def state():
    """Prints the key's state."""
    print(shown(kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"]))


for operation in ("disable_key", "enable_key"):
    call(operation, KeyId=key)
    state()
call("schedule_key_deletion", KeyId=key, PendingWindowInDays=7)
state()
call("cancel_key_deletion", KeyId=key)
state()
