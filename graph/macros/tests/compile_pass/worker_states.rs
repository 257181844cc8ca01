//! A worker state is built at its first use and then kept; a build that failed is tried again.
#![deny(warnings)]

extern crate self as partita;

#[path = "../contract/mod.rs"]
mod contract;

use std::sync::atomic::{AtomicU32, Ordering};

pub use contract::{Delayed, Error, delayed, graph, task_support};
use partita_macros::{task, worker_state};

static BUILDS: AtomicU32 = AtomicU32::new(0);

/// A model that takes long to load.
#[worker_state]
fn model() -> Vec<u32> {
    vec![BUILDS.fetch_add(1, Ordering::Relaxed)]
}

#[worker_state]
fn connection() -> Result<String, String> {
    static TRIES: AtomicU32 = AtomicU32::new(1);
    match TRIES.fetch_add(1, Ordering::Relaxed) {
        3 => Ok("connected".to_string()),
        tries => Err(format!("try {tries}")),
    }
}

#[worker_state]
pub async fn settings() -> std::io::Result<u8> {
    Ok(std::future::ready(3).await)
}

mod closing {
    pub static CLOSED: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

    pub fn close(file: &u32) {
        CLOSED.fetch_add(*file, std::sync::atomic::Ordering::Relaxed);
    }
}

#[worker_state(teardown = closing::close)]
fn file() -> Result<u32, String> {
    Ok(5)
}

#[task]
fn score(row: u32) -> Result<u32, Error> {
    Ok(row + model::get()?[0])
}

fn main() {
    assert_eq!(BUILDS.load(Ordering::Relaxed), 0);
    assert_eq!(delayed(score)(10).outcome.expect("a score"), 10);
    assert_eq!(delayed(score)(11).outcome.expect("a score"), 11);
    assert!(std::sync::Arc::ptr_eq(&model::get().expect("it is built"), &model::get().expect("it is built")));
    assert_eq!(BUILDS.load(Ordering::Relaxed), 1);

    assert_eq!(connection::get().expect_err("the first try").message, concat!(module_path!(), "::connection: try 1"));
    assert_eq!(connection::get().expect_err("the second try").message, concat!(module_path!(), "::connection: try 2"));
    assert_eq!(*connection::get().expect("the third try"), "connected");
    assert_eq!(*connection::get().expect("it is kept"), "connected");
    assert_eq!(*settings::get().expect("it is built"), 3);

    assert_eq!(*file::get().expect("it is built"), 5);
    task_support::TEARDOWNS.lock().expect("no panic").iter().for_each(|teardown| teardown());
    assert_eq!(closing::CLOSED.load(Ordering::Relaxed), 5);
}
