//! Expected: five sentences at once: no option `pur`, `const`, the pattern, `&mut`, and the result that borrows.

use partita_macros::task;

#[task(pur = false)]
pub const fn pick((a, b): &mut (i64, i64)) -> &i64 {
    if *a > *b { a } else { b }
}

fn main() {}
