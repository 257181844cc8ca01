//! What the compiler says to functions below the attributes: nothing to those that are right, and to those that are wrong a
//! sentence at the place of the mistake.
//!
//! Each case is a program of its own. `TRYBUILD=overwrite cargo test -p partita-macros --test compile_fail` writes what is said
//! now beside the case, for reading. Programs that must run stand in front of a small runtime, `tests/contract/`.

#[test]
fn mistakes_are_told_at_their_place() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}

#[test]
fn tasks_of_every_form_compile_and_run() {
    trybuild::TestCases::new().pass("tests/compile_pass/*.rs");
}
