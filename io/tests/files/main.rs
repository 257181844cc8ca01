//! Files as users have them: found, opened, cut anywhere, read from disks, stores and packed, always with the same rows.

mod cutting;
mod opening;
mod reading;
mod remote;
mod rows;
