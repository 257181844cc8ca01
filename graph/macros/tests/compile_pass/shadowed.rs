//! Names in the user's module do not get in the way, and tasks can come out of the user's own macros.
#![deny(warnings)]

extern crate self as partita;

#[path = "../contract/mod.rs"]
mod contract;

pub use contract::{Delayed, Error, delayed, graph, task_support};

mod strange {
    pub mod core {}
    pub mod std {}
    pub mod partita {}
    pub mod inventory {}
    pub struct Box;
    pub struct Vec;
    pub struct String;
    pub struct Location;
    pub trait Task {}
    pub trait TaskOf {}
    pub trait Fn {}
    pub trait Deref {}
    pub trait Clone {}
    pub type Result = ();
    pub fn take() {}
    pub fn deferred() {}

    pub type A0 = i64;
    pub type Arguments = i64;

    #[partita_macros::task]
    pub fn subtract(a: A0, b: &Arguments, name: &str) -> ::std::result::Result<i64, ::std::string::String> {
        if name.is_empty() {
            return ::std::result::Result::Err(::std::string::String::new());
        }
        ::std::result::Result::Ok(a - b)
    }

    #[partita_macros::task]
    pub fn context(a: A0, of: &crate::graph::TaskContext<'_>) -> u32 {
        of.attempt + a as u32
    }

    #[partita_macros::task]
    pub async fn inputs(a: A0) -> ::std::result::Result<i64, ::std::string::String> {
        ::std::result::Result::Ok(a)
    }

    #[partita_macros::task]
    pub fn arguments() {}

    #[partita_macros::task]
    pub fn origin() {}

    #[partita_macros::worker_state]
    pub fn returned() -> ::std::result::Result<i64, ::std::string::String> {
        ::std::result::Result::Ok(5)
    }
}

macro_rules! doubling {
    ($name:ident, $written:ty) => {
        #[partita_macros::task]
        fn $name(value: $written) -> $crate::Plain {
            2 * value.to_owned()
        }
    };
}

type Plain = i64;

doubling!(double_given, i64);
doubling!(double_lent, &i64);

fn main() {
    assert_eq!(delayed(strange::subtract)(3, 2, "x").outcome.expect("it subtracts"), 1);
    assert_eq!(delayed(strange::context)(3).outcome.expect("it counts"), 4);
    assert_eq!(delayed(strange::inputs)(3).outcome.expect("it gives"), 3);
    delayed(strange::arguments)().outcome.expect("it runs");
    delayed(strange::origin)().outcome.expect("it runs");
    assert_eq!(*strange::returned::get().expect("it is built"), 5);
    assert_eq!(delayed(double_given)(2).outcome.expect("it doubles"), 4);
    assert_eq!(delayed(double_lent)(2).outcome.expect("it doubles"), 4);
    assert_eq!(double_lent(&3), 6);
}
