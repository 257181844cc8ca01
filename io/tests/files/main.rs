//! Files as users have them: found, opened, cut anywhere, read from disks, stores and packed, always with the same rows; and written so
//! that nobody sees half of them.

mod array_files;
mod array_server;
mod arrow_files;
mod conditions;
mod cutting;
mod images;
mod json_lines;
mod opening;
mod parquet_files;
mod reading;
mod remote;
mod rows;
mod stores;
mod tables;
mod web;
mod writing;
