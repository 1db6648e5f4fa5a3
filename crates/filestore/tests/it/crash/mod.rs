//! What the store keeps of its promises when the disk fails at any call, and when the power does.
//!
//! Each story is told again and again over a simulated disk, and each time another call goes wrong.
//! Then the store is opened on what is left, and must be as it was told to be.

mod bench;
mod commits;
mod faults;
mod formatting;
mod power;
mod stories;
