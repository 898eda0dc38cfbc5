"""Checks that every alias that is named as an argument leads to its key, and that the key works."""

import sys

import boto3

kms = boto3.client("kms")
for argument in sys.argv[1:]:
    name, key = argument.split("=")
    answer = kms.generate_data_key(KeyId=name, KeySpec="AES_256")
    assert answer["KeyId"].endswith(f"/{key}"), (name, answer["KeyId"], key)
    opened = kms.decrypt(CiphertextBlob=answer["CiphertextBlob"])
    assert opened["Plaintext"] == answer["Plaintext"]
