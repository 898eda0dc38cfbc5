# A stream to S3 and back, by the AWS CLI, with moto's server in the place of S3.
. "$(dirname "$0")/common"
PATH=$PATH:$tools
needs aws ".ci/run installs it to target/tools/venv"
needs moto_server ".ci/run installs it to target/tools/venv"
needs rsync "apt-get install rsync"
make_documents project

moto_server -H 127.0.0.1 -p 0 >"$scratch/moto" 2>&1 &
processes+=($!)
for _ in $(seq 300); do
    url=$(sed -n 's/.*Running on \(http[^ ]*\).*/\1/p' "$scratch/moto")
    [ -z "$url" ] || break
    sleep 0.1
done
[ -n "$url" ] || { cat "$scratch/moto"; fail "moto does not start"; }
export AWS_ENDPOINT_URL=$url AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=eu-west-1 AWS_DEFAULT_REGION=eu-west-1
export AWS_EC2_METADATA_DISABLED=true
aws s3 mb s3://bucket
object() { aws s3api head-object --bucket bucket --key project.tar.wax; }

step "there and back"
documented s3-backup
documented s3-restore
same project restored/project

step "tar fails: the pipe does, and no object is left"
mv project elsewhere
fails documented s3-backup
fails object
mv elsewhere project

step "an object that is cut: the restore fails"
tar c project | waxseal encrypt | head -c 2000000 | aws s3 cp - s3://bucket/project.tar.wax || true
object >/dev/null
rm -r restored
fails documented s3-restore
