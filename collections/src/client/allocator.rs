//! What a memory limit asks of the C library's allocator. It refuses to know limits and tasks.
//!
//! glibc learns from freed blocks: after one of 8 MB was freed, blocks of that size come from its heaps and stay there when they are
//! freed, so a process under a limit of 256 MiB kept 460 MB. With a fixed threshold large blocks go back to the system at once: 240 MB.
//! Small blocks are what shuffles are made of: the heaps that held them keep their pages when they are freed, until they are trimmed.
//! A program with another global allocator is not touched by this.

/// Blocks from this size on are mapped on their own and given back when they are freed, in bytes. The pieces that a shuffle splits partitions
/// into are a few tens of kilobytes: with 256 KiB here their freed blocks kept a fifth of a limit of 256 MiB.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_FROM: i32 = 32 << 10;

/// Makes the allocator give large blocks back. For the whole process, for good; called when a user sets a memory limit.
pub(super) fn give_back_large_blocks() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| {
            // SAFETY: mallopt takes two integers, locks the allocator itself, and a refusal (0) leaves everything as it was.
            unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_FROM) };
        });
    }
}

/// Gives the pages of freed small blocks back, from the middle of the heaps too. Called after partitions went to disk: otherwise the
/// process would not become smaller by what was spilled.
pub(super) fn give_back_small_blocks() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: malloc_trim takes an integer, the bytes to keep at the end of the heap, and locks the allocator itself; it moves no block.
        unsafe { libc::malloc_trim(0) };
    }
}
