//! Signatures of functions on core axes: `(i,j),(j)->(i)`.

use partita_graph::{Code, Failure};

/// The names of core axes, array by array.
pub(in crate::array) type Cores = Vec<Vec<String>>;

/// What a signature says.
#[derive(Clone)]
pub(in crate::array) struct Signature {
    /// As it was written.
    pub text: String,
    /// The core axes of each array.
    pub cores: Cores,
    /// Those of each result.
    pub outs: Cores,
}

impl Signature {
    /// What is written, for so many arrays and, if that is known, so many results.
    pub fn parsed(text: &str, arrays: usize, results: Option<usize>) -> Result<Self, Failure> {
        let unreadable = |why: &str| {
            let what = format!("the signature \"{text}\" {why}");
            Failure::new(Code::InvalidOption, what).help("the core axes of each array and of the result: \"(i,j),(j)->(i)\"")
        };
        let (inputs, outs) = text.split_once("->").ok_or_else(|| unreadable("has no ->"))?;
        let (Some(cores), Some(outs)) = (groups(inputs), groups(outs)) else { return Err(unreadable("cannot be read")) };
        if cores.len() != arrays {
            return Err(unreadable(&format!("is for {} arrays, and {arrays} are given", cores.len())));
        }
        match results {
            Some(1) if outs.len() > 1 => {
                let failure = unreadable(&format!("is for {} results, where the function gives one", outs.len()));
                Err(failure.help("several results: apply_gufunc_several(…)"))
            }
            Some(count) if count != outs.len() => {
                Err(unreadable(&format!("is for {} results, where the function gives {count}", outs.len())))
            }
            _ => Ok(Self { text: text.to_string(), cores, outs }),
        }
    }

    /// From one lane to another, which is as long as `made`.
    pub fn of_lanes() -> Self {
        Self { text: "(lane)->(made)".into(), cores: vec![vec!["lane".into()]], outs: vec![vec!["made".into()]] }
    }
}

/// `(i,j),(j)` as names.
fn groups(text: &str) -> Option<Cores> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    loop {
        let (inside, behind) = rest.strip_prefix('(')?.split_once(')')?;
        let names: Vec<String> = inside.split(',').map(|name| name.trim().to_string()).filter(|name| !name.is_empty()).collect();
        if names.iter().any(|name| !name.chars().all(|c| c.is_alphanumeric() || c == '_')) {
            return None;
        }
        found.push(names);
        rest = behind.trim_start();
        if rest.is_empty() {
            return Some(found);
        }
        rest = rest.strip_prefix(',')?.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_read() {
        let names = |text: &str| groups(text).map(|groups| groups.iter().map(|names| names.join(" ")).collect::<Vec<_>>());
        assert_eq!(names("(i,j),(j)"), Some(vec!["i j".to_string(), "j".to_string()]));
        assert_eq!(names(" ( m_1 , 3 ) , () "), Some(vec!["m_1 3".to_string(), String::new()]));
        for text in ["", "i", "(i", "(i)(j)", "(i),", "(i;j)"] {
            assert_eq!(names(text), None, "{text}");
        }
        assert!(Signature::parsed("(i)->()", 1, Some(1)).is_ok() && Signature::parsed("(i)->(),(i)", 1, None).is_ok());
        for (text, arrays) in [("(i)", 1), ("(i)->()", 2), ("(i)->(),()", 1), ("(i)->", 1)] {
            assert_eq!(Signature::parsed(text, arrays, Some(1)).map(|_| ()).expect_err(text).code, Code::InvalidOption);
        }
        assert!(Signature::parsed("(i)->()", 1, Some(2)).is_err() && Signature::parsed("(i)->(),()", 1, Some(2)).is_ok());
    }
}
