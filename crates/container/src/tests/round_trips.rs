//! What goes in comes out: any bytes, any pieces, any range, in both suites, through streams and files.

use proptest::prelude::*;
use waxseal_key_service::{EncryptedDataKey, EncryptionContext};

use super::support::*;
use crate::{Container, ContainerError, Core, Header, Interrupted, Sealer, Sink, Source, Suite, file_size};

const BORDERS: [usize; 18] = [
    0, 1, 4095, 4096, 4097, 131_071, 131_072, 131_073, 135_168, 393_215, 393_216, 393_217, 397_312, 655_359, 655_360,
    655_361, 1_000_000, 1_310_720,
];

#[test]
fn every_border_length_survives_every_way_in_and_out() {
    for suite in Suite::ALL {
        for length in BORDERS {
            let plaintext = plaintext(length);
            for container in [seal_file(suite, &plaintext), seal_stream(suite, &plaintext)] {
                assert_eq!(container.len() as u64, file_size(length as u64));
                let (result, streamed) = open_stream(&container, Interrupted::Refuse);
                assert_eq!(result.unwrap().plaintext_len, length as u64);
                assert!(streamed == plaintext, "{suite} {length} as a stream");
                assert!(open_file(&container, Interrupted::Refuse).unwrap() == plaintext, "{suite} {length} as a file");
                assert!(
                    read_at_whole(&container, Interrupted::Refuse).unwrap() == plaintext,
                    "{suite} {length} by read_at"
                );
            }
        }
    }
}

#[test]
fn a_new_container_is_known_as_it_will_be_read() {
    for suite in Suite::ALL {
        for count in [1, 3, 9] {
            let context = EncryptionContext::from_pairs(&["a=b"]).unwrap();
            let core = Core::new(suite, context, None).unwrap();
            let sealer = Sealer::new(core, &vec![encrypted_key(); count], &data_key()).unwrap();
            let known = sealer.unlocked().header().clone();
            let mut container = Vec::new();
            sealer.seal(Source::File(&&b"x"[..]), Sink::Stream(&mut container), threads(1)).unwrap();
            assert_eq!(Header::parse(&container).unwrap(), known);
        }
        let core = || Core::new(suite, Default::default(), None).unwrap();
        let empty = EncryptedDataKey { ciphertext_blob: Vec::new(), ..encrypted_key() };
        for keys in [vec![], vec![empty]] {
            assert!(matches!(Sealer::new(core(), &keys, &data_key()), Err(ContainerError::Damaged { .. })));
        }
    }
}

#[test]
fn a_container_verifies_without_an_output() {
    let container = seal_file(Suite::default(), &plaintext(300_000));
    let opened = unlock(&container)
        .unwrap()
        .open(Source::File(&&container[..]), Sink::Discard, Interrupted::Refuse, threads(3))
        .unwrap();
    assert_eq!((opened.plaintext_len, opened.interrupted), (300_000, false));
}

#[test]
fn two_containers_of_one_plaintext_share_no_page() {
    let plaintext = vec![7; 20_000];
    let (one, other) = (seal_file(Suite::default(), &plaintext), seal_file(Suite::default(), &plaintext));
    for (page, (one, other)) in one.chunks(2048).zip(other.chunks(2048)).enumerate() {
        assert_ne!(one, other, "page {page}");
    }
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_an_error() {
    struct Shrinking;
    impl crate::ReadAt for Shrinking {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
            let left = usize::try_from(200_000u64.saturating_sub(offset)).unwrap();
            Ok(left.min(buffer.len()))
        }
        fn size(&self) -> std::io::Result<u64> {
            Ok(300_000)
        }
    }
    let result = sealer(Suite::default()).seal(Source::File(&Shrinking), Sink::Stream(&mut Vec::new()), threads(2));
    assert!(matches!(result, Err(crate::ContainerError::InputShrank { expected: 300_000, found: 200_000 })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_bytes_in_any_pieces_come_out_again(
        length in prop_oneof![0usize..20_000, 0usize..1_200_000],
        seed in any::<u8>(),
        pieces in prop::collection::vec(prop_oneof![1usize..10, 1usize..70_000], 1..6),
        second_suite in any::<bool>(),
        workers in 1usize..5,
    ) {
        let suite = Suite::ALL[usize::from(second_suite)];
        let plaintext: Vec<u8> = plaintext(length).into_iter().map(|byte| byte.wrapping_mul(seed)).collect();
        let mut container = Vec::new();
        let source = Source::Stream(&mut Pieces::new(&plaintext, &pieces));
        sealer(suite).seal(source, Sink::Stream(&mut container), threads(workers)).unwrap();
        prop_assert_eq!(container.len() as u64, file_size(length as u64));

        let mut input = Pieces::new(&container, &pieces);
        let unlocked = crate::Header::read_from(&mut input).unwrap().unlock(&data_key()).unwrap();
        let mut output = Vec::new();
        unlocked.open(Source::Stream(&mut input), Sink::Stream(&mut output), Interrupted::Refuse, threads(workers)).unwrap();
        prop_assert!(output == plaintext);
    }

    #[test]
    fn any_range_equals_the_reference(
        length in prop_oneof![1usize..20_000, 1usize..1_200_000],
        ranges in prop::collection::vec((0usize..1100, prop_oneof![0usize..10, 0usize..500_000]), 1..20),
        as_stream in any::<bool>(),
        second_suite in any::<bool>(),
    ) {
        let suite = Suite::ALL[usize::from(second_suite)];
        let plaintext = plaintext(length);
        let container = if as_stream { seal_stream(suite, &plaintext) } else { seal_file(suite, &plaintext) };
        let reader = Container::open(unlock(&container).unwrap(), &container[..], Interrupted::Refuse).unwrap();
        prop_assert_eq!(reader.len(), length as u64);
        for (thousandths, wanted) in ranges {
            let start = length * thousandths / 1000;
            let mut buffer = vec![0xee; wanted];
            let read = reader.read_at(&mut buffer, start as u64).unwrap();
            let expected = plaintext.get(start..(start + wanted).min(length)).unwrap_or_default();
            prop_assert!(&buffer[..read] == expected);
        }
    }
}
