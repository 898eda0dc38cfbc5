"""Requests that AWS's own signers have made, and what a served KMS refuses of them, printed a line each."""

import datetime
import os
import urllib.error
import urllib.request
from unittest import mock

import botocore.auth
import boto3
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

URL = os.environ["AWS_ENDPOINT_URL_KMS"] + "/"
BODY = b'{"KeyId":"alias/default"}'
key = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])


def signed(signer=botocore.auth.SigV4Auth, ago=datetime.timedelta(), region="us-east-1", service="kms", key=key):
    """A request that is signed as if it were made some time ago."""
    headers = {"X-Amz-Target": "TrentService.DescribeKey", "Content-Type": "application/x-amz-json-1.1"}
    request = AWSRequest("POST", URL, headers=headers, data=BODY)
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) - ago
    with mock.patch.object(botocore.auth, "get_current_datetime", lambda *_, **__: now):
        signer(key, service, region).add_auth(request)
    return request.prepare()


def send(request, headers=None, body=BODY, url=None):
    """Sends it, and gives the status and the error's code."""
    headers = dict(headers if headers is not None else request.headers.items())
    try:
        with urllib.request.urlopen(urllib.request.Request(url or request.url, body, headers)) as answer:
            return f"{answer.status} {answer.read()[:15].decode()}"
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read().decode()[:60]}"


def without(request, *names):
    """Its headers without some."""
    return {name: value for name, value in request.headers.items() if name not in names}


good = signed()
print("good:", send(good))
print("again:", send(good))
print("four minutes old:", send(signed(ago=datetime.timedelta(minutes=4))))
print("replayed after the skew:", send(signed(ago=datetime.timedelta(minutes=6))))
print("from the future:", send(signed(ago=-datetime.timedelta(minutes=6))))
print("unsigned:", send(good, without(good, "Authorization")))
print("presigned:", send(signed(botocore.auth.SigV4QueryAuth)))
url = boto3.client("kms").generate_presigned_url("describe_key", Params={"KeyId": "alias/default"})
print("presigned by boto3:", send(good, without(good, "Authorization", "X-Amz-Date"), url=url))
print("other body:", send(good, body=BODY.replace(b"default", b"defaulT")))
other = dict(good.headers.items()) | {"X-Amz-Target": "TrentService.ScheduleKeyDeletion"}
print("other operation:", send(good, other))
print("other date:", send(good, dict(good.headers.items()) | {"X-Amz-Date": "20000101T000000Z"}))
print("other service:", send(signed(service="s3")))
print("other secret:", send(signed(key=Credentials(key.access_key, "x" * 40))))
print("other key:", send(signed(key=Credentials("AKIAIOSFODNN7EXAMPLE", key.secret_key))))
print("with a token:", send(signed(key=Credentials(key.access_key, key.secret_key, "token"))))
