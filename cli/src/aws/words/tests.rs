//! Command lines, right and wrong.

use super::*;

fn read_line(line: &str) -> Result<Words, CliError> {
    let words: Vec<String> = line.split(' ').map(ToOwned::to_owned).collect();
    let [service, operation] = positions(&words)[..] else { panic!("{line}: no operation") };
    read(&words, service, operation)
}

/// What was read, in short.
fn summary(line: &str) -> String {
    let words = match read_line(line) {
        Ok(words) => words,
        Err(error) => return error.text().0,
    };
    let given = words.given.iter().map(|(member, given)| match given {
        Given::Flag(value) => format!("{}={value}", member.name),
        Given::One(value) => format!("{}={value}", member.name),
        Given::Many(values) => format!("{}={values:?}", member.name),
    });
    let others = words.others.iter().map(|(name, value)| format!("{name}={}", value.as_deref().unwrap_or("")));
    format!("{}: {}", words.operation.name, given.chain(others).collect::<Vec<_>>().join(" "))
}

#[test]
fn options_stand_anywhere_and_may_be_shortened() {
    for (line, expected) in [
        ("kms list-keys", "ListKeys: "),
        ("--region x kms --output text list-keys --max-items 5", "ListKeys: region=x output=text max-items=5"),
        ("--output=text kms list-keys --no-pag", "ListKeys: output=text no-paginate="),
        ("kms describe-key --key-id a --key-id b", "DescribeKey: KeyId=b"),
        ("kms describe-key --key=a", "DescribeKey: KeyId=a"),
        ("kms generate-data-key --key-i k --num 8 --dry-run", "GenerateDataKey: KeyId=k NumberOfBytes=8 DryRun=true"),
        ("kms generate-data-key --key-id k --dry-run --no-dry-run", "GenerateDataKey: KeyId=k DryRun=false"),
        ("kms generate-data-key --grant-tokens a b --key-id k", "GenerateDataKey: GrantTokens=[\"a\", \"b\"] KeyId=k"),
        ("kms generate-data-key --key-id k --number-of-bytes -1", "GenerateDataKey: KeyId=k NumberOfBytes=-1"),
        ("kms describe-key --key-id=-x", "DescribeKey: KeyId=-x"),
        ("kms describe-key --generate-cli-skeleton --key-id a", "DescribeKey: KeyId=a generate-cli-skeleton=input"),
        ("kms describe-key --cli-input-json {}", "DescribeKey: cli-input-json={}"),
        ("--home d -q kms list-keys -v", "ListKeys: home=d quiet= verbose="),
    ] {
        assert_eq!(summary(line), expected, "{line}");
    }
}

#[test]
fn what_is_missing_or_not_understood_is_named() {
    for (line, expected) in [
        ("kms describe-key", "the following arguments are required: --key-id"),
        ("kms create-alias", "the following arguments are required: --alias-name, --target-key-id"),
        ("kms describe-key --generate-cli-skeleton output", "the following arguments are required: --key-id"),
        ("kms describe-key --key-id", "argument --key-id: expected one argument"),
        ("kms describe-key --key-id --debug", "argument --key-id: expected one argument"),
        ("kms describe-key --key-id a --foo b", "Unknown options: --foo, b"),
        ("kms describe-key --key-id a -x", "Unknown options: -x"),
        ("kms describe-key --key-id a b", "Unknown options: b"),
        ("kms generate-data-key --key-id a --dry-run=true", "argument --dry-run: takes no value"),
        ("kms generate-data-key --ke a", "ambiguous option: --ke could match --key-id, --key-spec"),
        (
            "kms list-keys --output xml",
            "argument --output: invalid choice: 'xml' (choose from json, text, table, yaml, yaml-stream, off)",
        ),
        ("kms list-keys --hom d", "Unknown options: --hom, d"),
        ("kms describe-keys", "'describe-keys' is no operation of AWS KMS"),
    ] {
        assert_eq!(summary(line), expected, "{line}");
    }
}

#[test]
fn help_needs_nothing_else() {
    for line in ["kms describe-key help", "kms describe-key --help", "kms describe-key --foo -h"] {
        assert!(read_line(line).unwrap().help, "{line}");
    }
    assert!(!read_line("kms describe-key --key-id help").unwrap().help);
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    for operation in model::operations() {
        let line = format!("kms {} help", kebab(operation.name));
        assert_eq!(read_line(&line).unwrap().operation.name, operation.name);
    }
    assert_eq!(kebab("XksProxyVpcEndpointServiceName"), "xks-proxy-vpc-endpoint-service-name");
}
