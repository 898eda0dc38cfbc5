//! A key service that counts, in front of the embedded KMS: when it is asked, and when it is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use tempfile::TempDir;
use waxseal_container::{Header, Sealer, Sink, Source, Suite};
use waxseal_key_service::{EncryptionContext, ErrorCode, Front, KeyService, KeyServiceError, Provider, Request};
use waxseal_kms_local::{CreateOptions, LocalKms};

use super::cache::{Entry, Kept};
use super::{CacheCounts, CacheLimits, DataKeyCache, Stock, StockLimits};
use crate::{AllowedKeys, ContextAssertion, Envelope, EnvelopeError, NewContainer, Reading};

struct Counting {
    kms: LocalKms,
    generated: AtomicU64,
    decrypted: AtomicU64,
    at_once: AtomicU64,
    most_at_once: AtomicU64,
    refuses: AtomicBool,
}

impl Counting {
    fn generated(&self) -> u64 {
        self.generated.load(Ordering::Relaxed)
    }

    fn decrypted(&self) -> u64 {
        self.decrypted.load(Ordering::Relaxed)
    }

    /// Every answer takes a moment, so that others come meanwhile.
    async fn answer(&self) -> Result<(), KeyServiceError> {
        let at_once = self.at_once.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_at_once.fetch_max(at_once, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(5)).await;
        self.at_once.fetch_sub(1, Ordering::Relaxed);
        if self.refuses.load(Ordering::Relaxed) {
            return Err(KeyServiceError::new(ErrorCode::Disabled, "told to refuse"));
        }
        Ok(())
    }
}

#[async_trait]
impl Front for Counting {
    fn provider(&self) -> Provider {
        Provider::Local
    }

    async fn behind(&self, request: Request) -> Result<&dyn KeyService, KeyServiceError> {
        let count = match request {
            Request::GenerateDataKey => &self.generated,
            Request::DecryptDataKey => &self.decrypted,
            _ => return Ok(&self.kms),
        };
        count.fetch_add(1, Ordering::Relaxed);
        self.answer().await?;
        Ok(&self.kms)
    }
}

struct World {
    service: Arc<Counting>,
    envelope: Envelope,
    _home: TempDir,
}

impl World {
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        let service = Arc::new(Counting {
            kms: LocalKms::create(&home.path().join("kms"), &CreateOptions::default()).unwrap(),
            generated: AtomicU64::new(0),
            decrypted: AtomicU64::new(0),
            at_once: AtomicU64::new(0),
            most_at_once: AtomicU64::new(0),
            refuses: AtomicBool::new(false),
        });
        let envelope = Envelope::new(vec![Arc::clone(&service) as Arc<dyn KeyService>]);
        Self { service, envelope, _home: home }
    }

    fn new_container(suite: Suite, context: &[&str]) -> NewContainer {
        let new = NewContainer::new(vec!["alias/default".parse().unwrap()]);
        NewContainer { context: EncryptionContext::from_pairs(context).unwrap(), suite, ..new }
    }

    /// A header of a container of its own.
    async fn header(&self, suite: Suite, context: &[&str]) -> Header {
        header_of(self.envelope.make(&Self::new_container(suite, context)).await.unwrap())
    }

    fn cache(&self, reading: Reading, limits: CacheLimits) -> DataKeyCache {
        DataKeyCache::new(self.envelope.clone(), reading, limits)
    }
}

fn container_of(sealer: Sealer) -> Vec<u8> {
    let mut bytes = Vec::new();
    sealer.seal(Source::File(&&b"content"[..]), Sink::Stream(&mut bytes), std::num::NonZeroUsize::MIN).unwrap();
    bytes
}

fn header_of(sealer: Sealer) -> Header {
    Header::parse(&container_of(sealer)).unwrap()
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(test);
}

#[test]
fn the_key_service_is_asked_once_for_each_header() {
    run(async {
        let world = World::new();
        let (one, two) =
            (world.header(Suite::Aes256GcmSiv, &[]).await, world.header(Suite::XChaCha20Poly1305, &["a=b"]).await);
        let cache = world.cache(Reading::default(), CacheLimits::default());
        for _ in 0..3 {
            for header in [&one, &two] {
                let (opened, _) = cache.open(header.clone()).await.unwrap();
                assert_eq!(opened.unlocked.header(), header, "each gets its own keys");
            }
        }
        assert_eq!(world.service.decrypted(), 2);
        assert_eq!(cache.counts(), CacheCounts { asked: 2, recalled: 4 });
    });
}

#[test]
fn who_comes_while_it_is_asked_waits_for_that_answer() {
    run(async {
        let world = World::new();
        let header = world.header(Suite::Aes256GcmSiv, &[]).await;
        let cache = world.cache(Reading::default(), CacheLimits::default());
        let all = futures_util::future::join_all((0..20).map(|_| cache.open(header.clone()))).await;
        assert!(all.iter().all(Result::is_ok));
        assert_eq!(world.service.decrypted(), 1);
    });
}

#[test]
fn a_header_of_the_same_file_that_differs_is_asked_for() {
    run(async {
        let world = World::new();
        // The data key of one container, in slots of other keys: what a change of keys leaves.
        let new = World::new_container(Suite::Aes256GcmSiv, &[]);
        let bytes = world.envelope.prepare(&new).await.unwrap();
        let prepared = Header::parse(&bytes).unwrap();
        let (filling, _) = world.envelope.fill(prepared, &Reading::default()).await.unwrap();
        let file = tempfile::tempfile().unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &bytes, 0).unwrap();
        filling.seal(Source::File(&&b"content"[..]), &file, std::num::NonZeroUsize::MIN).unwrap();
        let header = Header::read_at(&file).unwrap();
        let mut forged = [0; 2048];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut forged, 0).unwrap();
        // The body salt, which is below the tag.
        forged[50] ^= 1;
        let forged = Header::parse(&forged).unwrap();
        assert_eq!(forged.core(), header.core());

        let cache = world.cache(Reading::default(), CacheLimits::default());
        cache.open(header.clone()).await.unwrap();
        let before = world.service.decrypted();
        assert!(matches!(cache.open(forged).await, Err(EnvelopeError::Container(_))), "its tag does not verify");
        assert_eq!(world.service.decrypted(), before + 1);
        cache.open(header).await.unwrap();
        assert_eq!(world.service.decrypted(), before + 1, "what is known of the true one stays");
    });
}

/// The first half page of a container, in which `from` is replaced by as many other bytes.
fn forged(container: &[u8], from: &[u8], to: &[u8]) -> Header {
    let at = container[..1024].windows(from.len()).position(|window| window == from).unwrap();
    let forged = [&container[..at], to, &container[at + from.len()..2048]].concat();
    assert_eq!(forged.len(), 2048);
    Header::parse(&forged).unwrap()
}

#[test]
fn what_is_known_of_a_file_opens_none_of_another_context_suite_or_id_and_none_under_other_keys() {
    run(async {
        let world = World::new();
        let sealer =
            world.envelope.make(&World::new_container(Suite::Aes256GcmSiv, &["project=apollo"])).await.unwrap();
        let bytes = container_of(sealer);
        let header = Header::parse(&bytes).unwrap();
        let id = header.core().file_id().to_string();
        let id: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&id[2 * at..2 * at + 2], 16).unwrap()).collect();
        let cache = world.cache(Reading::default(), CacheLimits::default());
        cache.open(header.clone()).await.unwrap();
        // The map of the core begins with the suite, and the file id behind it.
        let (map, suite_2) = ([0x01, 0x01, 0x02, 0x58, 0x20], [0x01, 0x02, 0x02, 0x58, 0x20]);
        // The keys of another file, in this one's slots.
        let other = world.header(Suite::Aes256GcmSiv, &["project=apollo"]).await;
        let file = tempfile::tempfile().unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &bytes, 0).unwrap();
        header.replace_keys(other.encrypted_data_keys(), None).unwrap().apply(&file, || {}).unwrap();
        for (what, forged) in [
            ("context", forged(&bytes, b"apollo", b"gemini")),
            ("suite", forged(&bytes, &map, &suite_2)),
            ("file id", forged(&bytes, &id, &[7; 32])),
            ("keys", Header::read_at(&file).unwrap()),
        ] {
            let (asked, recalled) = (world.service.decrypted(), cache.counts().recalled);
            assert!(cache.open(forged).await.is_err(), "{what}");
            assert_eq!((world.service.decrypted(), cache.counts().recalled), (asked + 1, recalled), "{what}");
        }
        let asked = world.service.decrypted();
        assert_eq!(*cache.open(header.clone()).await.unwrap().0.unlocked.header(), header);
        assert_eq!(world.service.decrypted(), asked, "what is known of the true one stays");
    });
}

#[test]
fn each_reader_has_demands_of_its_own() {
    run(async {
        let world = World::new();
        let header = world.header(Suite::Aes256GcmSiv, &["project=apollo"]).await;
        let open = world.cache(Reading::default(), CacheLimits::default());
        open.open(header.clone()).await.unwrap();
        let other_context =
            Reading { context: vec![ContextAssertion::parse("project=gemini").unwrap()], ..Reading::default() };
        let other_key = Reading {
            keys: AllowedKeys::only(vec!["1234abcd-12ab-34cd-56ef-1234567890ab".parse().unwrap()]),
            ..Reading::default()
        };
        for reading in [other_context, other_key] {
            let cache = world.cache(reading, CacheLimits::default());
            assert!(cache.open(header.clone()).await.is_err());
            assert_eq!(cache.counts().recalled, 0);
        }
        assert_eq!(world.service.decrypted(), 1);
    });
}

#[test]
fn refusals_are_not_remembered() {
    run(async {
        let world = World::new();
        let header = world.header(Suite::Aes256GcmSiv, &[]).await;
        let cache = world.cache(Reading::default(), CacheLimits::default());
        world.service.refuses.store(true, Ordering::Relaxed);
        assert!(cache.open(header.clone()).await.is_err());
        world.service.refuses.store(false, Ordering::Relaxed);
        assert!(cache.open(header).await.is_ok());
        assert_eq!(world.service.decrypted(), 2);
    });
}

#[test]
fn an_answer_is_given_out_as_often_as_the_limit_says() {
    run(async {
        let world = World::new();
        let header = world.header(Suite::Aes256GcmSiv, &[]).await;
        let cache = world.cache(Reading::default(), CacheLimits { uses: 3, ..CacheLimits::default() });
        for _ in 0..7 {
            cache.open(header.clone()).await.unwrap();
        }
        assert_eq!(world.service.decrypted(), 3);
        assert_eq!(cache.counts(), CacheCounts { asked: 3, recalled: 4 });
    });
}

#[test]
fn no_key_is_held_past_its_age_and_no_more_than_the_limit() {
    run(async {
        let world = World::new();
        let limits = CacheLimits { entries: 3, age: Duration::from_secs(60), uses: 10 };
        let now = Instant::now();
        let at = |seconds: u64| now + Duration::from_secs(seconds);
        let mut kept = Kept::default();
        let mut headers = Vec::new();
        // The answers come in another order than they were asked for.
        for since in [20, 0, 10] {
            let header = world.header(Suite::Aes256GcmSiv, &[]).await;
            let opened = world.envelope.open(header.clone(), &Reading::default()).await.unwrap();
            kept.keep(header.core().file_id(), Entry { opened, since: at(since), uses: 1 }, &limits);
            headers.push(header);
        }
        kept.expire(at(59), limits.age);
        assert_eq!(kept.len(), 3);
        for (now, left) in [(60, 2), (69, 2), (70, 1), (79, 1), (80, 0)] {
            kept.expire(at(now), limits.age);
            assert_eq!(kept.len(), left, "after {now} s");
        }
        assert!(headers.iter().all(|header| kept.take(header, limits.uses).is_none()));

        for (number, header) in headers.iter().chain(&headers).enumerate() {
            let opened = world.envelope.open(header.clone(), &Reading::default()).await.unwrap();
            let since = at(100 + number as u64);
            kept.keep(header.core().file_id(), Entry { opened, since, uses: 1 }, &limits);
            assert!(kept.len() <= limits.entries);
        }
        assert_eq!(kept.len(), 3, "an entry that was replaced is one");
        kept.expire(at(103 + 59), limits.age);
        assert_eq!(kept.len(), 3, "its later time counts");
    });
}

#[test]
fn a_key_is_wiped_when_its_age_is_over_though_nobody_comes() {
    run(async {
        let world = World::new();
        let limits = CacheLimits { age: Duration::from_millis(50), ..CacheLimits::default() };
        let cache = world.cache(Reading::default(), limits);
        // Twice: whoever watched over the first one has gone with it.
        for _ in 0..2 {
            cache.open(world.header(Suite::Aes256GcmSiv, &[]).await).await.unwrap();
            let begun = Instant::now();
            while cache.len() > 0 {
                assert!(begun.elapsed() < Duration::from_secs(60), "it is still there");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    });
}

#[test]
fn an_age_of_nothing_keeps_nothing() {
    run(async {
        let world = World::new();
        let header = world.header(Suite::Aes256GcmSiv, &[]).await;
        for limits in [CacheLimits { age: Duration::ZERO, ..CacheLimits::default() }, CacheLimits::NOTHING] {
            let before = world.service.decrypted();
            let cache = world.cache(Reading::default(), limits);
            for _ in 0..2 {
                cache.open(header.clone()).await.unwrap();
            }
            assert_eq!((world.service.decrypted() - before, cache.len()), (2, 0));
            assert_eq!(cache.counts(), CacheCounts { asked: 2, recalled: 0 });
        }
    });
}

/// Lets what goes on in the background come to its end. Returns how many containers are ready then.
async fn settled(stock: &Stock) -> usize {
    while stock.is_stocking() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stock.ready()
}

#[test]
fn data_keys_are_had_ahead_all_at_once_and_none_is_given_out_twice() {
    run(async {
        let world = World::new();
        let new = World::new_container(Suite::Aes256GcmSiv, &[]);
        let stock = Arc::new(Stock::new(world.envelope.clone(), new, StockLimits::default()));
        let mut ids = std::collections::HashSet::new();
        ids.insert(header_of(stock.make().await.unwrap().0).core().file_id());
        assert_eq!(settled(&stock).await, 32);
        assert!(world.service.most_at_once.load(Ordering::Relaxed) > 16, "they do not wait for each other");
        let before = world.service.generated();
        for _ in 0..16 {
            ids.insert(header_of(stock.make().await.unwrap().0).core().file_id());
        }
        assert_eq!(world.service.generated(), before, "half of them are used before more are wanted");
        assert_eq!(ids.len(), 17);
    });
}

#[test]
fn no_more_data_keys_are_generated_than_are_wanted() {
    run(async {
        for at_once in [1, 7, 40, 100] {
            let world = World::new();
            let new = World::new_container(Suite::Aes256GcmSiv, &[]);
            let limits = StockLimits { total: Some(100), ..StockLimits::default() };
            let stock = Arc::new(Stock::new(world.envelope.clone(), new, limits));
            let makers = (0..100).map(|_| async { stock.make().await.unwrap() });
            let made: Vec<_> = futures_util::stream::iter(makers).buffer_unordered(at_once).collect().await;
            assert_eq!((made.len(), settled(&stock).await, world.service.generated()), (100, 0, 100), "{at_once}");
            stock.make().await.unwrap();
            assert_eq!(world.service.generated(), 101, "who needs one more gets it");
        }
    });
}

#[test]
fn who_waits_for_a_data_key_that_is_refused_asks_for_one() {
    run(async {
        let world = World::new();
        let new = World::new_container(Suite::Aes256GcmSiv, &[]);
        let stock = Arc::new(Stock::new(world.envelope.clone(), new, StockLimits::default()));
        world.service.refuses.store(true, Ordering::Relaxed);
        let makers = (0..50).map(|_| stock.make());
        let refused = futures_util::future::join_all(makers).await;
        assert!(refused.iter().all(Result::is_err), "everybody is told");
        settled(&stock).await;
        world.service.refuses.store(false, Ordering::Relaxed);
        stock.make().await.unwrap();
    });
}

#[test]
fn a_data_key_that_has_waited_for_long_is_not_used() {
    run(async {
        let world = World::new();
        let new = World::new_container(Suite::Aes256GcmSiv, &[]);
        let limits = StockLimits { age: Duration::from_millis(200), ..StockLimits::default() };
        let stock = Arc::new(Stock::new(world.envelope.clone(), new, limits));
        stock.make().await.unwrap();
        assert_eq!(settled(&stock).await, 32);
        tokio::time::sleep(Duration::from_millis(250)).await;
        stock.expire();
        assert_eq!(stock.ready(), 0);
        world.service.refuses.store(true, Ordering::Relaxed);
        assert!(stock.make().await.is_err(), "a key that was taken away makes no more files");
    });
}
