//! What the macros write and what they refuse, as data: options and a function on one side, what must come of them on the other.
//!
//! Whether the compiler accepts what they write, and points at the right place for what they refuse, is tested from outside
//! (`tests/compile_fail.rs`).

use proc_macro2::TokenStream;

fn tokens(text: &str) -> TokenStream {
    text.parse().expect("a case is Rust")
}

fn without_blanks(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_whitespace()).collect()
}

type Expand = fn(TokenStream, TokenStream) -> syn::Result<TokenStream>;

/// The expansion is Rust and holds each of these pieces.
#[track_caller]
fn check(expand: Expand, options: &str, item: &str, wanted: &[&str]) {
    let expanded = expand(tokens(options), tokens(item)).unwrap_or_else(|mistakes| panic!("{item}: {mistakes}"));
    let text = without_blanks(&expanded.to_string());
    syn::parse2::<syn::File>(expanded).unwrap_or_else(|error| panic!("{item}: {error} in {text}"));
    for piece in wanted {
        assert!(text.contains(&without_blanks(piece)), "{item}: `{piece}` is not in {text}");
    }
}

/// Each of these words stands in a complaint of its own, in order, and each complaint says what to do.
#[track_caller]
fn refuse(expand: Expand, options: &str, item: &str, words: &[&str]) {
    let Err(mistakes) = expand(tokens(options), tokens(item)) else {
        panic!("{item}: was accepted");
    };
    let complaints: Vec<_> = mistakes.into_iter().map(|mistake| mistake.to_string()).collect();
    assert_eq!(complaints.len(), words.len(), "{item}: {complaints:?}");
    for (complaint, word) in complaints.iter().zip(words) {
        assert!(complaint.contains(word), "{item}: `{word}` is not in: {complaint}");
        assert!(complaint.contains("; "), "{item}: no advice in: {complaint}");
    }
}

#[test]
fn the_name_becomes_a_struct_with_what_describes_it() {
    let case = |item: &str, wanted: &[&str]| check(crate::task::expand, "", item, wanted);
    case("/// Adds.\npub(crate) fn add() {}", &["#[doc = \" Adds.\"]", "pub(crate) struct add;", "fn __partita_add() {}"]);
    case("#[deprecated] fn add() {}", &["#[deprecated] #[allow(non_camel_case_types)]", "const _: () = { fn __partita_add() {}"]);
    case("#[inline] fn add() {}", &["const _: () = { #[inline] fn __partita_add() {}"]);
    case("#[allow(dead)] fn add() {}", &["#[allow(dead)] #[allow(non_camel_case_types)]", "#[allow(dead)] fn __partita_add() {}"]);
    case("fn r#type() {}", &["struct r#type;", "fn __partita_type() {}", "::core::module_path!(), \"::\", \"type\")"]);
    case("fn add() { #![allow(dead)] work() }", &["fn __partita_add() { #![allow(dead)] work() }"]);
}

#[test]
fn the_plain_function_can_still_be_called() {
    let case = |item: &str, wanted: &[&str]| check(crate::task::expand, "", item, wanted);
    case("fn f() {}", &["type Target = fn();", "&(__partita_f as Self::Target)"]);
    case("fn f(a: i64, b: &[f64]) -> bool { x }", &["type Target = fn(i64, &[f64]) -> bool;"]);
    case("pub async fn f(mut a: T) -> bool { x }", &["pub async fn call(a: T) -> bool { __partita_f(a).await }"]);
    case("fn f(c: &TaskContext<'_>) {}", &["type Target = fn(&TaskContext<'_>);"]);
}

#[test]
fn arguments_are_taken_or_lent() {
    let case = |item: &str, wanted: &[&str]| check(crate::task::expand, "", item, wanted);
    case("fn f(a: Vec<T>) {}", &["let __argument0 = __inputs.take::<Vec<T>>()?;", "Ok(__partita_f(__argument0))"]);
    case("fn f(a: &Vec<T>) {}", &["let __argument0 = __inputs.lend::<Vec<T>>()?;", "Ok(__partita_f(&__argument0))"]);
    case("fn f(a: &'_ str) {}", &["__inputs.lend::<::std::string::String>()?;"]);
    case("fn f(a: &[T]) {}", &["__inputs.lend::<::std::vec::Vec<T>>()?;"]);
    case("fn f(a: &[T; 3]) {}", &["__inputs.lend::<[T; 3]>()?;"]);
    case("fn f(a: Cow<'static, str>) {}", &["__inputs.take::<Cow<'static, str>>()?;"]);
    case("fn f(a: &(A, B)) {}", &["__inputs.lend::<(A, B)>()?;"]);
    case("fn f() {}", &["__context: &", "__inputs: &mut", "Ok(__partita_f())"]);
    case(
        "fn f(a: A, c: &graph::TaskContext, b: &B) {}",
        &[
            "{ let __argument0 = __inputs.take::<A>()?; let __argument1 = __inputs.lend::<B>()?;",
            "__partita_f(__argument0, __context, &__argument1)",
        ],
    );
}

#[test]
fn results_become_outcomes() {
    let case = |item: &str, wanted: &[&str]| check(crate::task::expand, "", item, wanted);
    case("fn f() {}", &["type Output = ();", "{ ::core::result::Result::Ok(__partita_f()) }"]);
    case("fn f() -> Vec<T> { x }", &["type Output = Vec<T>;", "::partita::Delayed<Vec<T>>"]);
    case(
        "fn f() -> Result<T, E> { x }",
        &["type Output = T;", "let __returned = __partita_f(); ::partita::task_support::outcome_of(__returned)"],
    );
    case("fn f() -> io::Result<()> { x }", &["type Output = ();", "outcome_of(__returned)"]);
    case("fn f() -> Option<Result<T, E>> { x }", &["type Output = Option<Result<T, E>>;"]);
    case(
        "fn f() -> Result<(A, B), E> { x }",
        &[
            "type Output = (A, B);",
            "let (__part0, __part1) = __output;",
            "::std::vec![::partita::task_support::part(__part0), ::partita::task_support::part(__part1)]",
        ],
    );
    case("async fn f() -> T { x }", &["Ok(::partita::task_support::block_on(f::call()))"]);
    case("async fn f(a: A) -> Result<T, E> { x }", &["let __returned = ::partita::task_support::block_on(f::call(__argument0));"]);
}

#[test]
fn tuples_alone_are_taken_apart() {
    for item in ["fn f() {}", "fn f() -> A { x }", "fn f() -> (A,) { x }", "fn f() -> [A; 2] { x }", "fn f() -> Option<(A, B)> { x }"] {
        let expanded = crate::task::expand(tokens(""), tokens(item)).expect("a task");
        assert!(!expanded.to_string().contains("fn parts"), "{item}");
    }
}

#[test]
fn a_graph_holds_calls_of_any_number_of_arguments() {
    let case = |item: &str, wanted: &[&str]| check(crate::task::expand, "", item, wanted);
    case(
        "fn f() {}",
        &["impl<> ::partita::task_support::TaskOf<()> for f", "Fn() -> ::partita::Delayed<()>", "arguments(())", "::std::vec![]"],
    );
    case(
        "fn f(a: A, b: &str) {}",
        &[
            "impl<__Argument0, __Argument1> ::partita::task_support::TaskOf<(__Argument0, __Argument1,)> for f where",
            "where __Argument0: ::partita::task_support::IntoArgument<A>,",
            "__Argument1: ::partita::task_support::IntoArgument<::std::string::String>,",
            "::core::ops::Fn(__Argument0, __Argument1) -> ::partita::Delayed<()>>;",
            "::partita::task_support::IntoArgument::<A>::into_argument(__argument0)",
        ],
    );
    case("fn f(a: A, c: &TaskContext<'_>) {}", &["TaskOf<(__Argument0,)>", "const PARAMETERS: &'static [&'static str] = &[\"a\"];"]);
    let twelve: Vec<_> = (0..12).map(|at| format!("a{at}: A, ")).collect();
    case(&format!("fn f({} c: &TaskContext<'_>) {{}}", twelve.concat()), &["__Argument11: ", "__inputs.take::<A>()?; let __argument11"]);
}

#[test]
fn options_are_obeyed() {
    let case = |options: &str, wanted: &[&str]| check(crate::task::expand, options, "fn f(r#in: A, _b: B) {}", wanted);
    case("", &["const NAME: &'static str = ::core::concat!(::core::module_path!(), \"::\", \"f\");", "const PURE: bool = true;"]);
    case("pure = false", &["const PURE: bool = false;", "&[\"in\", \"_b\"]"]);
    case("name = \"load\", pure = true", &["const NAME: &'static str = \"load\";", "const PURE: bool = true;"]);
}

#[test]
fn a_worker_state_is_built_by_its_function() {
    let case = |item: &str, wanted: &[&str]| check(crate::worker_state::expand, "", item, wanted);
    case(
        "/// Doc.\npub fn s() -> M { x }",
        &["#[doc = \" Doc.\"]", "pub struct s;", "StateCell<M>", "{ ::core::result::Result::Ok(__partita_s()) }"],
    );
    case("fn s() -> Result<M, E> { x }", &["Result<::std::sync::Arc<M>, ::partita::Error>", "let __returned = __partita_s();"]);
    case("async fn s() -> M { x }", &["Ok(::partita::task_support::block_on(__partita_s()))"]);
    refuse(crate::worker_state::expand, "", "fn s(a: A, b: B) -> M { x }", &["without arguments"]);
    check(crate::worker_state::expand, "teardown = a::end", "fn s() -> M { x }", &["Option::Some(|__value| a::end(__value))"]);
    for options in ["pure = false", "teardown", "teardown = 1", "teardown = a, teardown = b", "end = a"] {
        refuse(
            crate::worker_state::expand,
            options,
            "fn s() -> M { x }",
            &["has one option; write `#[worker_state(teardown = function)]`"],
        );
    }
    refuse(
        crate::worker_state::expand,
        "",
        "fn s<T>() -> &'static T { x }",
        &["a worker state has no generic", "result of a worker state owns"],
    );
    refuse(
        crate::worker_state::expand,
        "",
        "static S: M = x;",
        &["`#[worker_state]` stands above a function with a body, and this is a static"],
    );
}

#[test]
fn what_is_no_function_is_refused() {
    let case = |item: &str, word: &str| refuse(crate::task::expand, "", item, &[word]);
    case("struct S;", "this is a struct");
    case("enum E {}", "this is an enum");
    case("impl S {}", "this is an `impl` block");
    case("trait T {}", "this is a trait");
    case("mod m {}", "this is a module");
    case("const C: i64 = 1;", "this is a constant");
    case("fn f();", "this is a declaration without a body");
    case("type T = i64;", "this is no function");
}

#[test]
fn functions_that_no_engine_can_call_are_refused() {
    let case = |item: &str, word: &str| refuse(crate::task::expand, "", item, &[word]);
    case("const fn f() {}", "take `const` away");
    case("unsafe fn f() {}", "make it safe");
    case("extern \"C\" fn f() {}", "take `extern` away");
    case("fn f(a: A, ...) {}", "take a `Vec`");
    case("fn f<T>() {}", "no generic parameters");
    case("fn f<const N: usize>() {}", "no generic parameters");
    case("fn f<'a, T: 'a>() where T: Copy {}", "no generic parameters");
    case("fn f<'a>(a: &'a str) {}", "no lifetimes of its own");
    case("fn f() where A: Copy {}", "no `where` clause");
}

#[test]
fn parameters_that_no_argument_can_fill_are_refused() {
    let case = |item: &str, word: &str| refuse(crate::task::expand, "", item, &[word]);
    case("fn f(&self) {}", "no `self`");
    case("fn f(self: Box<Self>) {}", "no `self`");
    case("fn f(_: A) {}", "`_unused`");
    case("fn f((a, b): (A, B)) {}", "take the value apart");
    case("fn f(ref a: A) {}", "take the value apart");
    case("fn f(a @ _: A) {}", "take the value apart");
    case("fn f(f: A) {}", "the name of the task");
    case("fn f(#[cfg(test)] a: A) {}", "two functions");
    case("fn f(a: impl Read) {}", "in place of `impl`");
    case("fn f(a: Vec<impl Read>) {}", "in place of `impl`");
    case("fn f(a: &mut A) {}", "return what it becomes");
    case("fn f(a: &'static A) {}", "take `'static` away");
    case("fn f(a: &dyn Read) {}", "in place of `dyn`");
    case("fn f(a: &(dyn Read + Send)) {}", "in place of `dyn`");
    case("fn f(a: Vec<&str>) {}", "owns all that it holds");
    case("fn f(a: &[&str]) {}", "owns all that it holds");
    case("fn f(a: Cow<'_, str>) {}", "owns all that it holds");
    case("fn f(a: A, c: &TaskContext<'_>, d: &graph::TaskContext<'_>) {}", "the context is given once");
    case("fn f(c: TaskContext<'_>) {}", "the context is lent");
    case("fn f(c: &mut TaskContext<'_>) {}", "only looked at");
    case("fn f(c: &TaskContext<'static>) {}", "take `'static` away");
    let thirteen: Vec<_> = (0..13).map(|at| format!("a{at}: A, ")).collect();
    case(&format!("fn f({}) {{}}", thirteen.concat()), "at most 12 arguments, and this one has 13");
}

#[test]
fn results_that_nobody_can_keep_are_refused() {
    let case = |item: &str, word: &str| refuse(crate::task::expand, "", item, &[word]);
    case("fn f() -> impl Iterator<Item = A> { x }", "in place of `impl`");
    case("fn f() -> Result<impl Read, E> { x }", "in place of `impl`");
    case("fn f(a: &A) -> &A { x }", "owns all that it holds");
    case("fn f() -> Result<&'static str, E> { x }", "owns all that it holds");
    case("fn f(a: &A) -> Cow<'_, str> { x }", "owns all that it holds");
    case("fn f() -> fmt::Result { x }", "names its value");
    case("fn f() -> ! { x }", "`!` has none");
}

#[test]
fn options_that_are_not_understood_are_refused() {
    let case = |options: &str, word: &str| refuse(crate::task::expand, options, "fn f() {}", &[word]);
    case("nam = \"f\"", "`#[task]` has no option `nam`; did you mean `name`?");
    case("impure", "no option `impure`; did you mean `pure`?");
    case("retries = 3", "no option `retries`; its options are");
    case("pure", "write `pure = true` or `pure = false`");
    case("pure = no", "write `pure = true` or `pure = false`");
    case("pure = \"false\"", "write `pure = true` or `pure = false`");
    case("pure =", "write `pure = true` or `pure = false`");
    case("name = load", "a text that is not empty");
    case("name = \" \"", "a text that is not empty");
    case("pure = false, pure = true", "`pure` is given twice");
    case("pure = false name = \"f\"", "separated by commas");
    case("\"load\"", "begins with its name");
}

#[test]
fn all_mistakes_of_a_function_are_told_at_once() {
    refuse(
        crate::task::expand,
        "pur = false",
        "const fn f<T>((a, b): &mut (A, B), _: impl Read) -> &str { x }",
        &[
            "no option `pur`",
            "take `const` away",
            "no generic",
            "take the value apart",
            "return what it becomes",
            "`_unused`",
            "`impl`",
            "owns",
        ],
    );
}
