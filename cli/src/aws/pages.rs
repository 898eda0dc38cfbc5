//! Lists that the service answers in pages: followed to the end, or to as many items as were asked for.
//!
//! What is printed to go on with, `NextToken`, is the token of the AWS CLI: the JSON of the service's own marker, and of how
//! many items of that page were printed already, in base64.

use base64ct::{Base64, Encoding as _};
use serde_json::{Value, json};
use waxseal_kms_local::model::Operation;

use super::data::Data;
use super::globals::{MAX_ITEMS, PAGE_SIZE, STARTING_TOKEN};
use super::words::Words;
use crate::error::{Class, CliError};

/// The member of a request that says where to go on.
const MARKER: &str = "Marker";
/// The member of a request that says how much at most is to be answered.
const LIMIT: &str = "Limit";

/// How a list is gone through.
pub(super) struct Pages {
    /// The answer's list.
    list: &'static str,
    max_items: Option<usize>,
    page_size: Option<i64>,
    start: Place,
}

/// A place in a list: a page, and how many of its items were printed before.
#[derive(Clone, Default)]
#[cfg_attr(test, derive(Debug, PartialEq))]
struct Place {
    marker: Option<String>,
    skipped: usize,
}

impl Pages {
    /// How the list of an operation is gone through; not at all if it has none, if `--no-paginate` was given, or if the
    /// request says by itself where to begin or how much to answer.
    ///
    /// # Errors
    /// A number or a token is wrong, or does not go with the other options.
    pub(super) fn of(
        operation: &Operation,
        words: &Words,
        params: &[(String, Data)],
    ) -> Result<Option<Self>, CliError> {
        let Some(list) = operation.pages else { return Ok(None) };
        let by_hand = params.iter().any(|(name, _)| name == MARKER || name == LIMIT);
        if words.has("no-paginate") || by_hand {
            let used = [STARTING_TOKEN, PAGE_SIZE, MAX_ITEMS].into_iter().filter(|name| words.has(name));
            let used: Vec<String> = used.map(|name| format!("--{name}")).collect();
            if used.is_empty() {
                return Ok(None);
            }
            let text = format!("Cannot specify --no-paginate along with pagination arguments: {}", used.join(", "));
            return Err(CliError::usage(text).hint("--marker and --limit make one request, as --no-paginate does"));
        }
        let start = words.value(STARTING_TOKEN).map(Place::read).transpose()?.unwrap_or_default();
        Ok(Some(Self { list, max_items: number(words, MAX_ITEMS)?, page_size: number(words, PAGE_SIZE)?, start }))
    }

    /// Asks for page after page, and hands the items of each to `take`. Gives the token for what was left out, if any was.
    ///
    /// # Errors
    /// Those of `ask` and `take`, or the service answers with the marker that it was given.
    pub(super) fn go_through(
        &self,
        params: &[(String, Data)],
        mut ask: impl FnMut(&[(String, Data)]) -> Result<Data, CliError>,
        mut take: impl FnMut(Vec<Data>) -> Result<(), CliError>,
    ) -> Result<Option<String>, CliError> {
        let mut place = self.start.clone();
        let mut left = self.max_items;
        loop {
            let (items, next) = self.page(ask(&self.request(params, &place))?);
            let mut items = items.into_iter().skip(place.skipped).collect::<Vec<_>>();
            if let Some(left) = left.filter(|left| items.len() > *left) {
                items.truncate(left);
                take(items)?;
                return Ok(Some(Place { skipped: place.skipped + left, ..place }.token(true)));
            }
            left = left.map(|left| left - items.len());
            take(items)?;
            let Some(next) = next else { return Ok(None) };
            if place.marker.as_ref() == Some(&next) {
                return Err(CliError::new(Class::KeyUnavailable, "the key service gave the same marker twice"));
            }
            place = Place { marker: Some(next), skipped: 0 };
            if left == Some(0) {
                return Ok(Some(place.token(false)));
            }
        }
    }

    /// The answer to all requests together.
    pub(super) fn merged(&self, items: Vec<Data>, token: Option<String>) -> Data {
        let mut pairs = vec![(self.list.to_owned(), Data::List(items))];
        pairs.extend(token.map(|token| ("NextToken".to_owned(), Data::text(&token))));
        Data::Map(pairs)
    }

    fn request(&self, params: &[(String, Data)], place: &Place) -> Vec<(String, Data)> {
        let mut params = params.to_vec();
        params.extend(self.page_size.map(|size| (LIMIT.to_owned(), Data::Number(size.into()))));
        params.extend(place.marker.as_ref().map(|marker| (MARKER.to_owned(), Data::text(marker))));
        params
    }

    /// The items of a page, and the marker of the next one.
    fn page(&self, answer: Data) -> (Vec<Data>, Option<String>) {
        let Data::Map(pairs) = answer else { return (Vec::new(), None) };
        let (mut items, mut next, mut truncated) = (Vec::new(), None, false);
        for (name, value) in pairs {
            match (name.as_str(), value) {
                (name, Data::List(values)) if name == self.list => items = values,
                ("NextMarker", Data::Text(marker)) if !marker.is_empty() => next = Some(marker.as_str().to_owned()),
                ("Truncated", Data::Bool(value)) => truncated = value,
                _ => {}
            }
        }
        (items, next.filter(|_| truncated))
    }
}

impl Place {
    /// Reads a token: one of ours or of the AWS CLI's, else the service's own marker.
    fn read(token: &str) -> Result<Self, CliError> {
        let decoded = Base64::decode_vec(token).ok().and_then(|json| serde_json::from_slice::<Value>(&json).ok());
        let Some(Value::Object(members)) = decoded else {
            return Ok(Self { marker: Some(token.to_owned()), skipped: 0 });
        };
        let bad = || CliError::usage("Bad starting token").hint("give the NextToken of an earlier answer as it is");
        let mut place = Self::default();
        for (name, value) in members {
            match (name.as_str(), value) {
                (MARKER, Value::Null) => {}
                (MARKER, Value::String(marker)) => place.marker = Some(marker),
                ("boto_truncate_amount", Value::Number(skipped)) => {
                    place.skipped = skipped.as_u64().and_then(|skipped| skipped.try_into().ok()).ok_or_else(bad)?;
                }
                _ => return Err(bad()),
            }
        }
        Ok(place)
    }

    /// Writes the token of this place; `within` a page, or at its beginning.
    fn token(&self, within: bool) -> String {
        let marker = json!(self.marker);
        // With the blanks of Python's JSON, so that the token is the AWS CLI's own.
        let json = if within {
            format!("{{\"Marker\": {marker}, \"boto_truncate_amount\": {}}}", self.skipped)
        } else {
            format!("{{\"Marker\": {marker}}}")
        };
        Base64::encode_string(json.as_bytes())
    }
}

/// What is printed as text after a list that goes on.
pub(super) fn token_alone(token: &str) -> Data {
    let inner = Data::Map(vec![("NextToken".to_owned(), Data::text(token))]);
    Data::Map(vec![("NextToken".to_owned(), inner)])
}

fn number<T: std::str::FromStr>(words: &Words, name: &str) -> Result<Option<T>, CliError> {
    let parse = |text: &str| {
        text.parse().map_err(|_| CliError::usage(format!("argument --{name}: a whole number is expected")))
    };
    words.value(name).map(parse).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(items: &[Data]) -> Vec<&str> {
        items.iter().map(|item| if let Data::Text(text) = item { text.as_str() } else { "?" }).collect()
    }

    /// Answers as a service that has the items 0 to 9, four a page.
    fn ask(params: &[(String, Data)]) -> Data {
        let of = |wanted: &str| params.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
        let begin: usize = of(MARKER).map_or(0, |marker| texts(std::slice::from_ref(marker))[0].parse().unwrap());
        let end = (begin + 4).min(10);
        let items = (begin..end).map(|item| Data::text(&item.to_string())).collect();
        let mut answer = vec![("Keys".to_owned(), Data::List(items)), ("Truncated".to_owned(), Data::Bool(end < 10))];
        if end < 10 {
            answer.push(("NextMarker".to_owned(), Data::text(&end.to_string())));
        }
        Data::Map(answer)
    }

    fn listed(max_items: Option<usize>, start: &str) -> (String, Option<String>) {
        let start = if start.is_empty() { Place::default() } else { Place::read(start).unwrap() };
        let pages = Pages { list: "Keys", max_items, page_size: None, start };
        let mut all = Vec::new();
        let take = |items: Vec<Data>| {
            all.push(texts(&items).join(""));
            Ok(())
        };
        let token = pages.go_through(&[], |params| Ok(ask(params)), take).unwrap();
        (all.join(" "), token)
    }

    #[test]
    fn every_page_is_asked_for_until_there_is_enough() {
        assert_eq!(listed(None, ""), ("0123 4567 89".to_owned(), None));
        let mut start = String::new();
        let mut found = Vec::new();
        while let (items, Some(token)) = listed(Some(3), &start) {
            found.push(items);
            start = token;
        }
        assert_eq!(found, ["012", "3 45", "67 8"]);
        assert_eq!(listed(Some(3), &start).0, "9");
        assert_eq!(listed(Some(4), ""), ("0123".to_owned(), Some(Base64::encode_string(br#"{"Marker": "4"}"#))));
        assert_eq!(listed(Some(10), ""), ("0123 4567 89".to_owned(), None));
        assert_eq!(
            listed(Some(2), "").1,
            Some(Base64::encode_string(br#"{"Marker": null, "boto_truncate_amount": 2}"#))
        );
        assert_eq!(listed(None, "4").0, "4567 89", "the service's own marker");
    }

    #[test]
    fn a_service_that_turns_in_circles_is_noticed() {
        let pages = Pages { list: "Keys", max_items: None, page_size: None, start: Place::default() };
        let answer = |_: &[(String, Data)]| {
            Ok(Data::Map(vec![
                ("Truncated".to_owned(), Data::Bool(true)),
                ("NextMarker".to_owned(), Data::text("again")),
            ]))
        };
        assert!(pages.go_through(&[], answer, |_| Ok(())).is_err());
    }

    #[test]
    fn a_token_of_another_service_is_refused() {
        for json in [r#"{"NextToken": "x"}"#, r#"{"Marker": 5}"#, r#"{"boto_truncate_amount": -1}"#] {
            assert!(Place::read(&Base64::encode_string(json.as_bytes())).is_err(), "{json}");
        }
    }
}
