//! The help of the operations.

use super::support::kms;
use crate::support::World;

#[test]
fn help_is_there_for_every_operation_and_opens_no_store() {
    let world = World::new();
    let list = world.run(["kms", "--help"]).succeeds_silently();
    for word in ["init", "backup", "restore", "generate-data-key-without-plaintext", "schedule-key-deletion"] {
        assert!(list.text().lines().any(|line| line.trim_start().starts_with(&format!("{word} "))), "{word}");
    }
    assert_eq!(world.run(["kms", "help"]).succeeds_silently().text(), list.text());
    let help = kms(&world, &["generate-data-key", "help"]).succeeds_silently();
    for option in ["--key-id <string>", "--dry-run | --no-dry-run", "--grant-tokens <string>...", "--passphrase-file"] {
        assert!(help.text().contains(option), "{option}");
    }
    for other in [&["generate-data-key", "--help"][..], &["generate-data-key", "--key-id", "k", "-h"]] {
        assert_eq!(kms(&world, other).succeeds_silently().text(), help.text());
    }
    assert!(kms(&world, &["create-grant", "help"]).succeeds().text().contains("UnsupportedOperationException"));
    assert!(!world.home().exists());
}

#[test]
fn what_is_no_operation_refuses_with_with_those_that_are_like_it() {
    let world = World::new();
    kms(&world, &["generate-datakey"]).fails_with(2).says("'generate-datakey' is no operation of AWS KMS");
    kms(&world, &["describe-keys"]).fails_with(2).says("hint: ");
    kms(&world, &["list-key"]).fails_with(2).says("hint: did you mean list-key-policies");
}
