//! The four forms of a key's name.

use waxseal_key_service::{ErrorCode, KeyArn, KeyId, LOCAL_ACCOUNT};
use waxseal_kms_local::{CreateAliasRequest, CreateKeyRequest, DescribeKeyRequest, KeyState, Region};

use crate::support::{Fixture, decrypt, generate, key, no_context};

#[test]
fn all_four_forms_of_a_name_find_the_same_key() {
    let fixture = Fixture::new();
    let arn = fixture.default_key();
    for form in [
        key(arn.key_id()),
        KeyId::Arn(arn.clone()),
        key("alias/default"),
        key(&format!("arn:aws:kms:us-east-1:{LOCAL_ACCOUNT}:alias/default")),
    ] {
        // Twice, so that both the database and the memory answer.
        for _ in 0..2 {
            let generated = generate(&fixture.kms, &form, &no_context()).unwrap();
            assert_eq!(generated.key_id, arn);
            let opened = decrypt(&fixture.kms, &generated.ciphertext_blob, &no_context(), Some(&form)).unwrap();
            assert_eq!(opened.key_id, arn);
            assert_eq!(opened.key_material_id, generated.key_material_id);
            assert_eq!(opened.plaintext.expose(), generated.plaintext.expose());
        }
    }
}

#[test]
fn a_new_key_is_described_as_it_was_asked_for() {
    let fixture = Fixture::new();
    let eu: Region = "eu-west-1".parse().unwrap();
    let made = fixture.kms.create_key(&CreateKeyRequest { region: &eu, description: "payroll" }).unwrap();
    let key_id = &KeyId::Arn(made.arn.clone());
    let described = fixture.kms.describe_key(&DescribeKeyRequest { region: &eu, key_id }).unwrap();
    assert_eq!(described, made);
    assert_eq!((made.arn.region(), made.arn.account()), ("eu-west-1", LOCAL_ACCOUNT));
    assert_eq!((made.description.as_str(), made.key_state, made.enabled()), ("payroll", KeyState::Enabled, true));
    assert_eq!(made.current_key_material_id.len(), 64);
    assert_eq!(made.deletion_date, None);
    let too_long = fixture.kms.create_key(&CreateKeyRequest { region: &eu, description: &"x".repeat(8193) });
    assert_eq!(too_long.unwrap_err().code(), ErrorCode::Validation);
}

#[test]
fn what_is_not_there_is_not_found_in_the_words_of_aws() {
    let fixture = Fixture::new();
    let text = |name: &str| generate(&fixture.kms, &key(name), &no_context()).unwrap_err().to_string();
    let id = "1234abcd-12ab-44cd-96ef-1234567890ab";
    let arn = format!("arn:aws:kms:us-east-1:{LOCAL_ACCOUNT}:key/{id}");
    assert_eq!(text(id), format!("NotFoundException: Key '{arn}' does not exist"));
    assert_eq!(text(&arn), format!("NotFoundException: Key '{arn}' does not exist"));
    let alias = format!("arn:aws:kms:us-east-1:{LOCAL_ACCOUNT}:alias/none");
    assert_eq!(text("alias/none"), format!("NotFoundException: Alias {alias} is not found."));
    assert_eq!(text(&alias), format!("NotFoundException: Alias {alias} is not found."));
    let mrk = "mrk-1234abcd12ab44cd96ef1234567890ab";
    assert_eq!(
        text(mrk),
        format!("NotFoundException: Key 'arn:aws:kms:us-east-1:{LOCAL_ACCOUNT}:key/{mrk}' does not exist")
    );
    let elsewhere = format!("arn:aws:kms:us-west-2:{LOCAL_ACCOUNT}:key/{id}");
    assert_eq!(text(&elsewhere), "NotFoundException: Invalid arn us-west-2");
}

#[test]
fn keys_and_aliases_belong_to_their_region() {
    let fixture = Fixture::new();
    let eu: Region = "eu-west-1".parse().unwrap();
    let in_eu = fixture.kms.create_key(&CreateKeyRequest { region: &eu, description: "" }).unwrap().arn;
    let name = "alias/eu".parse().unwrap();
    let target_key_id = &KeyId::Arn(in_eu.clone());
    fixture.kms.create_alias(&CreateAliasRequest { region: &eu, alias_name: &name, target_key_id }).unwrap();
    assert!(generate(&fixture.kms, &key("alias/eu"), &no_context()).is_err());
    assert!(generate(&fixture.kms, &key(in_eu.key_id()), &no_context()).is_err());
    assert_eq!(fixture.kms.regions_with_alias(&name).unwrap(), [eu]);
    assert_eq!(fixture.kms.regions_with_alias(&"alias/none".parse().unwrap()).unwrap(), []);
}

#[test]
fn a_store_knows_its_own_keys_and_no_others() {
    let fixture = Fixture::new();
    let arn = fixture.default_key();
    assert!(fixture.kms.has_key(&arn).unwrap());
    let other = |region: &str, account: &str, id: &str| KeyArn::new(region, account, id).unwrap();
    for foreign in [
        other("us-west-2", LOCAL_ACCOUNT, arn.key_id()),
        other("us-east-1", "111122223333", arn.key_id()),
        other("us-east-1", LOCAL_ACCOUNT, "1234abcd-12ab-44cd-96ef-1234567890ab"),
        other(&"r".repeat(40), LOCAL_ACCOUNT, arn.key_id()),
    ] {
        assert!(!fixture.kms.has_key(&foreign).unwrap(), "{foreign}");
    }
}

#[test]
fn an_alias_is_made_once_for_a_key_that_is_there() {
    let fixture = Fixture::new();
    let region = &fixture.region;
    let target = KeyId::Arn(fixture.default_key());
    let create = |name: &str, target_key_id: &KeyId| {
        let alias_name = &name.parse().unwrap();
        fixture.kms.create_alias(&CreateAliasRequest { region, alias_name, target_key_id })
    };
    create("alias/x", &target).unwrap();
    let text = |result: Result<(), waxseal_key_service::KeyServiceError>| result.unwrap_err().to_string();
    assert_eq!(
        text(create("alias/x", &target)),
        format!(
            "AlreadyExistsException: An alias with the name arn:aws:kms:us-east-1:{LOCAL_ACCOUNT}:alias/x already exists"
        )
    );
    assert_eq!(
        text(create("alias/y", &key("alias/x"))),
        "ValidationException: Aliases must refer to keys. Not aliases"
    );
    assert_eq!(text(create("alias/aws/s3", &target)), "NotAuthorizedException");
    let absent = create("alias/y", &key("1234abcd-12ab-44cd-96ef-1234567890ab"));
    assert_eq!(absent.unwrap_err().code(), ErrorCode::NotFound);
}
