//! Lists: all pages by default, and the AWS CLI's options for less.

use serde_json::{Value, json};

use super::support::{Answers, create_key, kms};
use crate::support::{Run, World};

/// A world with seven keys.
fn seven() -> World {
    let world = World::with_store();
    for _ in 0..6 {
        create_key(&world);
    }
    world
}

fn ids(answer: &Value) -> Vec<&str> {
    answer["Keys"].as_array().unwrap().iter().map(|key| key["KeyId"].as_str().unwrap()).collect()
}

fn list(world: &World, options: &[&str]) -> Run {
    kms(world, &[&["list-keys"], options].concat())
}

#[test]
fn all_pages_are_one_answer() {
    let world = seven();
    let all = list(&world, &[]).answer();
    assert_eq!(ids(&all).len(), 7);
    assert_eq!(all.as_object().unwrap().keys().collect::<Vec<_>>(), ["Keys"]);
    assert_eq!(list(&world, &["--page-size", "2"]).answer(), all);
    assert!(list(&world, &[]).text().starts_with("{\n    \"Keys\": [\n        {\n            \"KeyId\": "));
}

#[test]
fn max_items_ends_a_list_and_starting_token_goes_on() {
    let world = seven();
    let all = list(&world, &[]).answer();
    for page_size in ["1", "2", "3", "100"] {
        let mut found = Vec::new();
        let mut rest: Vec<String> = Vec::new();
        loop {
            let begin = ["--page-size", page_size, "--max-items", "3"];
            let options: Vec<&str> = begin.into_iter().chain(rest.iter().map(String::as_str)).collect();
            let part = list(&world, &options).answer();
            found.extend(ids(&part).into_iter().map(ToOwned::to_owned));
            let Some(token) = part.get("NextToken") else { break };
            assert_eq!(ids(&part).len(), 3);
            rest = vec!["--starting-token".to_owned(), token.as_str().unwrap().to_owned()];
        }
        assert_eq!(found, ids(&all), "pages of {page_size}");
    }
}

#[test]
fn one_request_shows_its_marker_and_its_end() {
    let world = seven();
    let all = list(&world, &[]).answer();
    assert_eq!(list(&world, &["--no-paginate"]).answer()["Truncated"], json!(false));
    let first = list(&world, &["--limit", "5"]).answer();
    assert_eq!((ids(&first).len(), &first["Truncated"]), (5, &json!(true)));
    let rest = list(&world, &["--marker", first["NextMarker"].as_str().unwrap()]).answer();
    assert_eq!((ids(&rest), &rest["Truncated"]), (ids(&all)[5..].to_vec(), &json!(false)));
    assert_eq!(list(&world, &["--cli-input-json", r#"{"Limit":5}"#]).answer(), first);
    let both = list(&world, &["--no-paginate", "--max-items", "5"]).fails_with(2).writes_nothing();
    both.says("Cannot specify --no-paginate along with pagination arguments: --max-items");
    list(&world, &["--max-items", "x"]).fails_with(2).says("a whole number is expected");
    list(&world, &["--limit", "1001"]).fails_with(8).says("(ValidationException)");
    list(&world, &["--limit", "0"]).fails_with(2).says("valid min value: 1");
    list(&world, &["--marker", "nonsense"]).fails_with(8).says("(InvalidMarkerException)");
}

#[test]
fn text_comes_page_by_page_and_ends_with_the_token() {
    let world = seven();
    let run = list(&world, &["--output", "text", "--page-size", "2", "--max-items", "5"]).succeeds_silently();
    let lines: Vec<&str> = run.text().lines().collect();
    assert_eq!(lines.len(), 6);
    assert!(lines[..5].iter().all(|line| line.starts_with("KEYS\tarn:aws:kms:") && line.split('\t').count() == 3));
    assert!(lines[5].starts_with("NEXTTOKEN\t"));
    // A query is asked of each page, and of the token's: so does the AWS CLI.
    let count = ["--output", "text", "--page-size", "3", "--query", "length(Keys)"];
    assert_eq!(list(&world, &count).succeeds_silently().text(), "3\n3\n1\n");
    let ids = list(&world, &["--output", "text", "--query", "Keys[].KeyId"]).succeeds_silently();
    assert_eq!(ids.text().trim_end().split('\t').count(), 7);
}
