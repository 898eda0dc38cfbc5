//! Envelope encryption: where key services and containers meet.
//!
//! An [`Envelope`] holds the key services that there are. It makes a new container's data key with GenerateDataKey, and
//! opens an existing container's header with Decrypt. It also makes prepared containers, whose data key nobody has seen, and
//! has them filled. What it gives out, a [`Sealer`](waxseal_container::Sealer) or an
//! [`Unlocked`](waxseal_container::Unlocked) header, knows no key service any more: content never waits for one.
//!
//! A [`DataKeyCache`] opens headers and remembers them for a while; a [`Stock`] has new containers ready before they are asked
//! for.
//!
//! [`Envelope::rewrap`] gives a container other keys in its place, without seeing its data key where that can be had.
//!
//! [`Fsck`] checks a container, repairs it and saves what is left of it.

mod allowed;
mod candidates;
mod data_keys;
mod envelope;
mod error;
mod fsck;
mod lock;
mod prepared;
mod proof;
mod reading;
mod rewrap;

pub use allowed::{AllowedKeys, AwsAccount, AwsAccountError, LocalKeys};
pub use data_keys::{CacheCounts, CacheLimits, DataKeyCache, Stock, StockLimits};
pub use envelope::{Envelope, NewContainer, OpenedBy};
pub use error::EnvelopeError;
pub use fsck::{Damaged, Finding, Fsck, Repair, Salvage};
pub use lock::{lock_exclusive, lock_shared, unlock};
pub use reading::{ContextAssertion, Reading};
pub use rewrap::{Act, KeyChange, KeyName, Rewrap, Rewrapped, Selection};
