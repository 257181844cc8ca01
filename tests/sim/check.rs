//! The one driver of the stories in this folder.

/// Plays a story, then demands what each story must show: results of the oracle, no task run again without a reason, and
/// nothing left when everything is released.
#[track_caller]
pub fn check(script: &str) {
    if let Err(why) = partita_sim::play(script) {
        panic!("{why}");
    }
}
