//! Checks, repairs and salvages of containers that were cut off and damaged in every way, against what they held.

mod damage;
mod interruption;
mod locks;
mod support;
