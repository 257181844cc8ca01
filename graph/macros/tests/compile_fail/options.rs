//! Expected, each at its word: no option `nam` and "did you mean `name`?"; no option `retries` and the list of options; "write
//! `pure = true` or `pure = false`" twice; "a text that is not empty"; "`pure` is given twice"; "separated by commas"; "an option …
//! begins with its name".

use partita_macros::task;

#[task(nam = "add")]
pub fn one() {}

#[task(retries = 3)]
pub fn two() {}

#[task(pure)]
pub fn three() {}

#[task(pure = "false")]
pub fn four() {}

#[task(name = add)]
pub fn five() {}

#[task(pure = false, pure = true)]
pub fn six() {}

#[task(name = "add" pure = true)]
pub fn seven() {}

#[task("add")]
pub fn eight() {}

fn main() {}
