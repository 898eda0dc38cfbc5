//! Key states: what each forbids, and in which words.

use rusqlite::Connection;
use waxseal_key_service::{ErrorCode, KeyArn, KeyId, KeyServiceError};
use waxseal_kms_local::{
    CancelKeyDeletionRequest, CreateAliasRequest, DescribeKeyRequest, DisableKeyRequest, EnableKeyRequest, KeyState,
    ScheduleKeyDeletionRequest, ScheduleKeyDeletionResponse,
};

use crate::support::{Fixture, decrypt, encrypt, generate, no_context};

impl Fixture {
    fn schedule(&self, arn: &KeyArn, days: Option<i32>) -> Result<ScheduleKeyDeletionResponse, KeyServiceError> {
        self.kms.schedule_key_deletion(&ScheduleKeyDeletionRequest {
            region: &self.region,
            key_id: &KeyId::Arn(arn.clone()),
            pending_window_in_days: days,
        })
    }

    fn cancel(&self, arn: &KeyArn) -> Result<KeyArn, KeyServiceError> {
        let key_id = &KeyId::Arn(arn.clone());
        self.kms.cancel_key_deletion(&CancelKeyDeletionRequest { region: &self.region, key_id })
    }

    fn enable(&self, arn: &KeyArn) -> Result<(), KeyServiceError> {
        let key_id = &KeyId::Arn(arn.clone());
        self.kms.enable_key(&EnableKeyRequest { region: &self.region, key_id })
    }

    fn state(&self, arn: &KeyArn) -> KeyState {
        let key_id = &KeyId::Arn(arn.clone());
        self.kms.describe_key(&DescribeKeyRequest { region: &self.region, key_id }).unwrap().key_state
    }

    /// Tries every cryptographic operation, and gives the one refusal that all of them give.
    fn refusal(&self, arn: &KeyArn, blob: &[u8]) -> String {
        let key_id = KeyId::Arn(arn.clone());
        let texts = [
            generate(&self.kms, &key_id, &no_context()).unwrap_err().to_string(),
            encrypt(&self.kms, &key_id, b"x").unwrap_err().to_string(),
            decrypt(&self.kms, blob, &no_context(), None).unwrap_err().to_string(),
            decrypt(&self.kms, blob, &no_context(), Some(&key_id)).unwrap_err().to_string(),
        ];
        assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
        texts[0].clone()
    }
}

#[test]
fn a_disabled_key_does_nothing_until_it_is_enabled() {
    let fixture = Fixture::new();
    let arn = fixture.new_key();
    let blob = encrypt(&fixture.kms, &KeyId::Arn(arn.clone()), b"x").unwrap();
    fixture.disable(&arn);
    assert_eq!(fixture.state(&arn), KeyState::Disabled);
    assert_eq!(fixture.refusal(&arn, &blob), format!("DisabledException: {arn} is disabled."));
    fixture.enable(&arn).unwrap();
    assert_eq!(decrypt(&fixture.kms, &blob, &no_context(), None).unwrap().plaintext.expose(), b"x");
}

#[test]
fn a_key_that_is_pending_deletion_does_nothing_and_takes_no_change() {
    let fixture = Fixture::new();
    let arn = fixture.new_key();
    let blob = encrypt(&fixture.kms, &KeyId::Arn(arn.clone()), b"x").unwrap();
    let scheduled = fixture.schedule(&arn, Some(7)).unwrap();
    assert_eq!((scheduled.key_state, scheduled.pending_window_in_days), (KeyState::PendingDeletion, 7));
    let text = format!("KMSInvalidStateException: {arn} is pending deletion.");
    assert_eq!(fixture.refusal(&arn, &blob), text);
    let key_id = &KeyId::Arn(arn.clone());
    let alias = fixture.kms.create_alias(&CreateAliasRequest {
        region: &fixture.region,
        alias_name: &"alias/x".parse().unwrap(),
        target_key_id: key_id,
    });
    let disabled = fixture.kms.disable_key(&DisableKeyRequest { region: &fixture.region, key_id });
    for refused in [fixture.enable(&arn), disabled, alias, fixture.schedule(&arn, None).map(|_| ())] {
        assert_eq!(refused.unwrap_err().to_string(), text);
    }
}

#[test]
fn a_cancelled_deletion_leaves_the_key_disabled() {
    let fixture = Fixture::new();
    let arn = fixture.new_key();
    assert_eq!(
        fixture.cancel(&arn).unwrap_err().to_string(),
        format!("KMSInvalidStateException: {arn} is not pending deletion.")
    );
    fixture.schedule(&arn, None).unwrap();
    assert_eq!(fixture.cancel(&arn).unwrap(), arn);
    assert_eq!(fixture.state(&arn), KeyState::Disabled);
    fixture.enable(&arn).unwrap();
    generate(&fixture.kms, &KeyId::Arn(arn), &no_context()).unwrap();
}

#[test]
fn the_waiting_period_is_7_to_30_days() {
    let fixture = Fixture::new();
    let arn = fixture.new_key();
    assert_eq!(
        fixture.schedule(&arn, Some(6)).unwrap_err().message().unwrap(),
        "1 validation error detected: Value '6' at 'pendingWindowInDays' failed to satisfy constraint: Member must have \
         value greater than or equal to 7"
    );
    assert_eq!(fixture.schedule(&arn, Some(31)).unwrap_err().code(), ErrorCode::Validation);
    assert_eq!(fixture.schedule(&arn, None).unwrap().pending_window_in_days, 30);
}

#[test]
fn a_key_whose_deletion_date_has_come_does_not_exist_and_leaves_nothing() {
    let fixture = Fixture::new();
    let arn = fixture.new_key();
    let key_id = KeyId::Arn(arn.clone());
    let blob = encrypt(&fixture.kms, &key_id, b"x").unwrap();
    fixture.schedule(&arn, None).unwrap();
    let database = Connection::open(fixture.directory.join("kms.db")).unwrap();
    database.execute("UPDATE keys SET deletion_date = 1 WHERE deletion_date IS NOT NULL", []).unwrap();
    let gone = format!("NotFoundException: Key '{arn}' does not exist");
    assert_eq!(fixture.refusal(&arn, &blob), gone);
    assert!(!fixture.kms.has_key(&arn).unwrap());
    let count = "SELECT (SELECT count(*) FROM keys) + (SELECT count(*) FROM key_materials)";
    assert_eq!(database.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap(), 4);
    drop(fixture.reopen());
    assert_eq!(database.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap(), 2);
}

#[test]
fn a_store_that_stays_open_destroys_what_is_due_with_its_next_change() {
    let fixture = Fixture::new();
    let arn = fixture.new_key();
    fixture.schedule(&arn, None).unwrap();
    let database = Connection::open(fixture.directory.join("kms.db")).unwrap();
    database.execute("UPDATE keys SET deletion_date = 1 WHERE deletion_date IS NOT NULL", []).unwrap();
    let count = || {
        let query = "SELECT count(*) FROM key_materials WHERE key_id = ?";
        database.query_row(query, [arn.key_id()], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(count(), 1);
    fixture.disable(&fixture.default_key());
    assert_eq!(count(), 0);
}

#[test]
fn a_state_that_another_opening_changed_is_seen_by_the_next_call() {
    let fixture = Fixture::new();
    let other = fixture.reopen();
    let arn = fixture.new_key();
    let key_id = &KeyId::Arn(arn.clone());
    for _ in 0..20 {
        generate(&other, key_id, &no_context()).unwrap();
        fixture.disable(&arn);
        assert_eq!(generate(&other, key_id, &no_context()).unwrap_err().code(), ErrorCode::Disabled);
        fixture.enable(&arn).unwrap();
    }
}

#[test]
fn states_are_changed_by_key_id_or_arn_only() {
    let fixture = Fixture::new();
    let key_id = &"alias/default".parse().unwrap();
    let refused = fixture.kms.disable_key(&DisableKeyRequest { region: &fixture.region, key_id }).unwrap_err();
    assert_eq!(refused.to_string(), "NotFoundException: Invalid keyId 'alias/default'");
}
