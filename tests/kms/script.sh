# Thirty calls of `aws kms`, as a script for AWS makes them. What each prints is under a heading of its own.
call() {
    printf '== %s\n' "$1"
    shift
    aws kms "$@" 2>&1 && printf '[ok]\n' || printf '[failed]\n'
}
quietly() {
    aws kms "$@"
}

key=$(quietly create-key --description 'first key' --query KeyMetadata.KeyId --output text)
other=$(quietly create-key --query KeyMetadata.KeyId --output text)
printf 'thirty calls' > plain
printf '{"KeyId": "alias/script", "NumberOfBytes": 24}' > request.json

call describe describe-key --key-id "$key"
call describe-text describe-key --key-id "$key" --output text --query 'KeyMetadata.[Description, Enabled, KeyState]'
call create-alias create-alias --alias-name alias/script --target-key-id "$key"
call create-alias-again create-alias --alias-name alias/script --target-key-id "$key"
call describe-alias describe-key --key-id alias/script --query 'KeyMetadata.{State: KeyState, Id: KeyId, Arn: Arn}'
call list-aliases list-aliases --key-id "$key" --query 'Aliases[].{Name: AliasName, Key: TargetKeyId}'
call generate generate-data-key --key-id alias/script --key-spec AES_256 --query 'KeyId'
call generate-length generate-data-key --cli-input-json file://request.json --query 'length(Plaintext)'
call generate-without generate-data-key-without-plaintext --key-id alias/script --number-of-bytes 16 --query KeyId
call generate-both generate-data-key --key-id alias/script --key-spec AES_256 --number-of-bytes 16
call generate-nothing generate-data-key --key-id alias/script --number-of-bytes 0
call generate-too-much generate-data-key --key-id alias/script --number-of-bytes 1025
quietly encrypt --key-id alias/script --plaintext fileb://plain --encryption-context purpose=script \
    --query CiphertextBlob --output text | base64 -d > sealed
call decrypt decrypt --ciphertext-blob fileb://sealed --encryption-context purpose=script
call decrypt-text decrypt --ciphertext-blob fileb://sealed --encryption-context '{"purpose": "script"}' --output text
call decrypt-other-context decrypt --ciphertext-blob fileb://sealed --encryption-context purpose=other
call re-encrypt re-encrypt --ciphertext-blob fileb://sealed --source-encryption-context purpose=script \
    --destination-key-id "$other" --query '[SourceKeyId, KeyId]'
call random generate-random --number-of-bytes 5 --query 'length(Plaintext)' --output text
call disable disable-key --key-id "$key"
call disabled generate-data-key --key-id "$key" --key-spec AES_256
call enable enable-key --key-id "$key"
call update-description update-key-description --key-id "$key" --description 'second text'
call described describe-key --key-id "$key" --query KeyMetadata.Description --output text
call tag tag-resource --key-id "$key" --tags TagKey=cost,TagValue=7 TagKey=team,TagValue=a
call tags list-resource-tags --key-id "$key"
call tags-text list-resource-tags --key-id "$key" --output text
call untag untag-resource --key-id "$key" --tag-keys team cost
call rotation enable-key-rotation --key-id "$key"
call rotation-status get-key-rotation-status --key-id "$key" --query KeyRotationEnabled
call policies list-key-policies --key-id "$key"
call schedule schedule-key-deletion --key-id "$other" --pending-window-in-days 7
call scheduled describe-key --key-id "$other" --query 'KeyMetadata.[Enabled, KeyState]' --output text
call cancel cancel-key-deletion --key-id "$other"
call cancelled describe-key --key-id "$other" --query 'KeyMetadata.[Enabled, KeyState]' --output text
call delete-alias delete-alias --alias-name alias/script
call gone describe-key --key-id alias/script
call unknown describe-key --key-id 1234abcd-12ab-34cd-56ef-1234567890ab
call nonsense describe-key --key-id nonsense
call keys list-keys --query 'length(Keys) > `1`'
