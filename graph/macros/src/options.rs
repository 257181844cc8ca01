//! What may stand in the brackets of `#[task(…)]`: `name = "…"` and `pure = false`.
//!
//! It refuses to know functions. The invariant: an option that is not understood is a mistake, never passed over.

use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Lit, LitStr, Token};

const KEYS: &[&str] = &["name", "pure"];

/// The options of one task; what was not given is `None`.
#[derive(Default)]
pub struct Options {
    /// The name by which workers find the task.
    pub name: Option<LitStr>,
    /// Whether equal arguments give equal results.
    pub pure: Option<bool>,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut options = Self::default();
        while !input.is_empty() {
            let key = input.call(Ident::parse_any).map_err(|error| {
                Error::new(error.span(), "an option of `#[task]` begins with its name; write `name = \"…\"` or `pure = false`")
            })?;
            options.read(&key, input)?;
            if !input.is_empty() && input.parse::<Token![,]>().is_err() {
                return Err(input.error("options of `#[task]` are separated by commas; write `name = \"…\", pure = false`"));
            }
        }
        Ok(options)
    }
}

impl Options {
    fn read(&mut self, key: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
        let doubled = match key.to_string().as_str() {
            "name" => self.name.replace(read_name(key, input)?).is_some(),
            "pure" => self.pure.replace(read_pure(key, input)?).is_some(),
            other => return Err(Error::new(key.span(), unknown(other))),
        };
        if doubled {
            return Err(Error::new(key.span(), format!("`{key}` is given twice, and only one can hold; take one away")));
        }
        Ok(())
    }
}

fn read_name(key: &Ident, input: ParseStream<'_>) -> syn::Result<LitStr> {
    const FORM: &str = "the name of a task is a text that is not empty; write `name = \"…\"`";
    match read_value(key, input, FORM)? {
        Lit::Str(name) if !name.value().trim().is_empty() => Ok(name),
        other => Err(Error::new_spanned(other, FORM)),
    }
}

fn read_pure(key: &Ident, input: ParseStream<'_>) -> syn::Result<bool> {
    const FORM: &str = "a task is pure or it is not; write `pure = true` or `pure = false`";
    match read_value(key, input, FORM)? {
        Lit::Bool(pure) => Ok(pure.value),
        other => Err(Error::new_spanned(other, FORM)),
    }
}

fn read_value(key: &Ident, input: ParseStream<'_>, form: &str) -> syn::Result<Lit> {
    if !input.peek(Token![=]) {
        return Err(Error::new(key.span(), form));
    }
    input.parse::<Token![=]>()?;
    input.parse().map_err(|error| Error::new(error.span(), form))
}

fn unknown(key: &str) -> String {
    let options = "its options are `name = \"…\"` and `pure = false`";
    match nearest(key) {
        Some(nearest) => format!("`#[task]` has no option `{key}`; did you mean `{nearest}`? {options}"),
        None => format!("`#[task]` has no option `{key}`; {options}"),
    }
}

/// The key that was probably meant, when at least half of the word is right.
fn nearest(word: &str) -> Option<&'static str> {
    let near = KEYS.iter().filter(|key| 2 * distance(word, key) <= word.len().max(key.len()));
    near.min_by_key(|key| distance(word, key)).copied()
}

/// How many letters must be added, taken away or exchanged to make one word of the other.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for letter in from.chars() {
        let mut diagonal = row[0];
        row[0] += 1;
        for (at, wanted) in to.chars().enumerate() {
            let exchanged = diagonal + usize::from(letter != wanted);
            diagonal = row[at + 1];
            row[at + 1] = exchanged.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row[to.chars().count()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, name: Option<&str>, pure: Option<bool>) {
        let options: Options = syn::parse_str(text).expect("options that are right");
        assert_eq!(options.name.map(|name| name.value()).as_deref(), name);
        assert_eq!(options.pure, pure);
    }

    #[test]
    fn options_in_any_order() {
        check("", None, None);
        check("pure = false", None, Some(false));
        check("pure = true,", None, Some(true));
        check("name = \"load\"", Some("load"), None);
        check("pure = false, name = \"a::b\"", Some("a::b"), Some(false));
    }

    #[test]
    fn the_nearest_key_is_found_when_it_is_near() {
        let cases = [("nam", Some("name")), ("Name", Some("name")), ("impure", Some("pure")), ("purity", Some("pure"))];
        for (word, wanted) in cases.into_iter().chain([("title", None), ("x", None), ("deterministic", None)]) {
            assert_eq!(nearest(word), wanted, "{word}");
        }
    }

    #[test]
    fn distance_counts_letters() {
        for (from, to, wanted) in
            [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("pure", "pure", 0), ("pur", "pure", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(from, to), wanted, "{from} {to}");
        }
    }
}
