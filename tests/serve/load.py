"""Makes keys and aliases in four threads, and prints each alias with its key when both were acknowledged."""

import sys
import threading

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

kms = boto3.client("kms", config=Config(retries={"total_max_attempts": 1}))
printing = threading.Lock()


def work(thread):
    """Goes on until the server is gone."""
    for number in range(10_000):
        name = f"alias/{sys.argv[1]}-{thread}-{number}"
        try:
            key = kms.create_key()["KeyMetadata"]["KeyId"]
            kms.create_alias(AliasName=name, TargetKeyId=key)
        except (BotoCoreError, ClientError):
            return
        with printing:
            print(f"{name}={key}", flush=True)


threads = [threading.Thread(target=work, args=(thread,)) for thread in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
