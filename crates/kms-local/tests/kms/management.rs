//! Descriptions, tags, aliases, policies and lists.

use serde_json::{Value, json};

use crate::support::Fixture;

impl Fixture {
    /// All entries of a list, in pages of `limit`.
    fn pages(&self, operation: &str, list: &str, limit: usize, request: Value) -> Vec<Value> {
        let (mut entries, mut request) = (Vec::new(), request);
        request["Limit"] = json!(limit);
        loop {
            let page = self.call(operation, request.clone()).unwrap();
            let found = page[list].as_array().unwrap();
            assert!(found.len() <= limit);
            entries.extend(found.iter().cloned());
            match page.get("NextMarker") {
                Some(marker) => request["Marker"] = marker.clone(),
                None => {
                    assert_eq!(page["Truncated"], false);
                    return entries;
                }
            }
            assert_eq!((page["Truncated"].as_bool(), found.len()), (Some(true), limit));
        }
    }
}

#[test]
fn a_description_is_changed_to_the_last_letter() {
    let fixture = Fixture::new();
    let key = fixture.default_key();
    for description in ["", "ü\n\"", &"x".repeat(8192)] {
        let request = json!({"KeyId": key.as_str(), "Description": description});
        assert_eq!(fixture.call("UpdateKeyDescription", request).unwrap(), Value::Null);
        let described = fixture.call("DescribeKey", json!({"KeyId": key.as_str()})).unwrap();
        assert_eq!(described["KeyMetadata"]["Description"], description);
    }
}

#[test]
fn keys_are_listed_page_by_page_in_their_own_region() {
    let fixture = Fixture::new();
    let mut arns = vec![fixture.default_key().to_string()];
    arns.extend((0..6).map(|_| fixture.new_key().to_string()));
    arns.sort();
    let other = "eu-west-1".parse().unwrap();
    fixture.kms.call(&other, "CreateKey", b"{}").unwrap();
    for limit in [1, 2, 3, 7, 1000] {
        let listed = fixture.pages("ListKeys", "Keys", limit, json!({}));
        let found: Vec<&str> = listed.iter().map(|key| key["KeyArn"].as_str().unwrap()).collect();
        assert_eq!(found, arns);
        assert!(listed.iter().all(|key| key["KeyArn"].as_str().unwrap().ends_with(key["KeyId"].as_str().unwrap())));
    }
    let none = fixture.call("ListKeys", json!({"ResourceOwners": ["OTHER_ACCOUNTS_VIA_RAM"]})).unwrap();
    assert_eq!(none, json!({"Keys": [], "Truncated": false}));
}

#[test]
fn markers_that_no_page_ended_with_are_refused() {
    let fixture = Fixture::new();
    let key = fixture.default_key();
    for (operation, marker) in [
        ("ListKeys", "x"),
        ("ListKeys", "eA=="),
        ("ListAliases", "eA=="),
        ("ListKeyRotations", "eA=="),
        ("ListKeyPolicies", "eA=="),
        ("ListResourceTags", "gA=="),
    ] {
        let mut request = json!({"Marker": marker});
        if operation != "ListKeys" {
            request["KeyId"] = json!(key.as_str());
        }
        assert!(fixture.refused(operation, request).starts_with("InvalidMarkerException: "), "{operation} {marker}");
    }
}

#[test]
fn a_list_has_bounds_of_its_own_beside_those_of_the_model() {
    let fixture = Fixture::new();
    let key = fixture.default_key();
    for (operation, most) in [("ListAliases", 100), ("ListResourceTags", 50), ("ListKeyRotations", 1000)] {
        let list = |limit: i32| fixture.call(operation, json!({"KeyId": key.as_str(), "Limit": limit}));
        assert!(list(most).is_ok(), "{operation}");
        let text = list(most + 1).unwrap_err().to_string();
        assert!(text.ends_with(&format!("less than or equal to {most}")), "{text}");
    }
}

#[test]
fn tags_are_set_replaced_listed_and_removed() {
    let fixture = Fixture::new();
    let tag = |key: &str, value: &str| json!({"TagKey": key, "TagValue": value});
    let made = fixture.call("CreateKey", json!({"Tags": [tag("b", "1"), tag("ü", "")]})).unwrap();
    let key = &made["KeyMetadata"]["KeyId"];
    let listed = |limit| fixture.pages("ListResourceTags", "Tags", limit, json!({"KeyId": key}));
    assert_eq!(listed(50), [tag("b", "1"), tag("ü", "")]);
    fixture.call("TagResource", json!({"KeyId": key, "Tags": [tag("a", "2"), tag("b", "3")]})).unwrap();
    assert_eq!(listed(1), [tag("a", "2"), tag("b", "3"), tag("ü", "")]);
    fixture.call("UntagResource", json!({"KeyId": key, "TagKeys": ["b", "never"]})).unwrap();
    assert_eq!(listed(50), [tag("a", "2"), tag("ü", "")]);
    for (tags, text) in [
        (json!([tag("x", "1"), tag("x", "2")]), "TagException: Duplicate tag keys"),
        (json!([tag("aws:x", "1")]), "TagException: Tags beginning with aws: are reserved"),
        (Value::from_iter((0..51).map(|number| tag(&format!("t{number}"), ""))), "TagException: Too many tags"),
        (Value::from_iter((0..49).map(|number| tag(&format!("t{number}"), ""))), "TagException: Too many tags"),
    ] {
        assert_eq!(fixture.refused("TagResource", json!({"KeyId": key, "Tags": tags})), text);
    }
    // A refused request has changed nothing.
    assert_eq!(listed(50), [tag("a", "2"), tag("ü", "")]);
    let keys = fixture.pages("ListKeys", "Keys", 1000, json!({})).len();
    assert_eq!(fixture.refused("CreateKey", json!({"Tags": [tag("AWS:x", "")]}))[..12], *"TagException");
    assert_eq!(fixture.pages("ListKeys", "Keys", 1000, json!({})).len(), keys);
}

#[test]
fn an_alias_moves_between_keys_of_one_kind() {
    let fixture = Fixture::new();
    let (one, other) = (fixture.default_key(), fixture.new_key());
    let update =
        |target: &Value| fixture.call("UpdateAlias", json!({"AliasName": "alias/default", "TargetKeyId": target}));
    let target =
        || fixture.call("DescribeKey", json!({"KeyId": "alias/default"})).unwrap()["KeyMetadata"]["Arn"].clone();
    assert_eq!(update(&json!(other.as_str())).unwrap(), Value::Null);
    assert_eq!(target(), other.as_str());
    let before = fixture.call("ListAliases", json!({})).unwrap()["Aliases"][0].clone();
    assert!(before["LastUpdatedDate"].as_f64() >= before["CreationDate"].as_f64());
    let pair = fixture.call("CreateKey", json!({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"})).unwrap();
    let refused = update(&pair["KeyMetadata"]["Arn"]).unwrap_err().to_string();
    assert!(refused.starts_with("ValidationException: The current and the new key"), "{refused}");
    assert_eq!(
        update(&json!("alias/default")).unwrap_err().to_string(),
        "ValidationException: Aliases must refer to keys. Not aliases"
    );
    assert_eq!(target(), other.as_str());
    let absent = json!({"AliasName": "alias/absent", "TargetKeyId": one.as_str()});
    let text = "NotFoundException: Alias arn:aws:kms:us-east-1:000000000000:alias/absent is not found.";
    assert_eq!(fixture.refused("UpdateAlias", absent), text);
    assert_eq!(fixture.refused("DeleteAlias", json!({"AliasName": "alias/absent"})), text);
    for operation in ["CreateAlias", "UpdateAlias", "DeleteAlias"] {
        let request = |name: &str| json!({"AliasName": name, "TargetKeyId": one.as_str()});
        assert_eq!(fixture.refused(operation, request("alias/aws/x")), "NotAuthorizedException");
        assert!(fixture.refused(operation, request("x")).contains("must start with the prefix \"alias/\""));
        assert!(fixture.refused(operation, request("alias/a:b")).starts_with("InvalidAliasNameException"));
    }
    assert_eq!(fixture.call("DeleteAlias", json!({"AliasName": "alias/default"})).unwrap(), Value::Null);
    assert!(fixture.refused("DescribeKey", json!({"KeyId": "alias/default"})).starts_with("NotFoundException"));
}

#[test]
fn aliases_are_listed_by_name_and_by_key() {
    let fixture = Fixture::new();
    let (one, other) = (fixture.default_key(), fixture.new_key());
    for (name, key) in [("alias/b", &other), ("alias/a", &one), ("alias/c", &other)] {
        fixture.call("CreateAlias", json!({"AliasName": name, "TargetKeyId": key.key_id()})).unwrap();
    }
    let names = |limit, request| {
        let aliases = fixture.pages("ListAliases", "Aliases", limit, request);
        aliases.iter().map(|alias| alias["AliasName"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(1, json!({})), ["alias/a", "alias/b", "alias/c", "alias/default"]);
    assert_eq!(names(100, json!({"KeyId": other.as_str()})), ["alias/b", "alias/c"]);
    let listed = &fixture.call("ListAliases", json!({"KeyId": other.key_id(), "Limit": 1})).unwrap()["Aliases"][0];
    assert_eq!(
        *listed,
        json!({
            "AliasName": "alias/b", "AliasArn": "arn:aws:kms:us-east-1:000000000000:alias/b",
            "TargetKeyId": other.key_id(), "CreationDate": listed["CreationDate"],
            "LastUpdatedDate": listed["CreationDate"],
        })
    );
    assert_eq!(
        fixture.refused("ListAliases", json!({"KeyId": "alias/b"})),
        "NotFoundException: Invalid keyId 'alias/b'"
    );
}

#[test]
fn every_key_has_the_default_policy_and_takes_no_other() {
    let fixture = Fixture::new();
    let key = fixture.default_key();
    let with = |mut request: Value| {
        request["KeyId"] = json!(key.as_str());
        request
    };
    let policy = fixture.call("GetKeyPolicy", with(json!({"PolicyName": "default"}))).unwrap();
    assert_eq!(policy["PolicyName"], "default");
    let text = policy["Policy"].as_str().unwrap();
    let parsed: Value = serde_json::from_str(text).unwrap();
    assert_eq!(parsed["Statement"][0]["Principal"]["AWS"], "arn:aws:iam::000000000000:root");
    assert_eq!(
        fixture.call("ListKeyPolicies", with(json!({}))).unwrap(),
        json!({"PolicyNames": ["default"], "Truncated": false})
    );
    for same in [text, &parsed.to_string()] {
        assert_eq!(fixture.call("PutKeyPolicy", with(json!({"Policy": same}))).unwrap(), Value::Null);
        fixture.call("CreateKey", json!({"Policy": same})).unwrap();
    }
    for (other, code) in [
        ("{}", "UnsupportedOperationException"),
        (&text.replace("kms:*", "kms:Decrypt"), "UnsupportedOperationException"),
        ("no JSON", "MalformedPolicyDocumentException"),
        ("[]", "MalformedPolicyDocumentException"),
    ] {
        assert!(fixture.refused("PutKeyPolicy", with(json!({"Policy": other}))).starts_with(code), "{other}");
        assert!(fixture.refused("CreateKey", json!({"Policy": other})).starts_with(code), "{other}");
    }
    assert!(fixture.refused("GetKeyPolicy", with(json!({"PolicyName": "x"}))).starts_with("NotFoundException"));
    assert!(fixture.refused("PutKeyPolicy", with(json!({"PolicyName": "x", "Policy": text}))).starts_with("NotFound"));
}

#[test]
fn what_manages_a_key_takes_no_alias() {
    let fixture = Fixture::new();
    for (operation, request) in [
        ("CancelKeyDeletion", json!({})),
        ("DisableKey", json!({})),
        ("DisableKeyRotation", json!({})),
        ("EnableKey", json!({})),
        ("EnableKeyRotation", json!({})),
        ("GetKeyPolicy", json!({})),
        ("GetKeyRotationStatus", json!({})),
        ("ListKeyPolicies", json!({})),
        ("ListKeyRotations", json!({})),
        ("ListResourceTags", json!({})),
        ("PutKeyPolicy", json!({"Policy": "{}"})),
        ("RotateKeyOnDemand", json!({})),
        ("ScheduleKeyDeletion", json!({})),
        ("TagResource", json!({"Tags": []})),
        ("UntagResource", json!({"TagKeys": []})),
        ("UpdateKeyDescription", json!({"Description": ""})),
    ] {
        let mut request = request;
        request["KeyId"] = json!("alias/default");
        assert_eq!(
            fixture.refused(operation, request),
            "NotFoundException: Invalid keyId 'alias/default'",
            "{operation}"
        );
    }
}
