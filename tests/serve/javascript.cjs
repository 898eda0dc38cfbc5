// The AWS SDK for JavaScript on a served KMS: calls of each kind, and the errors by their classes.
const assert = require("node:assert/strict");
const kms = require("@aws-sdk/client-kms");

async function main() {
    const client = new kms.KMSClient({ endpoint: process.env.AWS_ENDPOINT_URL_KMS, region: "eu-west-1" });
    const call = (name, input) => client.send(new kms[`${name}Command`](input));

    const { KeyMetadata: key } = await call("CreateKey", { Description: "of JavaScript", Tags: [{ TagKey: "a", TagValue: "b" }] });
    assert.match(key.Arn, /^arn:aws:kms:eu-west-1:000000000000:key\//);
    assert.ok(key.CreationDate instanceof Date && Math.abs(Date.now() - key.CreationDate) < 3600e3);
    await call("CreateAlias", { AliasName: "alias/javascript", TargetKeyId: key.KeyId });

    const EncryptionContext = { project: "apollo", "ü": "€" };
    const made = await call("GenerateDataKey", { KeyId: "alias/javascript", KeySpec: "AES_256", EncryptionContext });
    assert.equal(made.Plaintext.length, 32);
    const opened = await call("Decrypt", { CiphertextBlob: made.CiphertextBlob, KeyId: key.Arn, EncryptionContext });
    assert.deepEqual(opened.Plaintext, made.Plaintext);
    const rewrapped = await call("ReEncrypt", {
        CiphertextBlob: made.CiphertextBlob, SourceEncryptionContext: EncryptionContext, DestinationKeyId: key.KeyId,
    });
    const again = await call("Decrypt", { CiphertextBlob: rewrapped.CiphertextBlob });
    assert.deepEqual(again.Plaintext, made.Plaintext);

    const found = [];
    for await (const page of kms.paginateListAliases({ client, pageSize: 1 }, {})) found.push(...page.Aliases);
    assert.deepEqual(found.map((alias) => alias.AliasName), ["alias/javascript"]);

    await assert.rejects(call("Decrypt", { CiphertextBlob: made.CiphertextBlob }), kms.InvalidCiphertextException);
    await assert.rejects(call("DescribeKey", { KeyId: "alias/nobody" }), kms.NotFoundException);
    await call("DisableKey", { KeyId: key.KeyId });
    await assert.rejects(call("Encrypt", { KeyId: key.KeyId, Plaintext: Buffer.from("x") }), kms.DisabledException);

    const credentials = { accessKeyId: process.env.AWS_ACCESS_KEY_ID, secretAccessKey: "x".repeat(40) };
    const stranger = new kms.KMSClient({ endpoint: process.env.AWS_ENDPOINT_URL_KMS, region: "eu-west-1", credentials });
    await assert.rejects(stranger.send(new kms.ListKeysCommand({})), { name: "InvalidSignatureException" });
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
