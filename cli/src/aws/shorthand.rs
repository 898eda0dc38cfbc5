//! The AWS CLI's shorthand for structures and maps: `a=b,c=d`, `a=[b,c]`, `a={b=c}`, `a='b,c'`, `a@=file://f`
//! (<https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-shorthand.html>).
//!
//! A text of it is read without knowing what it is for; what a value has to be is found out when it is.

use zeroize::Zeroizing;

use super::data::Data;
use super::files;
use crate::error::CliError;

/// Deepest nesting of lists and structures.
const MAX_DEPTH: usize = 32;

/// Reads `name=value,name=value`.
///
/// # Errors
/// The text is not of that form, gives a name twice, or names a file that cannot be read.
pub(super) fn read(text: &str) -> Result<Data, CliError> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    let mut pairs: Vec<(String, Data)> = Vec::new();
    loop {
        let began = reader.at;
        let (name, value) = reader.pair()?;
        if pairs.iter().any(|(known, _)| *known == name) {
            return Err(reader
                .wrong_at(began, &format!("Second instance of key \"{name}\" encountered"))
                .hint("there may be a comma where a blank was meant"));
        }
        pairs.push((name, value));
        if reader.is_at_end() {
            return Ok(Data::Map(pairs));
        }
        reader.expect(',')?;
    }
}

/// Reads a text from the left.
#[derive(Debug)]
struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

/// Whether a value may name a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Files {
    /// `@=`: it may.
    Resolved,
    /// `=`: what looks like a file's name is a text.
    Literal,
}

impl Reader<'_> {
    /// `name=values` or `name@=values`.
    fn pair(&mut self) -> Result<(String, Data), CliError> {
        let (name, files) = self.name()?;
        let value = match self.next() {
            None => Data::text(""),
            Some('[' | '{') => self.nested(files)?,
            Some(_) => self.listed(files)?,
        };
        Ok((name, value))
    }

    fn name(&mut self) -> Result<(String, Files), CliError> {
        let name = self.take_while(|character| {
            character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.' | '#' | '/' | ':')
        });
        self.skip_blanks();
        let files = if self.next() == Some('@') {
            self.expect('@')?;
            Files::Resolved
        } else {
            Files::Literal
        };
        self.expect('=')?;
        Ok((name, files))
    }

    /// One value, or several with commas between them that are not the beginning of the next pair.
    fn listed(&mut self, files: Files) -> Result<Data, CliError> {
        let first = self.scalar(files, Place::First)?;
        self.skip_blanks();
        let mut values = vec![first];
        while self.next() == Some(',') {
            let comma = self.at;
            self.expect(',')?;
            let next = match self.next() {
                None | Some(',') => None,
                Some(_) => Some(self.scalar(files, Place::Later)?),
            };
            self.skip_blanks();
            match next {
                // What reads like `value=` begins the next pair.
                Some(value) if matches!(self.next(), None | Some(',')) => values.push(value),
                None if self.is_at_end() => return Err(self.wrong("Expected a value")),
                _ => {
                    self.at = comma;
                    break;
                }
            }
        }
        match values.pop() {
            Some(only) if values.is_empty() => Ok(only),
            last => Ok(Data::List(values.into_iter().chain(last).collect())),
        }
    }

    /// A value within brackets.
    fn nested(&mut self, files: Files) -> Result<Data, CliError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.wrong("Nested too deeply"));
        }
        let value = match self.next() {
            Some('[') => self.list(files),
            Some('{') => self.structure(),
            _ => self.scalar(files, Place::First),
        };
        self.depth -= 1;
        value
    }

    fn list(&mut self, files: Files) -> Result<Data, CliError> {
        self.expect('[')?;
        let mut values = Vec::new();
        while self.next() != Some(']') {
            values.push(self.nested(files)?);
            self.separator(']')?;
        }
        self.close(']')?;
        Ok(Data::List(values))
    }

    fn structure(&mut self) -> Result<Data, CliError> {
        self.expect('{')?;
        let mut pairs: Vec<(String, Data)> = Vec::new();
        while self.next() != Some('}') {
            let (name, files) = self.name()?;
            let value = self.nested(files)?;
            self.separator('}')?;
            pairs.retain(|(known, _)| *known != name);
            pairs.push((name, value));
        }
        self.close('}')?;
        Ok(Data::Map(pairs))
    }

    fn separator(&mut self, end: char) -> Result<(), CliError> {
        self.skip_blanks();
        if self.next() == Some(end) { Ok(()) } else { self.expect(',') }
    }

    /// A text, in quotes or not.
    fn scalar(&mut self, files: Files, place: Place) -> Result<Data, CliError> {
        let text = match self.next() {
            Some(quote @ ('\'' | '"')) => self.quoted(quote)?,
            _ => self.bare(place),
        };
        match files {
            Files::Resolved => Ok(files::read(&text)?.unwrap_or(Data::Text(text))),
            Files::Literal => Ok(Data::Text(text)),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<Zeroizing<String>, CliError> {
        let began = self.at;
        self.at += quote.len_utf8();
        let mut text = self.room();
        while let Some(character) = self.next() {
            self.at += character.len_utf8();
            if character == quote {
                return Ok(text);
            }
            let escaped = self.next().filter(|next| character == '\\' && (*next == quote || *next == '\\'));
            if let Some(next) = escaped {
                self.at += next.len_utf8();
            }
            text.push(escaped.unwrap_or(character));
        }
        Err(self.wrong_at(began, "A quote is not closed"))
    }

    /// A text without quotes: it ends at a comma that has no backslash before it, and at brackets.
    fn bare(&mut self, place: Place) -> Zeroizing<String> {
        let mut text = self.room();
        while let Some(character) = self.next() {
            let rest = &self.text[self.at..];
            if rest.starts_with("\\,") {
                text.push(',');
                self.at += 2;
                continue;
            }
            let is_first = text.is_empty();
            let ends = match character {
                ',' | '"' | '\'' => true,
                ']' | '}' => place == Place::First,
                '=' => is_first || place == Place::Later,
                '[' | '{' => is_first,
                _ => false,
            };
            if ends {
                break;
            }
            text.push(character);
            self.at += character.len_utf8();
        }
        let length = text.trim_end().len();
        text.truncate(length);
        text
    }

    /// Room for any value that is left: no copy stays behind in a buffer that was outgrown.
    fn room(&self) -> Zeroizing<String> {
        Zeroizing::new(String::with_capacity(self.text.len() - self.at))
    }

    /// Takes `character`, and blanks around it.
    fn expect(&mut self, character: char) -> Result<(), CliError> {
        self.skip_blanks();
        self.close(character)?;
        self.skip_blanks();
        Ok(())
    }

    /// Takes `character` itself.
    fn close(&mut self, character: char) -> Result<(), CliError> {
        match self.next() {
            Some(found) if found == character => {
                self.at += character.len_utf8();
                Ok(())
            }
            Some(found) => Err(self.wrong(&format!("Expected: '{character}', received: '{found}'"))),
            None => Err(self.wrong(&format!("Expected: '{character}', received: 'EOF'"))),
        }
    }

    fn next(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    fn skip_blanks(&mut self) {
        self.take_while(|character| character.is_ascii_whitespace());
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let taken: String = self.text[self.at..].chars().take_while(|character| wanted(*character)).collect();
        self.at += taken.len();
        taken
    }

    fn wrong(&self, what: &str) -> CliError {
        self.wrong_at(self.at, what)
    }

    /// The text is not repeated, for it may be a secret: a position has to do.
    fn wrong_at(&self, at: usize, what: &str) -> CliError {
        CliError::usage(format!("{what} at character {}", self.text[..at].chars().count() + 1))
    }
}

/// Where a text without quotes stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// After `name=`, where an equals sign is a character like others.
    First,
    /// After a comma, where an equals sign shows that the next pair has begun.
    Later,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Data {
        Data::text(text)
    }

    fn list(values: &[&str]) -> Data {
        Data::List(values.iter().copied().map(text).collect())
    }

    fn map(pairs: &[(&str, Data)]) -> Data {
        Data::Map(pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    }

    #[test]
    fn pairs_lists_and_nested_values_are_read() {
        for (written, expected) in [
            ("a=b", map(&[("a", text("b"))])),
            ("a=b,c=d", map(&[("a", text("b")), ("c", text("d"))])),
            ("a=b=c==,d=e", map(&[("a", text("b=c==")), ("d", text("e"))])),
            ("a=b , c = d", map(&[("a", text("b")), ("c", text("d"))])),
            ("a=b,c", map(&[("a", list(&["b", "c"]))])),
            ("a=b,c,d=e,f", map(&[("a", list(&["b", "c"])), ("d", list(&["e", "f"]))])),
            ("a=,b=", map(&[("a", text("")), ("b", text(""))])),
            ("a='b,c=d',e=\"f\\\"\"", map(&[("a", text("b,c=d")), ("e", text("f\""))])),
            (r"a=b\,c", map(&[("a", text("b,c"))])),
            ("a=[b, c],d=[]", map(&[("a", list(&["b", "c"])), ("d", Data::List(vec![]))])),
            ("a={b=c,d=[e]}", map(&[("a", map(&[("b", text("c")), ("d", list(&["e"]))]))])),
            ("a:b/c=grün", map(&[("a:b/c", text("grün"))])),
            ("a=file://x", map(&[("a", text("file://x"))])),
        ] {
            assert_eq!(read(written).unwrap(), expected, "{written}");
        }
    }

    #[test]
    fn what_is_not_of_the_form_is_refused_by_its_place() {
        for (written, message) in [
            ("", "Expected: '=', received: 'EOF' at character 1"),
            ("a", "Expected: '=', received: 'EOF' at character 2"),
            ("a==b", "Expected: ',', received: '=' at character 3"),
            ("a=b,", "Expected a value at character 5"),
            ("a=b,a=c", "Second instance of key \"a\" encountered at character 5"),
            ("a=[b", "Expected: ',', received: 'EOF' at character 5"),
            ("a={b}", "Expected: '=', received: '}' at character 5"),
            ("a='b", "A quote is not closed at character 3"),
            ("a=[b]c", "Expected: ',', received: 'c' at character 6"),
            ("a@=file:///nowhere/at/all", "/nowhere/at/all: cannot be read: no such file or directory"),
        ] {
            assert_eq!(read(written).unwrap_err().text().0, message, "{written}");
        }
        assert!(read(&format!("a={}", "[".repeat(100_000))).is_err());
    }
}
