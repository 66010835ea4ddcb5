//! The filter's allocator: small blocks from lists by size, the rest from the allocator below.
//!
//! A call makes some three hundred small blocks and frees them again. The system's allocator of wasm (dlmalloc) takes about eighty
//! instructions for either, each access to memory with a check of its bounds: it keeps headers, and joins and splits
//! blocks. Rust says the size of a block again when it is freed, so a block needs no header, and a free one can wait
//! in a list of those of its size: some ten instructions, and nothing else is ever done to it
//! (docs/decisions/0032).
//!
//! What that costs is memory: a small block never changes its size. What is kept is at most the sum over the sizes of
//! the most that was in use of each at one time. Bodies and buffers are larger than that and are not kept here.
//!
//! This is the one crate of the project with `unsafe` in what ships, and does nothing else.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::{NonNull, null_mut};

/// Sizes are rounded up to these steps, which is also how blocks are aligned.
const STEP: usize = 16;

/// Largest small block, in bytes.
pub const LARGEST: usize = 512;

/// One list a size, the first of them for `STEP` bytes.
const SIZES: usize = LARGEST / STEP;

/// Small blocks are cut from pieces of this size, in bytes.
const PIECE: usize = 32 << 10;

#[repr(align(16))]
struct Piece {
    _bytes: [u8; PIECE],
}

const _: () = assert!(align_of::<Piece>() == STEP && size_of::<Free>() <= STEP);

/// A free block, which begins with the next one of its size.
struct Free {
    next: *mut Free,
}

struct Lists {
    free: [*mut Free; SIZES],
    /// Of the piece that blocks are cut from.
    cut: *mut u8,
    left: usize,
}

/// An allocator for one thread that has its memory from another one.
pub struct Pool<A> {
    lists: UnsafeCell<Lists>,
    below: A,
}

// SAFETY: a module of wasm without atomics has one thread.
#[cfg(all(target_family = "wasm", not(target_feature = "atomics")))]
unsafe impl<A: Sync> Sync for Pool<A> {}

impl<A> Pool<A> {
    /// Without any memory yet.
    pub const fn new(below: A) -> Self {
        Self { lists: UnsafeCell::new(Lists { free: [null_mut(); SIZES], cut: null_mut(), left: 0 }), below }
    }
}

/// Which list a layout's blocks are in; `None` for what is not small.
#[inline(always)]
const fn list_of(layout: Layout) -> Option<usize> {
    // Of size 0 there is none: the wrap makes it large.
    let list = layout.size().wrapping_sub(1) / STEP;
    if list < SIZES && layout.align() <= STEP { Some(list) } else { None }
}

impl<A: GlobalAlloc> Pool<A> {
    /// Cuts a block for a list that is empty. Null if there is no memory.
    #[cold]
    #[inline(never)]
    fn cut(&self, list: usize) -> *mut u8 {
        let size = (list + 1) * STEP;
        // SAFETY: nobody else is in here: there is one thread, and the allocator below does not call back.
        let lists = unsafe { &mut *self.lists.get() };
        if lists.left < size {
            // SAFETY: the layout's size is not 0.
            let piece = unsafe { self.below.alloc(Layout::new::<Piece>()) };
            if piece.is_null() {
                return piece;
            }
            // What is left of the last piece is a block of a smaller size, unless it is empty.
            if let Some(rest) = NonNull::new(lists.cut).filter(|_| lists.left > 0)
                && let Some(first) = lists.free.get_mut(lists.left / STEP - 1)
            {
                let rest: NonNull<Free> = rest.cast();
                // SAFETY: `left` bytes from `cut` on are ours, a multiple of STEP, and aligned by it.
                unsafe { rest.write(Free { next: *first }) };
                *first = rest.as_ptr();
            }
            (lists.cut, lists.left) = (piece, PIECE);
        }
        let block = lists.cut;
        lists.left -= size;
        // SAFETY: there were at least `size` bytes left.
        lists.cut = unsafe { block.add(size) };
        block
    }
}

// SAFETY: a block is in use by one caller or in one list, and a list's blocks have its size and are aligned by STEP;
// all others are from the allocator below, which gets them back with the layout it gave them for.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Pool<A> {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(list) = list_of(layout) else {
            // SAFETY: the caller's promise is passed on.
            return unsafe { self.below.alloc(layout) };
        };
        // SAFETY: one thread, see above; `list` is below SIZES.
        let first = unsafe { (*self.lists.get()).free.get_unchecked_mut(list) };
        if first.is_null() {
            return self.cut(list);
        }
        let block = *first;
        // SAFETY: what is in a list is a free block, written by `dealloc` or `cut`.
        *first = unsafe { (*block).next };
        block.cast()
    }

    #[inline(never)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(list) = list_of(layout) else {
            // SAFETY: blocks of such a layout are from there.
            return unsafe { self.below.dealloc(block, layout) };
        };
        let block: *mut Free = block.cast();
        // SAFETY: as above; the block is the caller's to give, large enough and aligned.
        unsafe {
            let first = (*self.lists.get()).free.get_unchecked_mut(list);
            (*block).next = *first;
            *first = block;
        }
    }

    #[inline(never)]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that `size` is possible for this alignment.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (list_of(layout), list_of(new)) {
            (Some(old), Some(new)) if old == new => block,
            // SAFETY: as in `dealloc`.
            (None, None) => unsafe { self.below.realloc(block, layout, size) },
            // SAFETY: the blocks are different ones, and both as large as what is copied.
            _ => unsafe {
                let moved = self.alloc(new);
                if !moved.is_null() {
                    core::ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                    self.dealloc(block, layout);
                }
                moved
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::alloc::System;
    use std::cell::Cell;

    use super::*;

    /// The system's, counting what it is asked for.
    #[derive(Default)]
    struct Counting {
        given: Cell<usize>,
        back: Cell<usize>,
    }

    // SAFETY: passes everything on.
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            self.given.set(self.given.get() + 1);
            unsafe { System.alloc(layout) }
        }
        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            self.back.set(self.back.get() + 1);
            unsafe { System.dealloc(block, layout) }
        }
    }

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).expect("a layout")
    }

    #[test]
    fn a_freed_block_is_the_next_of_its_size_and_of_no_other() {
        let pool = Pool::new(Counting::default());
        unsafe {
            let first = pool.alloc(layout(20, 8));
            pool.dealloc(first, layout(20, 8));
            let (other, again) = (pool.alloc(layout(16, 8)), pool.alloc(layout(32, 1)));
            assert_ne!(other, first);
            assert_eq!(again, first);
        }
        assert_eq!(pool.below.given.get(), 1);
    }

    #[test]
    fn what_is_large_or_widely_aligned_comes_from_below_and_goes_back() {
        let pool = Pool::new(Counting::default());
        for layout in [layout(LARGEST + 1, 1), layout(16, 32), layout(1 << 20, 16)] {
            unsafe {
                let block = pool.alloc(layout);
                assert_eq!(block as usize % layout.align(), 0);
                pool.dealloc(block, layout);
            }
        }
        assert_eq!((pool.below.given.get(), pool.below.back.get()), (3, 3));
    }

    #[test]
    fn what_is_left_of_a_piece_is_used() {
        let pool = Pool::new(Counting::default());
        let blocks = PIECE / LARGEST;
        unsafe {
            pool.alloc(layout(LARGEST - STEP, 1));
            for _ in 1..blocks {
                pool.alloc(layout(LARGEST, 1));
            }
            assert_eq!(pool.below.given.get(), 1);
            // The next one does not fit; a small one fits into the 16 bytes that are left.
            pool.alloc(layout(LARGEST, 1));
            assert_eq!(pool.below.given.get(), 2);
            let cut = (*pool.lists.get()).cut;
            let small = pool.alloc(layout(STEP, 1));
            assert!(small < cut || small > cut.add(PIECE), "from the first piece");
        }
    }

    #[test]
    fn contents_survive_whatever_else_is_taken_and_given() {
        let pool = Pool::new(Counting::default());
        let mut held: Vec<(*mut u8, Layout, u8)> = Vec::new();
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut random = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below) as usize
        };
        let is_whole = |(block, layout, mark): &(*mut u8, Layout, u8)| (0..layout.size()).all(|at| unsafe { *block.add(at) } == *mark);
        for round in 0..20_000 {
            let mark = round as u8;
            match random(3) {
                0 if !held.is_empty() => {
                    let freed = held.swap_remove(random(held.len() as u64));
                    assert!(is_whole(&freed));
                    unsafe { pool.dealloc(freed.0, freed.1) };
                }
                1 if !held.is_empty() => {
                    let at = random(held.len() as u64);
                    let (block, old, was) = held[at];
                    let size = 1 + random(2 * LARGEST as u64);
                    let moved = unsafe { pool.realloc(block, old, size) };
                    let kept = layout(size.min(old.size()), 1);
                    assert!(is_whole(&(moved, kept, was)));
                    unsafe { moved.write_bytes(mark, size) };
                    held[at] = (moved, layout(size, old.align()), mark);
                }
                _ => {
                    let layout = layout(1 + random(2 * LARGEST as u64), 1 << random(5));
                    let block = unsafe { pool.alloc(layout) };
                    assert_eq!(block as usize % layout.align(), 0);
                    unsafe { block.write_bytes(mark, layout.size()) };
                    held.push((block, layout, mark));
                }
            }
        }
        assert!(held.iter().all(is_whole));
    }
}
