#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
use super::*;
use bhttp::Message;
use ohttp::hpke::{Aead, Kdf, Kem};
use ohttp::{KeyConfig, Server, SymmetricSuite};
use std::io::Cursor;

fn gateway(suites: &[(Kdf, Aead)]) -> Server {
    let suites = suites.iter().map(|&(kdf, aead)| SymmetricSuite::new(kdf, aead)).collect();
    Server::new(KeyConfig::new(7, Kem::X25519Sha256, suites).unwrap()).unwrap()
}

fn usual() -> Server {
    gateway(&[(Kdf::HkdfSha256, Aead::Aes128Gcm)])
}

fn content() -> [u8; CONTENT] {
    std::array::from_fn(|at| at as u8 + 1)
}

/// What the page does.
fn call(entropy: u8, keys: &[u8], authority: &[u8], path: &[u8]) -> Result<Vec<u8>, i32> {
    write(&[&[entropy; ENTROPY][..], &content(), keys, authority, path].concat());
    let length = encapsulate(keys.len(), authority.len(), path.len());
    usize::try_from(length).map(|length| read()[..length].to_vec()).map_err(|_| length)
}

fn answer(server: ohttp::ServerResponse, status: u16) -> Vec<u8> {
    let mut message = Vec::new();
    Message::response(status.try_into().unwrap()).write_bhttp(bhttp::Mode::KnownLength, &mut message).unwrap();
    server.encapsulate(&message).unwrap()
}

// One test, since there is one input.
#[test]
fn what_is_sealed_here_is_opened_by_the_other_side() {
    let server = usual();
    let keys = server.config().encode().unwrap();
    let mut seen = Vec::new();
    for (entropy, authority, path) in [
        (1, &b"collector.example"[..], &b"/v1/records"[..]),
        (2, b"c.example:8443", b"/"),
        (3, b"c", b"/"),
        (4, &[b'a'; 150], &[b'b'; 50]),
    ] {
        let sealed = call(entropy, &keys, authority, path).unwrap();
        assert_eq!(sealed.len(), 311);
        let (message, response) = server.decapsulate(&sealed).unwrap();
        assert_eq!(message.len(), MESSAGE);
        let mut reader = Cursor::new(message);
        let request = Message::read_bhttp(&mut reader).unwrap();
        let control = request.control();
        assert_eq!([control.method(), control.scheme()], [Some(&b"POST"[..]), Some(b"https")]);
        assert_eq!([control.authority(), control.path()], [Some(authority), Some(path)]);
        assert!(request.header().is_empty() && request.trailer().is_empty());
        assert_eq!(request.content(), content());
        seen.push(sealed);
        let sealed_answer = answer(response, 204);
        write(&sealed_answer);
        assert_eq!(open(sealed_answer.len()), 204);
        assert_eq!(open(sealed_answer.len()), Problem::Opening.code(), "an answer is opened once");
    }
    // The same record again, with new entropy: nothing is shared but the public header.
    let again = [call(5, &keys, b"c", b"/").unwrap(), call(6, &keys, b"c", b"/").unwrap()];
    assert_eq!(again[0][..7], again[1][..7]);
    let equal = again[0][7..].iter().zip(&again[1][7..]).filter(|(a, b)| a == b).count();
    // Of 304 independent bytes 1.2 are equal on average; 12 or more happen once in 10^8.
    assert!(equal < 12, "{equal} bytes are equal");
    assert_eq!(
        call(1, &keys, b"collector.example", b"/v1/records").unwrap(),
        seen[0],
        "and with the same entropy it is the same"
    );

    // Every answer of another request, cut or changed is refused.
    let sealed = call(8, &keys, b"c", b"/").unwrap();
    let good = answer(server.decapsulate(&sealed).unwrap().1, 503);
    for at in 0..good.len() {
        call(8, &keys, b"c", b"/").unwrap();
        let mut broken = good.clone();
        broken[at] ^= 1;
        write(&broken);
        assert_eq!(open(broken.len()), Problem::Opening.code(), "byte {at}");
        call(8, &keys, b"c", b"/").unwrap();
        write(&good);
        assert_eq!(open(at), Problem::Opening.code(), "{at} bytes");
    }
    call(8, &keys, b"c", b"/").unwrap();
    write(&good);
    assert_eq!(open(good.len()), 503);
    call(9, &keys, b"c", b"/").unwrap();
    write(&good);
    assert_eq!(open(good.len()), Problem::Opening.code(), "an answer to another request");
    call(9, &keys, b"c", b"/").unwrap();
    assert_eq!(open(ROOM + 1), Problem::Length.code());

    // Keys: a list, a list whose first entries cannot be used, several suites, and what is none.
    let list = KeyConfig::encode_list(&[server.config()]).unwrap();
    assert!(server.decapsulate(&call(1, &list, b"c", b"/").unwrap()).is_ok());
    let foreign = gateway(&[(Kdf::HkdfSha256, Aead::ChaCha20Poly1305)]);
    let mixed = KeyConfig::encode_list(&[foreign.config(), server.config()]).unwrap();
    assert!(server.decapsulate(&call(1, &mixed, b"c", b"/").unwrap()).is_ok());
    let both = gateway(&[(Kdf::HkdfSha256, Aead::ChaCha20Poly1305), (Kdf::HkdfSha256, Aead::Aes128Gcm)]);
    assert!(both.decapsulate(&call(1, &both.config().encode().unwrap(), b"c", b"/").unwrap()).is_ok());
    let refused = Err(Problem::Keys.code());
    assert_eq!(call(1, &foreign.config().encode().unwrap(), b"c", b"/"), refused);
    assert_eq!(call(1, &[&keys[..], &[0]].concat(), b"c", b"/"), refused, "a byte too many");
    for length in 0..keys.len() {
        assert_eq!(call(1, &keys[..length], b"c", b"/"), refused, "{length} bytes");
    }
    // A point of small order: the shared secret would be zero for everybody.
    let mut small = keys.clone();
    small[3..35].fill(0);
    assert_eq!(call(1, &small, b"c", b"/"), Err(Problem::Sealing.code()));
    assert_eq!(call(1, &keys, &[b'a'; 207], b""), Err(Problem::Address.code()));
    assert_eq!(call(1, &keys, b"", &[b'a'; 20_000][..3900]), Err(Problem::Address.code()));
    assert_eq!(encapsulate(ROOM, 1, 1), Problem::Length.code());
    assert_eq!(encapsulate(usize::MAX, usize::MAX, 1), Problem::Length.code());
    assert!(read().iter().all(|byte| *byte == 0), "nothing stays in the input");
}

#[test]
fn answers_are_read_as_the_other_side_writes_them() {
    for mode in [bhttp::Mode::KnownLength, bhttp::Mode::IndeterminateLength] {
        for code in [200, 204, 404, 429, 503, 599] {
            let mut response = Message::response(bhttp::StatusCode::try_from(code).unwrap());
            response.put_header("content-type", "text/plain");
            response.write_content(b"thank you");
            let mut message = Vec::new();
            response.write_bhttp(mode, &mut message).unwrap();
            assert_eq!(status(&message), Some(code));
            for length in 0..3 {
                assert_eq!(status(&message[..length]), None);
            }
        }
    }
    // A 103 with one header line before the 200: known, then indeterminate length.
    assert_eq!(status(&[1, 0x40, 103, 4, 1, b'a', 1, b'b', 0x40, 200, 0]), Some(200));
    assert_eq!(status(&[3, 0x40, 103, 1, b'a', 1, b'b', 0, 0x40, 200, 0]), Some(200));
    // A request, an impossible status, no end of informational ones, a length beyond the end.
    assert_eq!(status(&[0, 0x40, 200]), None);
    assert_eq!(status(&[1, 0x42, 88, 0]), None);
    assert_eq!(status(&[&[1][..], &[0x40, 103, 0].repeat(20), &[0x40, 200]].concat()), None);
    assert_eq!(status(&[1, 0x40, 103, 0x7f, 0xff]), None);
    assert_eq!(status(&[1, 0x40, 103, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), None);
}
