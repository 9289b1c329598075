//! What a look costs the heap, counted by the allocator.
#![expect(
    unsafe_code,
    reason = "an allocator is unsafe to write; this one hands everything on to the system's"
)]
#![expect(clippy::unwrap_used, reason = "tests: a failure is what they are for")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use sim::{Config, run};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator as it came; counting touches no memory of theirs.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Allocations and looks of a run after its first day, on which buffers grow.
fn counted(config: &Config) -> (u64, u64) {
    let (mut first, mut last) = (None, (0, 0));
    run(config, &mut |_| {}, &mut |day| {
        last = (ALLOCATIONS.load(Ordering::Relaxed), day.looks);
        first.get_or_insert(last);
    })
    .unwrap();
    let first = first.unwrap();
    (last.0 - first.0, last.1 - first.1)
}

#[test]
fn a_look_allocates_next_to_nothing() {
    let (allocations, looks) = counted(&Config::of(1, 8, 24));
    let each = allocations as f64 / looks as f64;
    eprintln!("{allocations} allocations in {looks} looks: {each:.4} a look");
    // Spots that come and go, findings and a day's plan do; a quiet look does not.
    assert!(each < ALLOCATIONS_MAX, "{each}");
}

const ALLOCATIONS_MAX: f64 = 0.1;
